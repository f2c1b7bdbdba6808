#!/usr/bin/env bash
# Runs every fuzz target for the given time each, ten seconds if none is given. What it finds lands in the package's
# testdata/fuzz, to be committed with the cure.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-10s}

# go test -list prints the targets of a package and then a line "ok PACKAGE".
go test -list '^Fuzz' ./... |
	awk '/^Fuzz/ {targets[n++] = $1} /^ok/ {for (i = 0; i < n; i++) print $2, targets[i]; n = 0}' |
	while read -r package target; do
		echo "== $target in $package"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
	done
