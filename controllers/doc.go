// Package controllers is the operator: it turns a ProvisioningTenant into a running SCIM server and says on both kinds
// how things stand.
//
// A reconcile looks at the world once, builds what should be with the pure functions of package desired, applies and
// prunes it, and writes the status once, only if it changed. There is one file a step. A settled tenant costs no
// request at all.
package controllers
