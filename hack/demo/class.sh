# Read by demo.sh: what a class of tenants does. Nothing in this file acts by itself.

# effect prints status, reason and message of condition ClassInEffect of adatum.
effect() {
	kubectl -n customers get ptenant adatum \
		-o 'jsonpath={range .status.conditions[?(@.type=="ClassInEffect")]}{.status}/{.reason}: {.message}{end}'
}

# five_lines has a tenant of a display name and an Entra tenant ID become ready by the class.
five_lines() {
	cat hack/demo/adatum.yaml
	kubectl apply -f hack/demo/adatum.yaml >/dev/null
	kubectl -n customers wait --for=condition=Ready ptenant/adatum --timeout=120s
	url[adatum]=$(kubectl -n customers get ptenant adatum -o jsonpath='{.status.tenantURL}')
	[ "${url[adatum]}" = https://adatum.scim.example.com/scim/v2 ] || fail "adatum has not the host of its class, but ${url[adatum]}"
	[ "$(kubectl -n customers get ptenant adatum -o jsonpath='{.status.class.name}')" = standard ] || fail 'adatum is not of class standard'
	kubectl -n customers get ptenant adatum
}

# out_of_bounds has adatum ask for more than its class allows. It is told, and is served all the same.
out_of_bounds() {
	kubectl -n customers patch ptenant adatum --type merge -p '{"spec":{"storage":{"sqlite":{"size":"50Gi"}}}}' >/dev/null
	kubectl -n customers wait --for=condition=ClassInEffect=false ptenant/adatum --timeout=60s
	effect
	echo
	effect | grep -qF 'spec.storage.sqlite.size is 50Gi, and class standard allows at most 5Gi (spec.bounds.storage.sqlite.maxSize of the class)' ||
		fail 'adatum is not told which bound it exceeds'
	[ "$(kubectl -n customers get ptenant adatum -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ] ||
		fail 'a bound of the class took adatum away'
	[ "$(kubectl -n customers get pvc adatum-data -o 'jsonpath={.spec.resources.requests.storage}')" = 1Gi ] || fail 'adatum got the volume all the same'
	kubectl -n customers patch ptenant adatum --type merge -p '{"spec":{"storage":null}}' >/dev/null
	kubectl -n customers wait --for=condition=ClassInEffect=true ptenant/adatum --timeout=60s
}

# change_class gives the servers of the class more memory, which restarts them a few at a time.
change_class() {
	kubectl patch ptenantclass standard --type merge -p '{"spec":{"defaults":{"server":{"resources":{"requests":{"memory":"80Mi"}}}}}}'
	for tenant in adatum contoso; do
		kubectl -n customers wait "deployment/$tenant-scim" --timeout=120s \
			--for='jsonpath={.spec.template.spec.containers[0].resources.requests.memory}=80Mi'
		kubectl -n customers rollout status "deployment/$tenant-scim" --timeout=120s
	done
	[ "$(kubectl -n customers get deployment fabrikam-scim -o 'jsonpath={.spec.template.spec.containers[0].resources.requests.memory}')" = 64Mi ] ||
		fail 'fabrikam, which says itself how much memory it wants, got what the class says'
	kubectl -n customers wait --for=condition=Ready ptenant --all --timeout=120s
}
