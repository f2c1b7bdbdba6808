# Read by demo.sh: a PostgreSQL on the node, and contoso's way into it. Nothing in this file acts by itself.

# start_database runs a PostgreSQL beside the pods, over TLS, with two users who act as one role, as docs/storage.md tells.
start_database() {
	local certificate
	database=$(kubectl get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'):5432
	administrator=$(in_cluster hack/postgres/cluster start "$work/postgres" "$database")
	mapfile -t certificate < <(hack/cluster/certificate postgres "${database%:*}")
	install -o postgres -m 600 "${certificate[0]}" "$work/postgres/data/server.crt"
	install -o postgres -m 600 "${certificate[1]}" "$work/postgres/data/server.key"
	sql >/dev/null <<-'SQL'
		ALTER SYSTEM SET ssl = on;
		SELECT pg_reload_conf();
		CREATE DATABASE scim;
		CREATE ROLE scim;
		GRANT CREATE ON DATABASE scim TO scim;
		CREATE ROLE scim_a LOGIN IN ROLE scim PASSWORD 'first';
		ALTER ROLE scim_a SET role = scim;
		CREATE ROLE scim_b LOGIN IN ROLE scim PASSWORD 'second';
		ALTER ROLE scim_b SET role = scim;
	SQL
}

# sql runs statements of standard input as the administrator and prints what they give.
sql() { in_cluster psql -qtAX -v ON_ERROR_STOP=1 "$administrator"; }

# connection_secret prints Secret contoso-database for a user and its password.
connection_secret() {
	kubectl -n customers create secret generic contoso-database --dry-run=client -o yaml --from-file=ca.crt="$authority" \
		--from-literal=url="postgres://$1:$2@$database/scim?sslmode=verify-full&sslrootcert=/database/ca.crt"
}

# export_of_contoso prints all that contoso's directory holds: every user, group and membership with ids and versions, and the log.
export_of_contoso() {
	local address
	address=$(kubectl -n customers get service contoso-scim -o 'jsonpath={.spec.clusterIP}')
	# A Service leads to a new pod a moment after that is ready.
	in_cluster curl -sSf --retry 30 --retry-delay 1 --retry-connrefused -H "Authorization: Bearer $(cat "$work/contoso.token")" "http://$address:8081/export?log=true"
}

# move edits one field of contoso, and compares what it has in PostgreSQL with what it had on its volume.
move() {
	connection_secret scim_a first | kubectl apply -f - >/dev/null
	export_of_contoso >"$work/before.jsonl"
	kubectl -n customers patch ptenant contoso --type merge \
		-p '{"spec":{"storage":{"type":"PostgreSQL","postgresql":{"connectionSecretRef":{"name":"contoso-database"}}}}}'
	kubectl -n customers wait ptenant/contoso --for='jsonpath={.status.storage.type}=PostgreSQL' --timeout=120s
	kubectl -n customers wait ptenant/contoso --for=condition=Ready --timeout=120s
	export_of_contoso >"$work/after.jsonl"
	cmp "$work/before.jsonl" "$work/after.jsonl" || fail 'contoso has something else in PostgreSQL than it had on its volume'
	echo "contoso's $(grep -c '^{"user"' "$work/after.jsonl") users are in PostgreSQL, with their ids, versions, groups and history"
	[ "$(kubectl -n customers get pvc contoso-data -o 'jsonpath={.status.phase} {.metadata.annotations.provisioning\.tenantry\.dev/moved-to}')" \
		= 'Bound PostgreSQL' ] || fail "contoso's volume was not kept, or not marked as left"
	kubectl -n customers patch ptenant contoso --type merge -p '{"spec":{"server":{"replicas":2}}}'
	kubectl -n customers wait deployment/contoso-scim --for='jsonpath={.status.readyReplicas}=2' --timeout=60s
}

# without_a_gap COMMAND... runs it while Entra and others never stop asking contoso, and fails if a single request does.
without_a_gap() {
	local asking=$work/asking readers=()
	touch "$asking"
	for reader in 1 2; do
		while [ -e "$asking" ]; do
			in_cluster curl -s -o /dev/null -w '%{http_code}\n' --cacert "$authority" -H "Authorization: Bearer $(cat "$work/contoso.token")" \
				"${url[contoso]}/Users?count=1&startIndex=[1-50]" || true
		done >"$work/reader$reader.txt" &
		readers+=($!)
	done
	while [ -e "$asking" ]; do provision contoso 1 || echo 'a cycle failed'; done >"$work/cycles.txt" 2>&1 &
	readers+=($!)
	"$@"
	rm "$asking"
	wait "${readers[@]}"
	if grep -hv '^200$' "$work"/reader?.txt | sort | uniq -c | grep . || grep -q '^a cycle failed' "$work/cycles.txt"; then
		grep -v ' users \| groups \| memberships ' "$work/cycles.txt"
		fail 'contoso did not answer every request'
	fi
	echo "$(cat "$work"/reader?.txt | wc -l) reads and $(grep -c '^Verified' "$work/cycles.txt") incremental cycles, and every request was answered"
}

# change_password gives contoso's servers the other user, and waits until none is connected as the first.
change_password() {
	local deadline=$((SECONDS + 120))
	connection_secret scim_b second | kubectl apply -f - >/dev/null
	until [ "$(sql <<<"SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'scim'")" = scim_b ]; do
		[ $SECONDS -lt $deadline ] || fail 'the servers still use the credentials that were replaced'
		sleep 1
	done
	sql <<<'ALTER ROLE scim_a NOLOGIN'
}
