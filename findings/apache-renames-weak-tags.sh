#!/usr/bin/env bash
# Apache's compression renames a weak ETag too, and passes the renamed tag on to the server when the client sends it.
#
# W/"2" becomes W/"2-gzip" or W/"2-br". A weak tag promises the same meaning, not the same bytes, so nothing needs a new
# name; nginx 1.22, HAProxy 2.6 and Caddy 2.6 leave it alone. The server never knows the tag that comes back.
# Why it matters: If-None-Match never saves an answer, and a PATCH with If-Match is refused with 412 for ever, however
# often the client reads the user again. Tenantry's server compares tags without the endings -gzip, -br and -zstd.
# Seen with Apache 2.4.71 (Debian 12), mod_deflate and mod_brotli, before a SCIM server. Needs node, curl and apt-get.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download apache2-bin libapr1 libaprutil1 libbrotli1
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
usr/sbin/apache2 -v | head -n 1

# The server has one user, in version 2. It looks for a free port for Apache as well.
cat >server.js <<'END'
const http = require('http'), net = require('net');
const user = JSON.stringify({ userName: 'anna', title: 'x'.repeat(2000), meta: { version: 'W/"2"' } });
const server = http.createServer((request, response) => {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  response.setHeader('ETag', 'W/"2"');
  if (noneMatch === 'W/"2"') return response.writeHead(304).end();
  if (match && match !== 'W/"2"') return response.writeHead(412, { 'X-Got': match }).end();
  response.writeHead(200, { 'Content-Type': 'application/scim+json' }).end(user);
}).listen(0, '127.0.0.1', () => {
  const free = net.createServer().listen(0, '127.0.0.1', () => {
    console.log(server.address().port, free.address().port);
    free.close();
  });
});
END
coproc node server.js
read -r server apache <&"${COPROC[0]}"

cat >apache.conf <<END
ServerRoot $work
ServerName scim.example.com
Listen 127.0.0.1:$apache
User nobody
Group nogroup
PidFile apache.pid
ErrorLog error.log
$(for module in mpm_event authz_core proxy proxy_http filter deflate brotli; do
	echo "LoadModule ${module}_module usr/lib/apache2/modules/mod_$module.so"
done)
AddOutputFilterByType BROTLI_COMPRESS;DEFLATE application/scim+json
ProxyPass / http://127.0.0.1:$server/
END
usr/sbin/apache2 -D FOREGROUND -f "$work/apache.conf" &

request() { # prints FORMAT of the answer to a request with the rest of the arguments
	curl -s -o /dev/null --retry 20 --retry-delay 1 --retry-connrefused -w "$1" "${@:2}" "http://127.0.0.1:$apache/Users/1"
}
for encoding in identity gzip br; do
	accept=(-H "Accept-Encoding: $encoding")
	tag=$(request '%header{etag}' "${accept[@]}")
	echo "$encoding: GET has the ETag $tag"
	request '  GET, If-None-Match with it: %{http_code}\n' "${accept[@]}" -H "If-None-Match: $tag"
	request '  PATCH, If-Match with it: %{http_code}, the server refused <%header{x-got}>\n' "${accept[@]}" -X PATCH \
		-H "If-Match: $tag"
done | tee seen

diff -u --label expected --label seen - seen <<'END'
identity: GET has the ETag W/"2"
  GET, If-None-Match with it: 304
  PATCH, If-Match with it: 200, the server refused <>
gzip: GET has the ETag W/"2-gzip"
  GET, If-None-Match with it: 200
  PATCH, If-Match with it: 412, the server refused <W/"2-gzip">
br: GET has the ETag W/"2-br"
  GET, If-None-Match with it: 200
  PATCH, If-Match with it: 412, the server refused <W/"2-br">
END
