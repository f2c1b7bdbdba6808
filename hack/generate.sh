#!/usr/bin/env bash
# Generates what follows from api/v1alpha1 and from the markers in controllers: deep copies, apply configurations, CRDs,
# the operator's ClusterRole, what the chart has of both, docs/api.md, and docs/troubleshooting.md with the table of the same for
# programs; and of the values of the chart its README. Run it after a change there; `make verify` fails if it was forgotten.
set -euo pipefail
cd "$(dirname "$0")/.."

tool() { go tool -modfile=hack/tools/go.mod "$@"; }

# Deep copies first: the others load the packages that need them.
tool controller-gen object paths=./api/v1alpha1
tool controller-gen applyconfiguration paths=./api/v1alpha1
tool controller-gen crd paths=./api/v1alpha1 output:crd:dir=config/crd/bases
go run ./hack/crds
tool controller-gen rbac:roleName=tenantry-operator paths=./controllers output:rbac:dir=config/rbac

mkdir -p docs
tool crd-ref-docs --log-level=ERROR --source-path=api/v1alpha1 --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=docs/api.md

# The chart carries the same CRDs, the same rules and the same policy. A chart cannot read files outside of its folder.
rm -rf charts/tenantry/files/crds
cp -r config/crd/bases charts/tenantry/files/crds
cp config/rbac/role.yaml charts/tenantry/files/role.yaml
cp config/admission/policy.yaml charts/tenantry/files/policy.yaml
go run ./hack/troubleshooting
go run ./hack/chart
