// Package chart has no code. Its tests hold charts/tenantry and config/ together: what both render, that a real API server
// takes it, that Helm installs, upgrades and uninstalls it as docs/install.md says, and that the operator can work with
// the rights that it gets. It is a module of its own because Helm brings more modules than all the rest.
package chart
