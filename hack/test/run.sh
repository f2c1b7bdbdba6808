#!/usr/bin/env bash
# Runs Go tests as `make test` does: hack/test/run.sh "PACKAGES" [FLAG...]. Every test runs, and those in which goroutines meet run
# under the race detector. In packages whose tests have marks (test/race says why) these are the marked ones, and all that
# use PostgreSQL through testenv.Engines; in other packages it is every test.
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

if ((${#others[@]} > 0)); then run -race "$@" "${others[@]}"; fi
if ((${#marked[@]} > 0)); then
	tests=$(for folder in "${marked[@]}"; do cat "$folder"/*_test.go; done |
		awk '/^func Test/ {split($2, name, "(")} /race\.Meets\(t\)/ {print name[1]}' | sort -u | paste -sd '|')
	TENANTRY_TEST_ENGINES=sqlite run "$@" "${marked[@]}"
	TENANTRY_TEST_ENGINES=sqlite run -race -run "^($tests)\$" "$@" "${marked[@]}"
fi
if ((${#both[@]} > 0)); then TENANTRY_TEST_ENGINES=postgres run -race "$@" "${both[@]}"; fi
