#!/usr/bin/env bash
# Builds both images for this machine's architecture here and in a copy of the work tree elsewhere, and fails if a digest
# differs.
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/tree"

tar --exclude=./.git --exclude=./bin --exclude=./.run -cf - . | tar -xf - -C "$copy/tree"
architecture=$(go env GOARCH)
hack/images.sh "$copy/here" "$architecture" >"$copy/here.txt"
"$copy/tree/hack/images.sh" "$copy/there" "$architecture" >"$copy/there.txt"
diff -u "$copy/here.txt" "$copy/there.txt" || { echo "two builds of one source gave different images" >&2; exit 1; }
cat "$copy/here.txt"
