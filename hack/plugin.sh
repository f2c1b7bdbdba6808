#!/usr/bin/env bash
# Builds kubectl tenantry for a release into a directory: an archive for each platform, and the manifest by which krew installs
# them, which its index takes.
#
#   TENANTRY_VERSION=v1.2.3 hack/plugin.sh DIRECTORY [OS/ARCHITECTURE...]     all of Linux, macOS and Windows where none is named
#
# The same source and the same Go give the same archives, wherever it stands.
set -euo pipefail
[ $# -gt 0 ] || { echo 'usage: TENANTRY_VERSION=v1.2.3 hack/plugin.sh DIRECTORY [OS/ARCHITECTURE...]' >&2; exit 2; }
version=${TENANTRY_VERSION:?name the version of the release, as in v1.2.3}
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- {linux,darwin,windows}/{amd64,arm64}
cd "$(dirname "$0")/.."

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
for platform; do
	rm -rf "${built:?}"/*
	CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X github.com/tenantry/tenantry/internal/version.release=$version" -o "$built/" ./cmd/kubectl-tenantry
	install -m 0644 LICENSE "$built/"
	tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --directory "$built" . |
		gzip --no-name >"$directory/kubectl-tenantry_${version}_${platform%/*}_${platform#*/}.tar.gz"
done
go run ./hack/krew -version "$version" "$directory" >"$directory/tenantry.yaml"
