// Package gitops has no code. Its tests hold what docs/gitops.md says against the libraries of Argo CD and Flux, on a real API server:
// what they take for their own, what they delete, what they find different from Git, and when they think that a tenant is there.
package gitops
