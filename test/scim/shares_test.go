package scim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/admin"
	"github.com/tenantry/tenantry/scimserver/protocol"
	"github.com/tenantry/tenantry/scimserver/share"
)

// TestTheHandbookListsEveryShare compares its table with how the pools are divided.
func TestTheHandbookListsEveryShare(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readText(t, "../../docs/operating.md"), "\n## Shares\n")
	section, _, _ = strings.Cut(section, "\n## ")
	mebibytes := func(n int64) string {
		if n == 0 {
			return "0"
		}
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, pool := range []struct {
		name string
		share.Division
		unit func(int64) string
	}{
		{"requests that are worked on at once", protocol.Places(), number},
		{"bytes of bodies above 64 KiB", protocol.LargeBodies(), mebibytes},
		{"bytes in hand for answers above 64 KiB", protocol.Answers(), mebibytes},
		{"requests that wait for a change", protocol.Waiting(), number},
		{"followers of the log", admin.Followers(), number},
		{"queries of the log", admin.Queries(), number},
		{"exports, and imports", admin.Transfers(), number},
	} {
		of := func(s share.Share) string { return pool.unit(s.Each) + ", " + pool.unit(s.Together) }
		if row := fmt.Sprintf("\n| %s | %s | %s | %s | %s | %s | %s |\n", pool.name, pool.unit(pool.Size), of(pool.Provisioners), of(pool.Readers),
			of(pool.People), pool.unit(pool.Strangers), pool.unit(pool.Reserve())); !strings.Contains(section, row) {
			t.Errorf("the handbook lacks the row%s", row)
		}
	}
}
