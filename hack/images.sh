#!/usr/bin/env bash
# Builds the images of both programs into a directory, without a Docker daemon, and prints their digests:
#
#   hack/images.sh DIRECTORY [ARCHITECTURE...]     amd64 and arm64 where none is named
#
# Each is an OCI image layout with an image for every architecture and its SBOM, to be pushed with a tool such as crane,
# oras or skopeo. The same source and the same Go give the same digests, wherever it stands. TENANTRY_VERSION is the tag
# (default dev).
set -euo pipefail
[ $# -gt 0 ] || { echo 'usage: hack/images.sh DIRECTORY [ARCHITECTURE...]' >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- amd64 arm64
cd "$(dirname "$0")/.."

declare -a operator scimserver
for architecture; do
	# -trimpath and -buildvcs=false leave out where the source stands and in what state its repository is.
	CGO_ENABLED=0 GOOS=linux GOARCH=$architecture go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X github.com/tenantry/tenantry/internal/version.release=${TENANTRY_VERSION:-}" \
		-o "$directory/$architecture/" ./cmd/operator ./cmd/scimserver
	operator+=(-binary "$directory/$architecture/operator")
	scimserver+=(-binary "$directory/$architecture/scimserver")
done
image() {
	local program=$1
	shift
	go -C hack/image run . "$@" -tag "docker.io/tenantry/$program:${TENANTRY_VERSION:-dev}" -layout "$directory/$program"
}
image operator "${operator[@]}"
image scimserver "${scimserver[@]}"
