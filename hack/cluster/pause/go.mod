module github.com/tenantry/tenantry/hack/cluster/pause

go 1.26.0
