#!/usr/bin/env bash
# Has a linter look at the OpenAPI documents of scimserver/openapi/testdata, makes TypeScript types of them, and compiles a program that uses
# those of a tenant with schemas of its own. The programs are npm's, pinned by hack/openapi/package-lock.json, and kept in the cache.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v npm >/dev/null; then
	if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
		echo "node 18 or later and npm are not installed" >&2
		exit 1
	fi
	echo "installing nodejs and npm"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nodejs npm >/dev/null
fi

cache=${TENANTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenantry}
tools=$cache/openapi-$(cat hack/openapi/package.json hack/openapi/package-lock.json | sha256sum | cut -c 1-16)
if [[ ! -e $tools ]]; then
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/openapi-fresh.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	cp hack/openapi/package.json hack/openapi/package-lock.json "$fresh"
	npm ci --prefix "$fresh" --ignore-scripts --no-audit --no-fund --loglevel=error
	mv -T "$fresh" "$tools" 2>/dev/null || [[ -e $tools ]] # or another run was faster
fi

work=$(mktemp -d)
trap 'rm -rf "$work" "${fresh:-}"' EXIT
cp hack/openapi/lint.js hack/openapi/example.ts hack/openapi/package.json "$work"
ln -s "$tools/node_modules" "$work/node_modules"
documents=("$PWD"/scimserver/openapi/testdata/*.json)
declared=$PWD/scimserver/openapi/testdata/declared.json
cd "$work"
node lint.js "${documents[@]}"
node_modules/.bin/openapi-typescript "$declared" --output types.d.ts >/dev/null
node_modules/.bin/tsc --noEmit --strict --noUncheckedIndexedAccess --module nodenext --target es2022 example.ts types.d.ts
echo "${#documents[@]} OpenAPI documents checked, and types made of them"
