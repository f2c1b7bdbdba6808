#!/usr/bin/env bash
# Installs Debian packages where a program of theirs is missing, as in: hack/debian.sh PROGRAM [PACKAGE...]
# Without a package it is the one that is named as the program.
set -euo pipefail
program=$1
packages=("${@:2}")
((${#packages[@]} > 0)) || packages=("$program")

if command -v "$program" >/dev/null; then exit; fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "$program is not installed; on Debian it comes with: apt-get install ${packages[*]}" >&2
	exit 1
fi
echo "installing ${packages[*]}" >&2
apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
