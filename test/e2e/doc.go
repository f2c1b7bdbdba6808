// Package e2e tests the whole as its users have it: the built server as a process, and a client that behaves like
// Microsoft Entra ID in front of it.
package e2e
