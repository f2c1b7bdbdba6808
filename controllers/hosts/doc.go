// Package hosts decides who holds a host: which hosts a tenant asks for and may claim, what the Lease of a host says and should say, and what a
// tenant is told that cannot have one. It reads and writes nothing: package controllers reads the Leases, the tenants that claim a host and the
// labels of their namespaces, and writes the Leases. Package exposure has what leads to a host.
//
// A host has one holder, and keeps it until the holder lets go or is gone, whatever rules allow later. Nothing that people can write in the namespace
// of a tenant takes a host from another: a route counts only where no Lease of the operator's says whose the host is. No message names another namespace.
package hosts
