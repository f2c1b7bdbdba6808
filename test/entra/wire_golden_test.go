package entra_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

var updateGolden = flag.Bool("update", false, "write the golden files")

var guid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// The golden files are to be read beside Microsoft's published samples: each request whole, in order, with its headers.
func TestEveryRequestHasTheShapeThatEntraSends(t *testing.T) {
	for _, dialect := range []wire.Dialect{wire.Legacy, wire.Flagged} {
		t.Run(string(dialect), func(t *testing.T) {
			w := newWorld(t, small(), func(j *job.Job) {
				j.Dialect, j.Concurrency, j.ReferenceChecks = dialect, 1, true
			})
			var story bytes.Buffer
			chapter := func(title string) { fmt.Fprintf(&story, "\n### %s\n", title) }
			w.server.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
				record(t, &story, r)
				return false
			}
			user := w.company.User("o-bo")

			chapter("Test Connection")
			if err := w.service.TestConnection(context.Background()); err != nil {
				t.Fatal(err)
			}
			chapter("Initial cycle: match, create, managers, groups, memberships")
			w.cycleOK()
			chapter("Nothing changed")
			w.cycleOK()

			chapter("One attribute is changed, another set for the first time")
			user.Department = "Legal"
			user.Set("customFieldText2", `"quoted" <text> \ & more`)
			w.cycleOK()
			chapter("Renamed: a new userPrincipalName, and everything that follows from it")
			user.MailNickname, user.Surname, user.DisplayName = "bo.new", "Ny", "bo Ny"
			user.UserPrincipalName, user.Mail = "bo+new@contoso.test", "bo+new@contoso.test"
			w.cycleOK()
			chapter("Disabled")
			user.AccountEnabled = false
			w.cycleOK()
			chapter("Enabled")
			user.AccountEnabled = true
			w.cycleOK()
			chapter("Manager changed, manager taken away")
			user.Manager = "o-cy"
			w.company.User("o-cy").Manager = ""
			w.cycleOK()
			chapter("Out of the group and into a new one, which is nested in the old")
			w.company.Groups[0].Members = []string{"o-ada", "o-cy", "o-new"}
			w.company.Groups = append(w.company.Groups,
				&company.Group{ObjectID: "o-new", DisplayName: `Buyers "EU"`, Members: []string{"o-bo"}})
			w.cycleOK()
			chapter("Group renamed")
			w.company.Groups[0].DisplayName = "Team Göteborg"
			w.cycleOK()
			chapter("Group dissolved")
			w.company.Groups = w.company.Groups[:1]
			w.company.Groups[0].Members = w.company.Groups[0].Members[:2]
			w.cycleOK()
			chapter("Soft-deleted")
			user.DeletedAt = w.now
			w.cycleOK()
			chapter("Restored")
			user.DeletedAt = time.Time{}
			w.cycleOK()
			chapter("Soft-deleted again, and purged 30 days later")
			user.DeletedAt = w.now
			w.cycleOK()
			w.now = w.now.Add(company.Retention)
			w.cycleOK()
			chapter("On demand, which is always legacy")
			w.company.User("o-cy").JobTitle = "Lead"
			if r, err := w.service.ProvisionOnDemand(context.Background(), w.company, "o-cy"); err != nil || !r.OK() {
				t.Fatal(err, r)
			}

			golden(t, "story."+string(dialect)+".golden", guid.ReplaceAll(story.Bytes(), []byte("<guid>")))
		})
	}
}

func record(t *testing.T, to io.Writer, r *http.Request) {
	t.Helper()
	fmt.Fprintf(to, "\n%s %s\n", r.Method, r.RequestURI)
	for _, name := range []string{"User-Agent", "Accept", "Content-Type", "Authorization"} {
		if v, ok := r.Header[name]; ok {
			fmt.Fprintf(to, "%s: %s\n", name, strings.Join(v, ", "))
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) > 0 {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(to, "%s\n", &pretty)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was sent; run with -update and read the difference", path)
		gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("line %d\n got %s\nwant %s", i+1, gotLines[i], wantLines[i])
			}
		}
	}
}
