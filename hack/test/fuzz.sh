#!/usr/bin/env bash
# Runs every fuzz target for the given time each, twenty seconds if none is given. What it finds lands in the package's
# testdata/fuzz, to be committed with the cure.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-20s}

grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u | while read -r package; do
	grep -hoE '^func Fuzz\w+' "$package"/*_test.go | cut -d' ' -f2 | while read -r target; do
		echo "== $target in $package"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
	done
done
