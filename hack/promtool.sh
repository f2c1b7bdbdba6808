#!/usr/bin/env bash
# Prints the path of promtool, which runs the cases of the chart's alerts on the PromQL of Prometheus 2: that of the PATH, or that of
# Debian's package, unpacked into the cache. The package is not installed, because it would start a Prometheus.
set -euo pipefail

if command -v promtool; then exit; fi

cache=${TENANTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenantry}
tool=$cache/promtool
if [[ ! -x $tool ]]; then
	if ! command -v apt-get >/dev/null; then
		echo "promtool is not installed; on Debian it comes with the package prometheus" >&2
		exit 1
	fi
	mkdir -p "$cache"
	fresh=$(mktemp -d "$cache/promtool-fresh.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	(
		cd "$fresh"
		get() { apt-get download -qq -o APT::Sandbox::User=root prometheus >&2; }
		get || { apt-get update -qq >&2 && get; }
		dpkg-deb --extract prometheus_*.deb .
	)
	mv "$fresh/usr/bin/promtool" "$tool"
fi
echo "$tool"
