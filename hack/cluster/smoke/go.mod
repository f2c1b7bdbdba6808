module github.com/tenantry/tenantry/hack/cluster/smoke

go 1.26.0
