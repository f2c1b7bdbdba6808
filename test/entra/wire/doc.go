// Package wire is what the Entra provisioning service puts on the wire and how it judges the answer: the Tenant URL as
// it is pasted, create bodies, PATCH operations in both dialects, look-ups, and a client that sends them with Entra's
// headers. It knows nothing of companies or cycles.
//
// The shapes are those of Microsoft's published samples ("SCIM protocol compliance of the Microsoft Entra provisioning
// service" and "Develop a SCIM endpoint"), where these are silent those seen in the field.
package wire
