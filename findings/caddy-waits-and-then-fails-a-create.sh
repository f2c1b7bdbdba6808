#!/usr/bin/env bash
# Caddy with lb_try_duration waits until a restarting server is back, and then answers 502 to what has a body.
#
# The first try finds nobody listening and closes the request's body, so the second cannot send it. A GET and a DELETE
# have no body, and arrive.
# Why it matters: the setting works when it is tried with a read, and a user is still not created while the SCIM server
# restarts. Tenantry's recipe for Caddy leaves the setting out, and says why.
# Seen with Caddy 2.6.2 (Debian 12). Needs node, curl and apt-get.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download caddy
dpkg -x caddy_*.deb .
echo "Caddy $(dpkg-deb -f caddy_*.deb Version)"

cat >server.js <<'END'
require('http').createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(201).end());
}).listen('server.sock');
END
cat >Caddyfile <<END
{
	admin off
	debug
}
http:// {
	bind unix/$work/caddy.sock
	reverse_proxy unix/$work/server.sock {
		lb_try_duration 60s
	}
}
END
export HOME=$work XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work
usr/bin/caddy run --config Caddyfile >>log 2>&1 &
wait_for() {
	for _ in {1..100}; do
		if "$@"; then return; fi
		sleep 0.1
	done
	return 1
}
wait_for test -S caddy.sock

# through METHOD [BODY] sends the request while no server runs, starts the server after Caddy's first try, and prints
# what the client got and what Caddy said in the end.
through() {
	: >log
	curl -s -o /dev/null -w "%{http_code}" --unix-socket caddy.sock -X "$1" ${2:+-d "$2"} http://scim.example.com \
		>status &
	local client=$!
	wait_for grep -q 'connect: ' log
	node server.js &
	wait "$client"
	kill $!
	wait $! || true
	rm -f server.sock
	echo "$1 with ${2:-no body}: $(<status) $(grep -o 'http: invalid Read on closed Body' log | head -n 1)"
}
{
	through GET
	through DELETE
	through POST '{"userName":"anna"}'
	through PUT '{"userName":"anna"}'
	through PATCH '{"active":false}'
} | sed 's/ $//' | tee seen

diff -u --label expected --label seen - seen <<'END'
GET with no body: 201
DELETE with no body: 201
POST with {"userName":"anna"}: 502 http: invalid Read on closed Body
PUT with {"userName":"anna"}: 502 http: invalid Read on closed Body
PATCH with {"active":false}: 502 http: invalid Read on closed Body
END
