#!/usr/bin/env bash
# Builds the cluster's programs from their Go modules into a cache, once per version and input, and prints the directory
# of the binaries as its last line.
#
#   hack/cluster/build.sh envtest    etcd, kube-apiserver, kube-controller-manager, kubectl (for KUBEBUILDER_ASSETS)
#   hack/cluster/build.sh node       all that hack/cluster/up runs, image builder included
#   hack/cluster/build.sh traefik    Traefik alone, and the image builder
#
# Progress goes to standard error. The modules of what is built later are downloaded while the compiler is busy.
set -euo pipefail
. "$(dirname "$0")/settings.sh"

# Order matters on a cold machine: etcd downloads little, and while it compiles the 600 MB of Kubernetes arrive.
# The second column is CPU seconds of a cold build in this order; it only feeds the estimate on screen.
components() {
	case $1 in
	envtest) echo 'etcd kubernetes' ;;
	node) echo 'etcd kubernetes containerd image traefik pause' ;;
	traefik) echo 'image traefik' ;;
	*) fail "unknown target $1: envtest, node or traefik" ;;
	esac
}
declare -A cpu_seconds=([etcd]=100 [kubernetes]=720 [containerd]=70 [traefik]=60 [image]=10 [pause]=2)
declare -A module=(
	[etcd]=go.etcd.io/etcd/server/v3 [kubernetes]=k8s.io/kubernetes [containerd]=github.com/containerd/containerd/v2
	[traefik]=github.com/traefik/traefik/v3 [image]=github.com/google/go-containerregistry [pause]=""
)
declare -A packages=([containerd]='. ./containerd-shim-runc-v2') # "." where nothing else is said
declare -A links=([kubernetes]='kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl' [containerd]=ctr)

source_of() { [ "$1" = image ] && echo "$here/../image" || echo "$here/$1"; }

version_of() {
	[ -z "${module[$1]}" ] && echo v1 && return
	awk -v m="${module[$1]}" '$1 == m && $2 ~ /^v/ {print $2; exit} $2 == m && $3 ~ /^v/ {print $3; exit}' "$(source_of "$1")/go.mod"
}

# key_of names what a component is built from, so that a change of any input builds it anew.
key_of() {
	local inputs
	inputs=$(
		cd "$(source_of "$1")"
		find . -type f ! -name '*_test.go' | LC_ALL=C sort | xargs sha256sum
		go version
		linker_flags "$1"
		case $1 in pause | traefik) sha256sum "$here"/../image/*.go ;; esac
	)
	echo "$1-$(version_of "$1")-$(sha256sum <<<"$inputs" | cut -c1-12)"
}

linker_flags() {
	local version flags='-s -w' package
	version=$(version_of "$1")
	case $1 in
	kubernetes) # unstamped, it calls itself v0.0.0-master, and clients that compare versions stumble
		for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
			flags+=" -X $package.gitVersion=$version -X $package.gitMajor=$(cut -d. -f1 <<<"${version#v}")"
			flags+=" -X $package.gitMinor=$(cut -d. -f2 <<<"$version") -X $package.gitTreeState=clean"
			flags+=" -X $package.gitCommit=$version -X $package.buildDate=1970-01-01T00:00:00Z"
		done
		;;
	containerd) flags+=" -X github.com/containerd/containerd/v2/version.Version=$version" ;;
	esac
	echo "$flags"
}

# prepare makes the directory in which a component compiles, and downloads its modules.
prepare() {
	local name=$1 dir
	dir=$(source_of "$name")
	if [ "$name" = traefik ]; then
		dir=$cache/build/$(key_of traefik)
		if [ ! -d "$dir" ]; then
			rm -rf "$dir.new"
			"$here/traefik/trim.sh" "$dir.new"
			mv "$dir.new" "$dir"
		fi
	fi
	# shellcheck disable=SC2086 # a list
	(cd "$dir" && go list -deps ${packages[$name]:-.} | wc -l)
	echo "$dir"
}

compile() {
	local name=$1 dir=$2 out=$3 link
	# shellcheck disable=SC2086 # a list
	(cd "$dir" && go build -v -ldflags "$(linker_flags "$name")" -o "$out/" ${packages[$name]:-.})
	for link in ${links[$name]:-}; do ln -s "$name" "$out/$link"; done
	case $name in
	traefik | pause)
		"$cache/components/$(key_of image)/image" -binary "$out/$name" -tag "tenantry.dev/$name:$(version_of "$name")" -output "$out/$name.tar"
		;;
	esac
}

clock() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

# watch_build shows a line a second on a terminal, four a minute in a log, until the given process ends.
watch_build() {
	local pid=$1 label=$2 log=$3 total=$4 expected=$5 later=$6 begun=$SECONDS took left line shown=0
	while kill -0 "$pid" 2>/dev/null; do
		took=$((SECONDS - begun))
		if [ $took -lt "$expected" ]; then
			left="about $(clock $((expected - took + later))) left in all"
		else
			left="longer than the usual $(clock "$expected"), this machine is slow or busy; about $(clock "$later") after it"
		fi
		line="$label: $(clock $took), $(wc -l <"$log") of at most $total packages compiled; $left"
		if [ -t 2 ]; then
			printf '\r\033[K%s' "$line" >&2
		elif [ $((took / 15)) -ge $shown ] && [ $took -gt 0 ]; then
			echo "$line" >&2
			shown=$((took / 15 + 1))
		fi
		sleep 1
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

[ $# -gt 0 ] || set -- node
command -v go >/dev/null || fail 'go is not on the PATH'
mkdir -p "$cache/components" "$cache/build" "$cache/targets"
exec 9>"$cache/lock"
flock -n 9 || { echo 'another build is running; waiting for it' >&2; flock 9; }
export CGO_ENABLED=0 GOWORK=off GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"

wanted=() missing=()
for target; do for name in $(components "$target"); do
	[[ " ${wanted[*]-} " == *" $name "* ]] && continue
	wanted+=("$name")
	[ -d "$cache/components/$(key_of "$name")" ] || missing+=("$name")
done; done

if [ ${#missing[@]} -gt 0 ]; then
	# Downloads run one after the other, ahead of the compiler; each leaves its result in a file.
	rm -f "$cache"/build/*.prepared "$cache"/build/*.failed
	(for name in "${missing[@]}"; do
		prepare "$name" >"$cache/build/$name.preparing" 2>"$cache/build/$name.download.log" || touch "$cache/build/$name.failed"
		mv "$cache/build/$name.preparing" "$cache/build/$name.prepared"
	done) &
	downloads=$!
	trap 'kill $downloads 2>/dev/null || true' EXIT

	cores=$(nproc)
	position=0
	for name in "${missing[@]}"; do
		position=$((position + 1))
		later=0
		for other in "${missing[@]:position}"; do later=$((later + cpu_seconds[$other] / cores)); done
		label="[$position/${#missing[@]}] $name $(version_of "$name")"
		begun=$SECONDS
		waited=0
		until [ -e "$cache/build/$name.prepared" ]; do
			[ $((waited % 15)) != 0 ] || echo "$label: downloading modules" >&2
			waited=$((waited + 1))
			sleep 1
		done
		if [ -e "$cache/build/$name.failed" ]; then
			tail -n 25 "$cache/build/$name.download.log" >&2
			fail "$name: its modules could not be downloaded (see above)"
		fi
		{ read -r total; read -r dir; } <"$cache/build/$name.prepared"
		out=$cache/components/$(key_of "$name")
		rm -rf "$out.new"
		mkdir -p "$out.new"
		log=$cache/build/$name.log
		: >"$log"
		compile "$name" "$dir" "$out.new" >"$log" 2>&1 &
		compiling=$!
		watch_build $compiling "$label" "$log" "$total" $((cpu_seconds[$name] / cores)) "$later"
		wait $compiling || { tail -n 25 "$log" >&2; fail "$name did not build; the whole log: $log"; }
		mv "$out.new" "$out"
		echo "$label: built in $(clock $((SECONDS - begun)))" >&2
	done
fi

# One directory with links to every binary of the targets asked for.
keys=$(for name in "${wanted[@]}"; do key_of "$name"; done)
bin=$cache/targets/$(IFS=-; echo "$*")-$(sha256sum <<<"$keys" | cut -c1-12)
if [ ! -d "$bin" ]; then
	rm -rf "$bin.new"
	mkdir -p "$bin.new"
	for key in $keys; do ln -s "$cache/components/$key"/* "$bin.new"; done
	mv "$bin.new" "$bin"
fi
echo "$bin"
