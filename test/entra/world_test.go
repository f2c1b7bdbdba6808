package entra_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/internal/fakescim"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "secret-token"

// world is a company, a job, a server, and a clock that stands until it is moved.
type world struct {
	t       *testing.T
	now     time.Time
	company *company.Company
	server  *fakescim.Server
	http    *httptest.Server
	job     job.Job
	service *entra.Service
}

func newWorld(t *testing.T, c *company.Company, configure ...func(*job.Job)) *world {
	t.Helper()
	w := &world{
		t: t, company: c, server: fakescim.New(token), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
	}
	w.http = httptest.NewServer(w.server)
	client := w.http.Client()
	client.Timeout = 10 * time.Second
	t.Cleanup(w.http.Close)
	w.job = job.Job{TenantURL: w.http.URL + "/scim/", SecretToken: token}
	for _, f := range configure {
		f(&w.job)
	}
	s, err := entra.New(w.job, entra.Options{HTTP: client, Clock: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.service = s
	return w
}

// small is a company of three: Ada leads, Bo and Cy report to her, all are in the team.
func small() *company.Company {
	user := func(id, name, manager string) *company.User {
		u := &company.User{
			ObjectID: id, MailNickname: name, UserPrincipalName: name + "@contoso.test", Mail: name + "@contoso.test",
			DisplayName: name + " Example", GivenName: name, Surname: "Example", Manager: manager, AccountEnabled: true,
			Department: "Finance",
		}
		u.Set("customFieldText1", "CC-1")
		return u
	}
	return &company.Company{
		Name: "Contoso", Domains: []string{"contoso.test"},
		Users:  []*company.User{user("o-ada", "ada", ""), user("o-bo", "bo", "o-ada"), user("o-cy", "cy", "o-ada")},
		Groups: []*company.Group{{ObjectID: "o-team", DisplayName: "Team", Members: []string{"o-ada", "o-bo", "o-cy"}}},
	}
}

// cycle runs one cycle, 40 minutes after the one before.
func (w *world) cycle() *entra.Report {
	w.t.Helper()
	w.now = w.now.Add(40 * time.Minute)
	r, err := w.service.RunCycle(context.Background(), w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) cycleOK() *entra.Report {
	w.t.Helper()
	r := w.cycle()
	if !r.OK() {
		w.t.Fatalf("the cycle did not go well: %+v", r)
	}
	return r
}

func (w *world) verify() []entra.Difference {
	w.t.Helper()
	d, err := w.service.Verify(context.Background(), w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) verifyOK() {
	w.t.Helper()
	if d := w.verify(); len(d) > 0 {
		w.t.Fatalf("%d differences, the first: %v", len(d), d[0])
	}
}

// at returns what the server holds for an object of the company, or nil.
func (w *world) at(objectID string) wire.Resource {
	w.t.Helper()
	var found wire.Resource
	w.server.Edit(func(users, groups map[string]fakescim.Object) {
		if l := w.service.State().Users[objectID]; l != nil {
			found = users[l.ID]
		}
		if l := w.service.State().Groups[objectID]; l != nil {
			found = groups[l.ID]
		}
	})
	return found
}

func (w *world) count() (users, groups int) {
	w.server.Edit(func(u, g map[string]fakescim.Object) { users, groups = len(u), len(g) })
	return users, groups
}

func answer(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/scim+json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"injected"}`))
	}
}
