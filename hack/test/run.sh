#!/usr/bin/env bash
# Runs Go tests as `make test` does: hack/test/run.sh "PACKAGES" [FLAG...]. Every test runs, and those in which goroutines meet run
# under the race detector: in packages whose tests have marks (test/race says why) the marked ones, in other packages every test.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=$1
shift

run() { go tool -modfile=hack/verify/go.mod gotestsum --format standard-quiet -- -vet=off -timeout 20m "$@"; }

# with TEXT: those of the packages whose tests have the text.
with() { comm -12 <(printf '%s\n' "${all[@]}") <(grep -rlF --include='*_test.go' "$1" . | xargs -r -n 1 dirname | sort -u); }

mapfile -t all < <(xargs go list -f '{{.Dir}}' <<<"$packages" | sed "s#^$PWD#.#" | sort -u)
((${#all[@]} > 0)) || { echo "no package is named $packages" >&2; exit 1; }
mapfile -t marked < <(with 'race.Meets(t)')
mapfile -t both < <(with 'testenv.Engines()')
mapfile -t others < <(comm -23 <(printf '%s\n' "${all[@]}") <(printf '%s\n' "${marked[@]}"))

# The passes run side by side, because those on PostgreSQL and on the API server mostly wait. Each prints when it has ended.
logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$logs"' EXIT

under_the_detector() { ((${#others[@]} == 0)) || run -race "$@" "${others[@]}"; }

# twice PACKAGE... -- FLAG...: their tests without the detector, and the marked ones under it. There the detector of mutations in caches
# would take most of the time, and the run before had it.
twice() {
	local folder folders=() tests
	while [[ $1 != -- ]]; do folders+=("$1"); shift; done
	shift
	((${#folders[@]} > 0)) || return 0
	tests=$(for folder in "${folders[@]}"; do cat "$folder"/*_test.go; done |
		awk '/^func Test/ {split($2, name, "(")} /race\.Meets\(t\)/ {print name[1]}' | sort -u | paste -sd '|')
	run "$@" "${folders[@]}"
	KUBE_CACHE_MUTATION_DETECTOR=false run -race -run "^($tests)\$" "$@" "${folders[@]}"
}

on_sqlite() { TENANTRY_TEST_ENGINES=sqlite twice "${marked[@]}" -- "$@"; }
on_postgres() { TENANTRY_TEST_ENGINES=postgres twice "${both[@]}" -- "$@"; }

passes=(under_the_detector on_sqlite on_postgres)
for pass in "${passes[@]}"; do
	(set -e; "$pass" "$@") >"$logs/$pass" 2>&1 &
	echo $! >"$logs/$pass.pid"
done
failed=0
for pass in "${passes[@]}"; do
	wait "$(cat "$logs/$pass.pid")" || failed=1
	cat "$logs/$pass"
done
exit $failed
