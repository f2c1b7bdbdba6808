// Package classes decides what a class makes of a tenant: which class a tenant is of, what holds where the tenant says nothing, and whether what it
// asks for is within the bounds of the class. It reads and writes nothing: package controllers reads the classes, and remembers on the tenant's
// ServiceAccount what was decided last.
//
// A tenant that runs goes on with what was decided last whenever no decision can be made or what it asks for is out of bounds. So no class that is
// deleted, tightened or mistaken takes a server away, and nobody gets by an edit what a class does not allow.
package classes
