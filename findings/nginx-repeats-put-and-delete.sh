#!/usr/bin/env bash
# nginx sends a PUT and a DELETE twice when the kept connection to its only server closes without an answer.
#
# Its client sees one request and the second answer. POST and PATCH are sent once and answered with 502.
# Why it matters: a DELETE that the SCIM server had carried out comes again and is answered with 404, so the
# provisioning client reports a removal as failed that succeeded; a PUT with If-Match comes again with the old tag, 412.
# Tenantry's recipe for nginx says which methods may come again.
# Seen with nginx 1.22.1 (Debian 12) while a SCIM server restarted. Needs node, curl and apt-get.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download nginx
dpkg -x nginx_*.deb .
usr/sbin/nginx -v

# The server answers the first request of a connection, and closes the connection on the second without an answer.
cat >server.js <<'END'
const http = require('http');
const met = new Set();
let arrived = [];
http.createServer((request, response) => {
  if (request.url === '/arrived') return response.end(arrived.splice(0).join(' '));
  if (request.url === '/Users/1') arrived.push(request.method);
  if (met.has(request.socket)) return request.socket.destroy();
  met.add(request.socket);
  response.end();
}).listen(0, '127.0.0.1', function () { console.log(`127.0.0.1:${this.address().port}`); });
END
coproc node server.js
read -r server <&"${COPROC[0]}"

cat >nginx.conf <<END
daemon off;
pid nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	upstream scim { server $server; keepalive 1; }
	server {
		listen unix:$work/nginx.sock;
		location / { proxy_pass http://scim; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
END
usr/sbin/nginx -p "$work" -e error.log -c nginx.conf &

for method in GET PUT DELETE POST PATCH; do
	curl -s -o /dev/null --unix-socket nginx.sock --retry 20 --retry-delay 1 --retry-all-errors http://scim/first
	status=$(curl -s -o /dev/null -w '%{http_code}' --unix-socket nginx.sock -X "$method" http://scim/Users/1)
	printf '%s: the client got %s, the server got %s\n' "$method" "$status" "$(curl -s "$server/arrived")"
done | tee seen

diff -u --label expected --label seen - seen <<'END'
GET: the client got 200, the server got GET GET
PUT: the client got 200, the server got PUT PUT
DELETE: the client got 200, the server got DELETE DELETE
POST: the client got 502, the server got POST
PATCH: the client got 502, the server got PATCH
END
