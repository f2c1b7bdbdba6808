# What people and CI run; `make help` lists it. Nothing is kept in the work tree but bin/ and .run/: what takes long to
# build is kept in $(TENANTRY_CACHE).

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules --no-print-directory

export TENANTRY_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tenantry

# The tools are pinned in hack/verify/go.mod; Go builds each once and keeps it in its build cache.
tool := go tool -modfile=hack/verify/go.mod

# Versions of Kubernetes beside ours on which make test-versions runs the operator's tests.
VERSIONS   ?= v1.34.4 v1.31.14

# What people may set, as in: make test PACKAGES=./controllers/... TESTFLAGS='-run Rights -v'
PACKAGES   ?= ./...
TESTFLAGS  ?=
FUZZTIME   ?= 20s
BENCHTIME  ?= 1s
BENCHFLAGS ?=
SCALEFLAGS ?=
PROXIESFLAGS ?=
ROWS         ?=
LENGTH       ?= 3m

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try it

.PHONY: run
run: ## The SCIM server on config/samples, without a cluster, in seconds
	go run ./cmd/scimserver --manifests config/samples --tenant contoso --data .run/data --log-format text

.PHONY: demo
demo: ## The whole story on a cluster of its own; stays until Ctrl-C
	hack/demo/demo.sh

.PHONY: demo-check
demo-check: ## The same without waiting, with a bad day, an upgrade and an uninstall; fails if anything ends differently
	hack/demo/demo.sh --check

##@ Work on it

.PHONY: generate
generate: ## Write generated code, CRDs, RBAC, the API reference and what to do about each reason
	hack/generate.sh

.PHONY: test-unit
test-unit: ## The tests that need no cluster binaries; starts a PostgreSQL
	hack/postgres/run hack/test/run.sh "$$(go list -test -f '{{.ImportPath}} {{.Deps}}' $(PACKAGES) | \
		grep '\.test ' | grep -v controller-runtime/pkg/envtest | sed 's/\.test .*//')" $(TESTFLAGS)

# The charts' tests run Helm and none of our code, so they do without the race detector. That of mutations panics where anybody
# changes what a cache holds: the operator reads from its own without copies.
cluster_test = assets=$$(hack/cluster/build.sh envtest | tail -n 1); \
	KUBE_CACHE_MUTATION_DETECTOR=true KUBEBUILDER_ASSETS=$$assets hack/postgres/run

.PHONY: test
test: ## All tests; builds etcd and kube-apiserver first if need be, and starts a PostgreSQL
	go -C hack/image test -race ./...
	assets=$$(hack/cluster/build.sh envtest | tail -n 1); promtool=$$(hack/promtool.sh); \
		KUBEBUILDER_ASSETS=$$assets PROMTOOL=$$promtool go -C test/chart test ./...
	$(cluster_test) hack/test/run.sh "$(PACKAGES)" $(TESTFLAGS)

.PHONY: test-race
test-race: ## All Go tests, each under the race detector, for as long as that takes
	$(cluster_test) $(tool) gotestsum --format standard-quiet -- -race -timeout 60m $(TESTFLAGS) $(PACKAGES)

# One test asks for MutatingAdmissionPolicies, which the older versions do not have.
.PHONY: test-versions
test-versions: ## The operator's tests on the API servers of older VERSIONS of Kubernetes too, each of which takes ten minutes to build
	for version in $(VERSIONS); do \
		assets=$$(hack/cluster/apiserver.sh $$version | tail -n 1); \
		echo "Kubernetes $$version"; \
		KUBEBUILDER_ASSETS=$$assets hack/postgres/run go test -count=1 ./controllers/clustertest -skip TestWhatAdmissionChangesCostsNoWrite $(TESTFLAGS); \
	done

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (20s) each
	hack/postgres/run hack/test/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## The built server against its budgets, as ratios in one run for each engine
	go run ./test/bench $(BENCHFLAGS)
	hack/postgres/run sh -c 'go run ./test/bench -database "$$TENANTRY_TEST_POSTGRES_URL" $(BENCHFLAGS)'

.PHONY: scale
scale: ## What the operator costs with 100, 1,000 and 2,000 tenants, against its ceilings
	KUBEBUILDER_ASSETS="$$(hack/cluster/build.sh envtest | tail -n 1)" go run ./test/scale $(SCALEFLAGS)

.PHONY: proxies
proxies: ## The recipes of docs/exposure.md before real proxies, as a table (Debian, root); PROXIESFLAGS='-only nginx'
	go run ./test/proxies $(PROXIESFLAGS)

.PHONY: test-poolers
test-poolers: ## The server on PostgreSQL behind poolers, over fail-overs and on bad days, as a table (Debian, root, npm); ROWS=failover
	go run ./test/poolers -rows '$(ROWS)'

.PHONY: test-gitops
test-gitops: ## What Argo CD and Flux take a tenant's objects for, by their own libraries, which take minutes to compile
	assets=$$(hack/cluster/build.sh envtest | tail -n 1); KUBEBUILDER_ASSETS=$$assets go -C test/gitops test ./...

.PHONY: test-applications
test-applications: ## The clients of docs/applications follow a directory for LENGTH (3m) on each engine, while they and the server are killed
	hack/postgres/run go test ./test/e2e -run ApplicationsFollow -count 1 -timeout 60m -v -args -applications-for $(LENGTH)

.PHONY: attack
attack: ## Every known attack on a tenant at once, on each engine, beside a provisioning cycle; make test does it on SQLite
	hack/postgres/run go test ./test/e2e -run UnderEveryAttackAtOnce -count 1 -v -args -every-engine

.PHONY: microbench
microbench: ## Every Go benchmark for BENCHTIME (1s) each
	hack/postgres/run go test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem -timeout 30m $(TESTFLAGS) \
		$$(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n 1 dirname | sort -u)

.PHONY: plugin
plugin: ## kubectl tenantry, and its completion in the shell, in bin/: put both on the PATH
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X github.com/tenantry/tenantry/internal/version.release=$(TENANTRY_VERSION)' -o bin/ ./cmd/kubectl-tenantry
	install -m 0755 plugin/kubectl_complete-tenantry bin/

.PHONY: plugin-release
plugin-release: ## Archives of it for each platform, and its manifest for krew, in bin/plugin; TENANTRY_VERSION is the release
	hack/plugin.sh bin/plugin

.PHONY: images
images: ## Both container images for amd64 and arm64 with SBOMs, as OCI layouts in bin/, without a Docker daemon
	hack/images.sh bin

.PHONY: clean
clean: ## Remove what was built in the work tree; the cache stays
	rm -rf bin .run coverage.out

##@ Check it

.PHONY: verify
verify: lint verify-generated verify-compatibility verify-modules verify-scripts verify-openapi verify-images verify-licenses verify-vulnerabilities ## Everything below

.PHONY: lint
lint: ## Format, vet and lint; the rules are in .golangci.yml
	@test -z "$$(gofmt -l .)" || { echo "not formatted, run gofmt -w on:"; gofmt -l .; exit 1; }
	GOLANGCI_LINT_CACHE=$(TENANTRY_CACHE)/golangci-lint $(tool) golangci-lint run ./...

.PHONY: verify-generated
verify-generated: ## What `make generate` writes is what stands here
	hack/verify/generated.sh

.PHONY: verify-compatibility
verify-compatibility: ## The CRDs, and what the operator asks of servers, break nobody who relies on the last release
	go run ./hack/compatibility config/crd/released config/crd/bases
	go run ./hack/skew -released config/servers/released.yaml

.PHONY: freeze
freeze: verify-compatibility ## Keep them for that comparison as they are now: each release does, and commits what it kept
	rm -rf config/crd/released
	cp -r config/crd/bases config/crd/released
	go run ./hack/skew >config/servers/released.yaml.new
	mv config/servers/released.yaml.new config/servers/released.yaml

.PHONY: verify-modules
verify-modules: ## go.mod and go.sum are tidy
	go mod tidy -diff
	for module in hack/tools hack/verify hack/image test/chart test/gitops; do go -C $$module mod tidy -diff; done

.PHONY: verify-scripts
verify-scripts: ## Shell scripts parse, and shellcheck agrees where it is installed
	hack/verify/scripts.sh

.PHONY: verify-openapi
verify-openapi: ## A linter agrees with the OpenAPI documents, and TypeScript with the types made of them
	hack/verify/openapi.sh

.PHONY: verify-images
verify-images: ## Two builds of the images have the same digest
	hack/verify/images.sh

.PHONY: verify-licenses
verify-licenses: ## What the programs link has a licence we can ship
	hack/verify/licenses.sh

.PHONY: verify-vulnerabilities
verify-vulnerabilities: ## No known vulnerability is reached; VULNDB names another database
	hack/verify/vulnerabilities.sh

##@ A cluster of your own (Linux, root)

.PHONY: cluster-up
cluster-up: ## Start a one-node cluster in namespaces of its own
	hack/cluster/up

.PHONY: cluster-down
cluster-down: ## End it; nothing stays behind
	hack/cluster/down

.PHONY: kubeconfig
kubeconfig: ## Print the path of its kubeconfig
	@hack/cluster/kubeconfig
