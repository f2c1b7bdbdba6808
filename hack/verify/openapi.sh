#!/usr/bin/env bash
# Has a linter look at the OpenAPI documents of scimserver/openapi/testdata, makes TypeScript types of them, and compiles a program that uses
# those of a tenant with schemas of its own. The programs are npm's, pinned by hack/openapi/package-lock.json.
set -euo pipefail
cd "$(dirname "$0")/../.."

modules=$(hack/npm.sh hack/openapi)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp hack/openapi/lint.js hack/openapi/example.ts hack/openapi/package.json "$work"
ln -s "$modules" "$work/node_modules"
documents=("$PWD"/scimserver/openapi/testdata/*.json)
declared=$PWD/scimserver/openapi/testdata/declared.json
cd "$work"
node lint.js "${documents[@]}"
node_modules/.bin/openapi-typescript "$declared" --output types.d.ts >/dev/null
node_modules/.bin/tsc --noEmit --strict --noUncheckedIndexedAccess --module nodenext --target es2022 example.ts types.d.ts
echo "${#documents[@]} OpenAPI documents checked, and types made of them"
