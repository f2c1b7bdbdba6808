// Package controllers is the operator: it turns a ProvisioningTenant into a running SCIM server and says on both kinds
// how things stand.
//
// The decisions stand in rooms. A room takes values, returns what is to be done and told, and has no client and no clock. This package is the shell
// around them: it reads, asks them in the order of the reconcile, applies what they decided, and writes the status once, only if it changed. A
// settled tenant costs no request at all.
//
//	classes      what a class of tenants adds to a spec, and what it does not allow
//	storage      where a directory is, whose it is, and how it moves
//	hosts        who may have a host, and who holds it
//	exposure     which route leads to a server, and what was seen of it
//	credentials  what is issued, rotated, revoked and accepted
//	rollout      which server may restart, and why none of its pods serves
//	desired      what is in each object of a tenant
//
// The rooms do not know the shell, and its files refer one way: each to those that stand above it here, and to none below. Only the reconciler, whose
// methods the steps are, and its set-up refer to all.
//
//	what all stand on        options.go, kinds.go, optional_kind.go, pod_ids.go, cache.go, indexes.go, recent.go, events.go, metrics.go, health.go,
//	                         outcome.go, memory.go, scope.go
//	what several steps read  named_secrets.go, namespace_labels.go, again.go, cluster_ports.go, credentials_read.go, server_read.go
//	when nothing is done     operators.go, left_alone.go, terminating.go, urgent.go
//	the class                tenant_class.go, default_class.go
//	UserDefaults             userdefaults_accept.go
//	the directory            connections.go, claim.go, storage.go
//	the host and the route   gateway_class.go, gateway.go, routes.go, host_claim.go, ingress_class.go, resolve_exposure.go, resolve.go
//	the credentials          credentials_lookout.go, credentials_settled.go, credentials.go
//	all other objects        upgrade.go, children.go
//	how they are doing       cause.go, observe_storage.go, observe_route.go, observe.go
//	what goes                prune.go
//	the Entra tenant         verify_entra.go
//	the status               provisioningtenant_status.go
//	what asks all of them    triggers.go, provisioningtenant_controller.go, userdefaults_controller.go, crds.go, setup.go
package controllers
