// Package credentials decides what is issued to the clients of a tenant, rotated, revoked and accepted, from the Secrets of the tenant as they are
// and from what its spec, annotations and status say. It reads and writes nothing: package controllers reads the Secrets, applies what was
// decided in the order that Decision says, and tells of it. Package token has the formats that the operator and the tenant's server share.
//
// A credential that is in a person's hands stays valid whatever becomes of the Secrets. A credential that ended is not accepted again, whoever puts
// it back.
package credentials
