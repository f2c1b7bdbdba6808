#!/usr/bin/env bash
# The whole story on a cluster of its own: the operator from its chart, a class of tenants, two tenants, each provisioned over HTTPS by a
# client that behaves like Microsoft Entra ID, a third that has all from the class, and the way of one into PostgreSQL. Stays until Ctrl-C and leaves nothing behind
# but the build cache.
#
#   hack/demo/demo.sh           tells the story and waits
#   hack/demo/demo.sh --check   tells it, with a bad day, an upgrade and the end of the release, and fails where anything ends differently
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
cache=${TENANTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenantry}
# A cluster of its own, so that one started by `make cluster-up` is left alone.
export TENANTRY_CLUSTER=$cache/demo
check=
[ "${1:-}" != --check ] || check=yes
# For how many seconds the check takes the API server away, at least.
outage=${TENANTRY_DEMO_OUTAGE:-0}

users=500 groups=40
declare -A host=([contoso]=contoso.scim.example.com [fabrikam]=fabrikam.scim.example.com)
declare -A dialect=([contoso]=legacy [fabrikam]=flagged)
declare -A seed=([contoso]=1 [fabrikam]=2)
# What the administrator of each company maps so that the tenant's UserDefaults can tell users apart.
declare -A marked=(
	[contoso]='configurationFilter=germany,sweden,finland'
	[fabrikam]='configurationFilter=robotics,office'
)

. hack/demo/database.sh
. hack/demo/class.sh

step() { printf '\n\033[1m==> %3d s  %s\033[0m\n' $SECONDS "$*"; }
fail() {
	printf '\ndemo: %s\n' "$*" >&2
	exit 1
}
in_cluster() { hack/cluster/exec "$@"; }
kubectl() { in_cluster kubectl "$@"; }
helm() { in_cluster "$helm" "$@"; }

clean_up() {
	local code=$?
	trap '' INT TERM
	[ $code = 0 ] || { kubectl get pods,ptenant,udef,ingress -A 2>/dev/null || true; } >&2
	step 'taking the cluster down'
	hack/cluster/down || true
	rm -rf "$work"
	exit $code
}

[ "$(id -u)" = 0 ] || fail 'a real node needs root: run sudo -E make demo; make run shows the SCIM server without a cluster'
work=$(mktemp -d)
chmod 711 "$work" # PostgreSQL is run by a user of its own
trap clean_up EXIT
trap 'exit 0' INT TERM

step 'building the cluster and the two images (the first time takes about a quarter of an hour, later a few seconds)'
tools=$(hack/cluster/build.sh node | tail -n 1)
mkdir -p "$work/bin"
CGO_ENABLED=0 go build -ldflags '-s -w' -o "$work/bin/" ./cmd/operator ./cmd/scimserver ./test/entra/cmd/entra
for program in operator scimserver; do
	"$tools/image" -binary "$work/bin/$program" -tag "docker.io/tenantry/$program:dev" -output "$work/$program.tar"
done
helm=$(go -C test/chart tool -n helm)
export HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
hack/postgres/cluster install # out here, for the node has no way to what it would download

step 'starting Kubernetes: etcd, control plane, node, ingress controller'
hack/cluster/down >/dev/null
hack/cluster/up
hack/cluster/load "$work/operator.tar" "$work/scimserver.tar" >/dev/null

step 'installing the CRDs and the operator with Helm'
kubectl create namespace tenantry-system >/dev/null
kubectl label namespace tenantry-system pod-security.kubernetes.io/enforce=restricted >/dev/null
helm install tenantry charts/tenantry --namespace tenantry-system --wait --timeout 120s >/dev/null
helm test tenantry --namespace tenantry-system --timeout 120s

step 'applying the class of all tenants, two tenants and their UserDefaults'
kubectl apply -f hack/demo/tenants/namespace.yaml >/dev/null
kubectl apply -f config/samples/class.yaml
for tenant in contoso fabrikam; do
	mapfile -t certificate < <(hack/cluster/certificate "$tenant" "${host[$tenant]}")
	kubectl -n customers create secret tls "$tenant-tls" --cert="${certificate[0]}" --key="${certificate[1]}" >/dev/null
	authority=${certificate[2]}
done
kubectl apply -k hack/demo/tenants
kubectl -n customers wait --for=condition=Ready ptenant --all --timeout=180s
kubectl -n customers get ptenant

token_of() { kubectl -n customers get secret "$1-credentials" -o jsonpath='{.data.token}' | base64 -d; }
declare -A url
for tenant in contoso fabrikam; do
	url[$tenant]=$(kubectl -n customers get ptenant "$tenant" -o jsonpath='{.status.tenantURL}')
done

step 'a tenant of five lines has all else from the class'
five_lines
step 'adatum asks for a volume that the class does not allow'
out_of_bounds
step 'the class gives its servers more memory'
change_class

# provision TENANT CYCLES: what the provisioning service of the company's Entra tenant does in so many cycles.
provision() {
	local tenant=$1 cycles=$2
	shift 2
	in_cluster "$work/bin/entra" --url "${url[$tenant]}" --token-file "$work/$tenant.token" --ca-file "$authority" \
		--name "${tenant^}" --users $users --groups $groups --seed "${seed[$tenant]}" --dialect "${dialect[$tenant]}" --set "${marked[$tenant]}" \
		--state "$work/$tenant.state" --cycles "$cycles" "$@"
}

for tenant in contoso fabrikam; do
	(umask 077 && token_of "$tenant" >"$work/$tenant.token")
	step "$tenant: Test Connection and the initial cycle of $users users and $groups groups, in Entra's ${dialect[$tenant]} dialect"
	provision "$tenant" 1
	step "$tenant: an incremental cycle with people who came, changed, moved and left"
	provision "$tenant" 1 --print-sample 8 \
		--show urn:ietf:params:scim:schemas:extension:tenantry:2.0:User:companies,timezone
done

step "contoso's door with fabrikam's token"
if in_cluster "$work/bin/entra" --url "${url[contoso]}" --token-file "$work/fabrikam.token" --ca-file "$authority" \
	--cycles 0 >"$work/foreign.txt" 2>&1; then
	cat "$work/foreign.txt"
	fail "contoso's server let fabrikam's token in"
fi
cat "$work/foreign.txt"
grep -q 401 "$work/foreign.txt" || fail "a foreign token must be answered 401"

step 'what the platform team sees'
for tenant in contoso fabrikam; do
	# The server reports every few seconds; only then is there something to look at.
	kubectl -n customers wait "ptenant/$tenant" --for=jsonpath='{.status.directory.users}' --timeout=60s >/dev/null
done
kubectl -n customers wait udef --all --for=condition=Ready --timeout=60s >/dev/null
kubectl -n customers get ptenant,udef

# A tenant must outlive the API server, its own restart included: its server goes on with the last known good settings.
bad_day() {
	hack/cluster/component stop kube-apiserver
	local gone=$SECONDS
	# The brackets keep the pattern from finding this very command.
	in_cluster bash -c 'for p in /proc/[0-9]*; do
		if grep -qszxe "--tenant=[c]ontoso" "$p/cmdline"; then kill -KILL "${p#/proc/}" && echo "killed the server of contoso"; fi
	done' | grep . || fail "found no server of contoso to kill"
	local deadline=$((SECONDS + 90))
	until provision contoso 0 >"$work/away.txt" 2>&1; do
		[ $SECONDS -lt $deadline ] || { cat "$work/away.txt"; fail 'contoso is not served while the API server is away'; }
		sleep 0.5
	done
	if kubectl get --raw=/readyz >/dev/null 2>&1; then fail 'the API server was there all the time'; fi
	provision contoso 1
	while [ $((SECONDS - gone)) -lt "$outage" ]; do
		sleep 20 # not to wait for something: a long outage is the point
		provision contoso 1 | tail -n 1
		echo "the API server has been away for $((SECONDS - gone)) s"
	done
	hack/cluster/component start kube-apiserver
	deadline=$((SECONDS + 90))
	until kubectl -n customers wait --for=condition=Ready ptenant --all --timeout=30s 2>/dev/null; do
		[ $SECONDS -lt $deadline ] || fail 'the tenants are not Ready after the API server came back'
		sleep 0.5
	done
}

upgrade() {
	for program in operator scimserver; do
		in_cluster ctr -n k8s.io images tag "docker.io/tenantry/$program:dev" "docker.io/tenantry/$program:next" 2>/dev/null
	done
	helm upgrade tenantry charts/tenantry --namespace tenantry-system --wait --timeout 120s \
		--reuse-values --set image.tag=next --set serverImage.tag=next >/dev/null
	kubectl -n customers wait deployment --all --timeout=60s \
		--for='jsonpath={.spec.template.spec.containers[0].image}=docker.io/tenantry/scimserver:next'
	for tenant in contoso fabrikam; do kubectl -n customers rollout status "deployment/$tenant-scim" --timeout=120s; done
	kubectl -n customers wait --for=condition=Ready ptenant --all --timeout=60s
}

# The tenants are not part of the release: they outlive it, and need no operator to be served.
uninstall() {
	local tenants
	tenants=$(kubectl get ptenant,udef -A -o name)
	helm uninstall tenantry --namespace tenantry-system --wait --timeout 60s
	[ "$(kubectl get ptenant,udef -A -o name)" = "$tenants" ] || fail 'tenants or UserDefaults went with the release'
	provision contoso 1
}

if [ -n "$check" ]; then
	step 'a bad day: the Kubernetes API goes away, a server is killed, and Entra knows nothing of it'
	bad_day
fi

step 'contoso outgrows its volume: its directory moves to PostgreSQL by an edit of one field, and gets a second server'
start_database
move
step 'another password for the database, while Entra and others ask without end'
without_a_gap change_password

if [ -n "$check" ]; then
	step 'upgrading the release to other images, while they ask contoso without end'
	without_a_gap upgrade
	step 'uninstalling the release: the tenants stay, and are served'
	uninstall
	step 'everything ended as it should'
	exit 0
fi

cat <<TEXT

The cluster stays until Ctrl-C. In another terminal:

  export TENANTRY_CLUSTER=$TENANTRY_CLUSTER
  hack/cluster/exec kubectl -n customers describe ptenant contoso
  hack/cluster/exec kubectl explain ptenant.spec.exposure
  hack/cluster/exec kubectl -n customers edit udef contoso-finance     # apply: Always; users follow within seconds
  hack/cluster/exec curl --cacert $authority -H "Authorization: Bearer \$(cat $work/contoso.token)" \\
    'https://${host[contoso]}/scim/v2/Users?count=2'
TEXT
while :; do sleep 3600 & wait $!; done
