// Package exposure decides how clients come to a tenant's server: which route leads to the tenant's host, which one stays until that works, what its
// controllers say of it, and which Tenant URLs are published. It reads and writes nothing and has no clock: package controllers reads the routes and
// the Gateways, applies the route that package desired builds, and deletes those that are to go. Package hosts has whose a host is.
//
//   - A Tenant URL is published once all that it needs was seen to work, and stays while a route leads to it: clients hold it, whatever the spec says.
//   - A route that is to be elsewhere, of another kind, class or on other Gateways, is another object. The one before stays until the new one works,
//     and then goes.
//   - A route for a host that is another tenant's goes at once.
//   - Nothing is made for a tenant before it has a host, and a tenant that has lost its host keeps its server.
package exposure
