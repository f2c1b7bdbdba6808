// Package scim has no code of its own. Its tests treat the SCIM server as a black box: they know HTTP, the RFCs and what
// Microsoft Entra ID was seen to do, and nothing of how the server is built.
//
// The cases are conversations in testdata/*.md, a request and the exact answer each, in the notation of package
// transcript. The examples of docs/scim.md are run in the same way, so they cannot drift. Each case is named after the
// facts that it shows; README.md lists the facts and which cases show them, and a test keeps that list complete. What a
// conversation cannot show stands in Go: parallel clients, and a random client that is compared with a model.
package scim
