#!/usr/bin/env bash
# Generates everything in a copy of the work tree and shows what comes out differently. The work tree is not touched, so
# this is safe in the middle of a change.
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

tar --exclude=./.git --exclude=./bin --exclude=./.run -cf - . | tar -xf - -C "$copy"
(cd "$copy" && hack/generate.sh >/dev/null)
if ! diff -ru --exclude=.git --exclude=bin --exclude=.run . "$copy"; then
	echo "generated files are not current: run 'make generate' and commit what it writes" >&2
	exit 1
fi
echo "generated files are current"
