#!/usr/bin/env bash
# Prints the folder of the npm packages that FOLDER/package-lock.json pins, as in: hack/npm.sh docs/applications/typescript
# They are installed into the cache where they are not there yet, without running scripts of theirs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1

hack/debian.sh npm nodejs npm

cache=${TENANTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenantry}
packages=$cache/npm-$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum | cut -c 1-16)
if [[ ! -e $packages ]]; then
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/npm-fresh.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	cp "$folder/package.json" "$folder/package-lock.json" "$fresh"
	npm ci --prefix "$fresh" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	mv -T "$fresh" "$packages" 2>/dev/null || [[ -e $packages ]] # or another run was faster
fi
echo "$packages/node_modules"
