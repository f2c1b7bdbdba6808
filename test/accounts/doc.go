// Package accounts tests that a tenant's server takes the tokens of a real kube-apiserver for readers, with no more rights than the operator
// gives the server.
package accounts
