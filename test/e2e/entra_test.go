package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// client is Entra's provisioning service in front of one of our servers, with a clock of its own.
type client struct {
	t       *testing.T
	now     time.Time
	company *company.Company
	service *entra.Service
}

func newClient(t *testing.T, p *process, c *company.Company, configure func(*job.Job)) *client {
	t.Helper()
	e := &client{t: t, company: c, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	j := job.Job{TenantURL: p.url + "/", SecretToken: p.token, Concurrency: 8}
	configure(&j)
	service, err := entra.New(j, entra.Options{Clock: func() time.Time { return e.now }})
	if err != nil {
		t.Fatal(err)
	}
	e.service = service
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return e
}

// cycle runs a cycle, 40 minutes after the one before, and compares the server with what Entra believes.
func (e *client) cycle() *entra.Report {
	e.t.Helper()
	e.now = e.now.Add(40 * time.Minute)
	report, err := e.service.RunCycle(e.t.Context(), e.company)
	if err != nil {
		e.t.Fatal(err)
	}
	if !report.OK() {
		e.t.Fatalf("the cycle failed in parts: %v\n%+v", report.Failed, report.Entries)
	}
	differences, err := e.service.Verify(e.t.Context(), e.company)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, d := range differences {
		e.t.Error(d)
	}
	if e.t.Failed() {
		e.t.FailNow()
	}
	return report
}

func TestACompanyLivesAtOurServerInBothDialects(t *testing.T) {
	for _, dialect := range []wire.Dialect{wire.Legacy, wire.Flagged} {
		t.Run(string(dialect), func(t *testing.T) {
			p := newTenant(t).start()
			c := company.Generate(company.Size{Seed: 7, Users: 150, Groups: 20})
			e := newClient(t, p, c, func(j *job.Job) {
				j.Dialect = dialect
				j.ReferenceChecks = dialect == wire.Flagged
				j.MembersPerRequest = map[wire.Dialect]int{wire.Legacy: 1, wire.Flagged: 3}[dialect]
			})
			if err := e.service.TestConnection(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := e.cycle(); r.Succeeded["User Create"] < 100 || r.Succeeded["Group Create"] != 20 {
				t.Fatalf("the initial cycle: %v", r.Succeeded)
			}
			did := map[string]int{}
			life := company.DefaultLife(7)
			for range 6 {
				e.now = e.now.Add(10 * 24 * time.Hour)
				life.Period(c, e.now)
				for what, n := range e.cycle().Succeeded {
					did[what] += n
				}
				if r := e.cycle(); r.Requests > 0 {
					t.Fatalf("nothing changed and Entra sent %d requests: it did not read back what it had sent\n%v", r.Requests, r.Entries)
				}
			}
			for _, what := range []string{
				"User Create", "User Update", "User Disable", "User StagedDelete", "User Delete", "Group Create", "Group Update", "Group Delete",
			} {
				if did[what] == 0 {
					t.Errorf("in all this life there was no %s: %v", what, did)
				}
			}

			// A full restart forgets every link: everybody is found again and nobody is created twice.
			e.service.Restart()
			if r := e.cycle(); r.Succeeded["User Create"] > 0 || r.Succeeded["Group Create"] > 0 {
				t.Errorf("after a restart of the job somebody was created again: %v", r.Succeeded)
			}
		})
	}
}

func TestEntraGoesOnAfterTheServerWasKilledInTheMiddleOfACycle(t *testing.T) {
	tenant := newTenant(t)
	p := tenant.start()
	c := company.Generate(company.Size{Seed: 5, Users: 300, Groups: 20})
	e := newClient(t, p, c, func(*job.Job) {})

	killed := make(chan struct{})
	go func() {
		defer close(killed)
		cut := time.NewTimer(700 * time.Millisecond)
		<-cut.C
		p.kill()
	}()
	if _, err := e.service.RunCycle(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	<-killed

	// The next server of the tenant has another port here; the job is told, its links stay.
	p = tenant.start()
	if err := e.service.Configure(job.Job{TenantURL: p.url, SecretToken: p.token, Concurrency: 8}); err != nil {
		t.Fatal(err)
	}
	e.now = e.now.Add(48 * time.Hour) // past the back-off, and past the first tries in quarantine
	for range 3 {
		if _, err := e.service.RunCycle(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		e.now = e.now.Add(48 * time.Hour)
	}
	e.cycle()
}

func TestAForeignTokenPutsTheJobIntoQuarantineAndChangesNothing(t *testing.T) {
	p := newTenant(t).start()
	foreign := newTenant(t)
	c := company.Generate(company.Size{Seed: 3, Users: 20, Groups: 2})
	e := newClient(t, p, c, func(j *job.Job) { j.SecretToken = foreign.token })
	if err := e.service.TestConnection(t.Context()); err == nil {
		t.Error("Test Connection succeeded with another tenant's token")
	}
	report, err := e.service.RunCycle(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Quarantine.Quarantined() {
		t.Errorf("the job is not in quarantine: %+v", report)
	}
	if total := p.mustSend("GET", "/Users", "", 200)["totalResults"]; total != 0.0 {
		t.Errorf("%v users came in with another tenant's token", fmt.Sprint(total))
	}
}
