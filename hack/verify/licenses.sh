#!/usr/bin/env bash
# Fails if a program of cmd/ links a module whose licence we may not ship, or one without any.
set -euo pipefail
cd "$(dirname "$0")/../.."

allowed=Apache-2.0,MIT,BSD-2-Clause,BSD-3-Clause,ISC,MPL-2.0,Unlicense,CC0-1.0,Zlib

# It warns of every assembly file that it passes by; what it says matters only if it fails.
if ! said=$(go tool -modfile=hack/verify/go.mod go-licenses check --allowed_licenses="$allowed" ./cmd/... 2>&1); then
	echo "$said" >&2
	exit 1
fi
echo "every licence is one of $allowed"
