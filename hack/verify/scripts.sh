#!/usr/bin/env bash
# Checks every shell script: it parses, stops at the first error, can be executed, and passes shellcheck where that is
# installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard |
	while read -r file; do
		if [[ -f $file && $(head -n 1 "$file" | tr -d '\0') =~ ^#!.*(ba)?sh$ ]]; then echo "$file"; fi
	done)

failed=0
for script in "${scripts[@]}"; do
	bash -n "$script" || failed=1
	[[ -x $script ]] || { echo "$script: is not executable" >&2; failed=1; }
	grep -q '^set -e' "$script" || { echo "$script: says no 'set -euo pipefail'" >&2; failed=1; }
done
if command -v shellcheck >/dev/null; then
	# SC2154: it cannot follow the settings that the scripts of a folder read.
	shellcheck --severity=warning --exclude=SC2154 "${scripts[@]}" || failed=1
else
	echo "shellcheck is not installed: scripts were only parsed" >&2
fi
echo "${#scripts[@]} scripts checked"
exit "$failed"
