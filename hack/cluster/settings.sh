# Read by every script here: where things are kept and which addresses the node has. Nothing in this file acts.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Binaries are cached outside the work tree; the state of the running cluster lies beside them unless told otherwise.
cache=${TENANTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenantry}
state=${TENANTRY_CLUSTER:-$cache/cluster}

# 198.18.0.0/15 is set aside for tests (RFC 2544), so it cannot collide with a network that the machine is on.
node_name=tenantry
node_ip=198.18.0.1
pod_cidr=10.244.0.0/24
service_cidr=10.96.0.0/16
service_ip=10.96.0.1

pid_file=$state/pid
kubeconfig=$state/kubeconfig
# One cgroup for everything, named after the state directory so that two clusters do not share it.
cgroup=tenantry-$(printf %s "$state" | cksum | cut -d' ' -f1)

fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# node_pid prints the process id of the node's first process, and fails when there is none. A process id can be
# reused after a crash, hence the look at what runs there.
node_pid() {
	local pid
	pid=$(cat "$pid_file" 2>/dev/null) && grep -qsF "/node inside $state " <(tr '\0' ' ' <"/proc/$pid/cmdline") && echo "$pid"
}

require_root() {
	[ "$(uname -s)" = Linux ] || fail "a node needs Linux; this is $(uname -s)"
	[ "$(id -u)" = 0 ] || fail "a node needs root for its namespaces and mounts: run this with sudo -E"
}
