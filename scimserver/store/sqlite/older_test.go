package sqlite_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/store/storetest"
)

// A server of the version before may come back for a while, and writes users without knowing of their time of deactivation.
func TestWhatAnOlderServerWritesMakesNobodyInactiveForLonger(t *testing.T) {
	s := open(t, t.TempDir())
	storetest.OlderServerWrites(t, s, func(statement string) {
		if err := s.Exec(statement); err != nil {
			t.Fatal(err)
		}
	})
}
