// Package advice says what each reason of a condition means and what to do about it. The table in reasons.go is generated from
// the comments of api/v1alpha1/conditions.go, as docs/troubleshooting.md is, so that a person who asks kubectl tenantry
// and one who reads the page are told the same.
package advice

// Advice is about one reason.
type Advice struct {
	// Meaning is a sentence on what is the case.
	Meaning string
	// Action is what a person can do; "" where nothing is to be done.
	Action string
}
