#!/usr/bin/env bash
# Fails if our code reaches a known vulnerability. VULNDB names a database other than https://vuln.go.dev, such as
# file:///path/to/vulndb/data/osv of a clone of golang.org/x/vulndb; then it must be readable. Without it, a machine that
# cannot reach vuln.go.dev is told so and does not fail: docs/decisions/0002-vulnerability-data.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

default=https://vuln.go.dev
db=${VULNDB:-$default}
govulncheck() { go tool -modfile=hack/verify/go.mod govulncheck -db "$db" "$@"; }

if [[ $db == "$default" ]] && ! govulncheck -version | grep -q '^DB updated'; then
	echo "VULNERABILITIES WERE NOT CHECKED: $db cannot be reached from here; set VULNDB to a database that can" >&2
	exit 0
fi
govulncheck ./cmd/...
