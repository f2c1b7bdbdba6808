#!/usr/bin/env bash
# trim.sh DIR makes DIR the directory in which Traefik is built: this module, and in upstream/ Traefik's own source
# without the parts that drag in a hundred SDKs. What other packages still need of a removed part stands in trim/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
read -r module version sum <"$here/upstream.sum"

# Outside any module, because this one replaces upstream by the trimmed copy.
downloaded=$(cd / && go mod download -json "$module@$version")
value() { sed -n "s|.*\"$1\": \"\(.*\)\",*|\1|p" <<<"$downloaded"; }
[ "$(value Sum)" = "$sum" ] || { echo "$module@$version has checksum $(value Sum), upstream.sum says $sum" >&2; exit 1; }

mkdir -p "$1/upstream"
cp -r "$here/." "$1"
cp -r "$(value Dir)/." "$1/upstream"
chmod -R u+w "$1"
cd "$1/upstream"
rm -rf docs integration cmd internal script contrib
cd pkg
rm -rf plugins version middlewares/ingressnginx/snippet middlewares/auth/digest_auth.go middlewares/ratelimiter/{lua,redis_limiter}.go
rm -rf observability/metrics/{datadog,influxdb2,statsd}.go server/server_entrypoint_tcp_http3.go
rm -rf provider/{acme,consulcatalog,docker,ecs,kv,nomad,tailscale} provider/kubernetes/{crd,gateway,ingress-nginx,knative}
find . -name '*_test.go' -delete
cp -r "$here/trim/pkg/." .
