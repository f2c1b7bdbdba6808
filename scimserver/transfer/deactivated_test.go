package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/scimserver/store"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// left is an export with one user, who was changed last at noon.
func left(user string) string {
	const head = `{"directory":{"format":1}}`
	lines := head + "\n" + `{"user":{"id":"01926e6f-6f2c-7000-8000-000000000001","version":3,` +
		`"created":"2026-11-25T06:00:00Z","modified":"2026-11-25T12:00:00Z",` + user + `}}` + "\n"
	return lines + fmt.Sprintf(`{"end":{"users":1,"groups":0,"memberships":0,"entries":0,"sha256":"%x"}}`, sha256.Sum256([]byte(lines))) + "\n"
}

func TestSinceWhenAUserIsInactiveIsKeptByAnExport(t *testing.T) {
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		file string
		want time.Time
	}{
		"inactive since before the last change": {
			left(`"deactivated":"2026-11-25T09:00:00Z","document":{"active":false,"userName":"a"}`), noon.Add(-3 * time.Hour)},
		"inactive since the last change, or from an older version": {left(`"document":{"active":false,"userName":"a"}`), noon},
		"active": {left(`"document":{"active":true,"userName":"a"}`), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			to := open(t, t.TempDir())
			if _, err := transfer.Import(t.Context(), to, of(to), strings.NewReader(c.file)); err != nil {
				t.Fatal(err)
			}
			page, err := to.Find(t.Context(), store.Query{Kind: store.User, Limit: 2})
			if err != nil || len(page.Records) != 1 || !page.Records[0].Deactivated.Equal(c.want) {
				t.Errorf("got %+v, want one user who is inactive since %v (%v)", page.Records, c.want, err)
			}
			if again := exported(t, to, transfer.Options{}); !bytes.Equal(again, []byte(c.file)) {
				t.Errorf("exported again it is\n%s\nwant\n%s", again, c.file)
			}
		})
	}
	into := open(t, t.TempDir())
	file := left(`"deactivated":"2026-11-25T09:00:00Z","document":{"active":true,"userName":"a"}`)
	const want = "line 2: this is no whole export: User 01926e6f-6f2c-7000-8000-000000000001: it has a time of deactivation and is active"
	if _, err := transfer.Import(t.Context(), into, of(into), strings.NewReader(file)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	empty(t, into)
}
