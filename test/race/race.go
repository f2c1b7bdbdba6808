// Package race marks the tests that `make test` runs under the race detector.
//
// The detector makes code many times slower: SQLite, which is C translated to Go, takes thirteen times the processor time. A test
// with a single goroutine cannot show a race. So a package whose tests use Meets runs all of them without the detector, and then
// the marked ones under it. So do the tests of the operator on an API server, in which the operator's goroutines are always the same:
// those that go through all of them have the mark. A package without a mark runs everything under it, and `make test-race` does so everywhere.
// test/architecture fails where a test of a package with marks starts goroutines and has none.
package race

import "testing"

// Meets marks the calling test as one in which goroutines meet. hack/test/run.sh finds the call, so it stands in the body of the
// test function itself.
func Meets(testing.TB) {}
