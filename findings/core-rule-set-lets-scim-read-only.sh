#!/usr/bin/env bash
# Behind the OWASP Core Rule Set as it comes, SCIM can be read but not written, and large groups meet a second wall.
#
# The rules know neither application/scim+json (920420) nor PUT, PATCH and DELETE (911100). Once both are allowed,
# ModSecurity's recommended limits refuse a group: sent as application/json with more than 1,000 values (400, rule
# 200002), and in any form with more than 128 KiB (413, no rule).
# Why it matters: an identity provider's "Test Connection" only reads and passes, then the first cycle fails, with HTML
# where a SCIM error is due. `kubectl tenantry check` asks in the ways of a write, and the guide names these rules.
# Seen with modsecurity-crs 3.3.4, libapache2-mod-security2 2.9.7, Apache 2.4.71 (Debian 12). Needs node, curl, apt-get.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
chmod a+rx .
install -d -m 777 data

apt-get -qq -o APT::Sandbox::User=root download apache2-bin libapache2-mod-security2 modsecurity-crs \
	libapr1 libaprutil1 libcurl3-gnutls liblua5.1-0 libpcre2-8-0 libxml2 libyajl2
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
for package in apache2-bin libapache2-mod-security2 modsecurity-crs; do
	echo "$package $(dpkg-deb -f "$package"_*.deb Version)"
done

# The server answers everything with 200. It looks for a free port for Apache as well.
cat >server.js <<'END'
const http = require('http'), net = require('net');
const server = http.createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, { 'Content-Type': 'application/scim+json' }).end('{}'));
}).listen(0, '127.0.0.1', () => {
  const free = net.createServer().listen(0, '127.0.0.1', () => {
    console.log(server.address().port, free.address().port);
    free.close();
  });
});
END
coproc node server.js
read -r server apache <&"${COPROC[0]}"

cp etc/modsecurity/unicode.mapping .
sed '/^Sec\(TmpDir\|DataDir\|AuditLog\) /d' etc/modsecurity/modsecurity.conf-recommended >modsecurity.conf
cat >apache.conf <<END
ServerRoot $work
ServerName scim.example.com
Listen 127.0.0.1:$apache
User nobody
Group nogroup
PidFile apache.pid
ErrorLog error.log
$(for module in mpm_event authz_core proxy proxy_http unique_id security2; do
	echo "LoadModule ${module}_module usr/lib/apache2/modules/mod_$module.so"
done)
Include modsecurity.conf
SecTmpDir $work/data
SecDataDir $work/data
SecAuditEngine Off
SecRuleEngine On
Include etc/modsecurity/crs/crs-setup.conf
# Below /allowed stands what an administrator adds after the first refusals.
SecRule REQUEST_URI "@beginsWith /allowed" "id:1,phase:1,pass,nolog,\\
	setvar:'tx.allowed_methods=GET POST PUT PATCH DELETE',\\
	setvar:'tx.allowed_request_content_type=|application/json| |application/scim+json|'"
Include usr/share/modsecurity-crs/rules/*.conf
ProxyPass / http://127.0.0.1:$server/
END
usr/sbin/apache2 -D FOREGROUND -f "$work/apache.conf" &

# request PATH ARGUMENTS... prints status, media type, and the rules in the log but those that only add up (949, 980).
request() {
	curl -s -o /dev/null --retry 20 --retry-delay 1 --retry-connrefused -w '%{http_code} %{content_type}' "${@:2}" \
		-H 'Host: scim.example.com' -H 'Accept: application/scim+json' "http://127.0.0.1:$apache$1"
	sed -n 's/.*\[id "\([0-9]*\)"\].*/ \1/p' error.log | grep -v '^ 9[48]' | sort -u | tr -d '\n' || true
	: >error.log
}
group() { # of so many members
	node -p "JSON.stringify({displayName: 'All', members: Array.from({length: $1}, (_, i) => ({value: String(i)}))})"
}
group 1001 >group1001
group 10000 >group10000
user='{"userName":"anna"}'
scim='Content-Type: application/scim+json'
json='Content-Type: application/json'
{
	echo "as it comes:"
	echo "  GET: $(request /)"
	echo "  POST of JSON: $(request / -H "$json" -d "$user")"
	echo "  POST of SCIM: $(request / -H "$scim" -d "$user")"
	echo "  PUT of JSON: $(request / -X PUT -H "$json" -d "$user")"
	echo "  PATCH of JSON: $(request / -X PATCH -H "$json" -d "$user")"
	echo "  DELETE: $(request / -X DELETE)"
	echo "with SCIM and the methods allowed:"
	echo "  PATCH of SCIM: $(request /allowed -X PATCH -H "$scim" -d "$user")"
	echo "  DELETE: $(request /allowed -X DELETE)"
	echo "  POST of JSON, 1,001 members: $(request /allowed -H "$json" -d @group1001)"
	echo "  POST of SCIM, 10,000 members: $(request /allowed -H "$scim" -d @group10000)"
} | tee seen

diff -u --label expected --label seen - seen <<'END'
as it comes:
  GET: 200 application/scim+json
  POST of JSON: 200 application/scim+json
  POST of SCIM: 403 text/html; charset=iso-8859-1 920420
  PUT of JSON: 403 text/html; charset=iso-8859-1 911100
  PATCH of JSON: 403 text/html; charset=iso-8859-1 911100
  DELETE: 403 text/html; charset=iso-8859-1 911100
with SCIM and the methods allowed:
  PATCH of SCIM: 200 application/scim+json
  DELETE: 200 application/scim+json
  POST of JSON, 1,001 members: 400 text/html; charset=iso-8859-1 200002
  POST of SCIM, 10,000 members: 413 text/html; charset=iso-8859-1
END
