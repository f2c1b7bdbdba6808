#!/usr/bin/env bash
# Builds the kube-apiserver of another version of Kubernetes, once, and prints a directory for KUBEBUILDER_ASSETS in which it takes the place of
# ours. etcd, kubectl and kube-controller-manager stay ours.
#
#   hack/cluster/apiserver.sh v1.34.4
set -euo pipefail
. "$(dirname "$0")/settings.sh"

[ $# = 1 ] || fail 'which version of Kubernetes? As in v1.34.4'
version=$1
assets=$cache/targets/apiserver-$version
ours=$("$here/build.sh" envtest | tail -n 1)
export CGO_ENABLED=0 GOWORK=off GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false -mod=mod"

if [ ! -x "$assets/kube-apiserver" ]; then
	module=$cache/build/apiserver-$version
	rm -rf "$module" "$assets"
	mkdir -p "$module" "$assets.new"
	cd "$module"
	# Kubernetes builds with the staging modules of its own tree, which are published under v0 versions of the same number.
	released=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
	{
		echo 'module kube-apiserver'
		grep -E '^(go|godebug) ' "$released"
		echo "require k8s.io/kubernetes $version"
		sed -nE "s#^[[:space:]]*(replace )?(k8s.io/[a-z-]+) => \./staging/.*#replace \2 => \2 v0.${version#v1.}#p" "$released"
	} >go.mod
	printf 'package tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\n' >tools.go
	flags='-s -w'
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
	done
	echo "building kube-apiserver $version, which takes ten minutes" >&2
	go get "k8s.io/kubernetes/cmd/kube-apiserver@$version" >&2
	go build -ldflags "$flags" -o "$assets.new/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver >&2
	mv "$assets.new" "$assets"
fi
for program in etcd kubectl kube-controller-manager; do ln -sfn "$ours/$program" "$assets/$program"; done
echo "$assets"
