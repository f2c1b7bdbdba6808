package entra_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/internal/fakescim"
	"github.com/tenantry/tenantry/test/entra/quarantine"
)

func TestWhatLeadsToQuarantineAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		intercept func(http.ResponseWriter, *http.Request) bool
		want      quarantine.Reason
	}{
		"401 on a look-up":      {on("GET", "/scim/Users", answer(401)), quarantine.InvalidCredentials},
		"401 on a create":       {on("POST", "/scim/Users", answer(401)), quarantine.InvalidCredentials},
		"404 for no hit":        {on("GET", "/scim/Users", answer(404)), quarantine.EndpointNotFound},
		"404 for the groups":    {on("GET", "/scim/Groups", answer(404)), quarantine.EndpointNotFound},
		"nobody there":          {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, quarantine.EndpointUnreachable},
		"overload is no reason": {func(w http.ResponseWriter, _ *http.Request) bool { answer(429)(w); return true }, ""},
		"nor is a bad hour":     {func(w http.ResponseWriter, _ *http.Request) bool { answer(503)(w); return true }, ""},
		"nor a failing object":  {on("POST", "/scim/Users", answer(400)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, small())
			w.server.Intercept = tt.intercept
			if r := w.cycle(); r.Quarantine.Reason != tt.want || r.OK() {
				t.Fatalf("%+v, failed %v", r.Quarantine, r.Failed)
			}
		})
	}
}

func TestAQuarantinedJobIsTriedEverMoreRarelyAndRecovers(t *testing.T) {
	w := newWorld(t, small())
	w.server.Token = "another token"
	began := w.now.Add(40 * time.Minute)
	var tries []time.Duration
	for w.now.Sub(began) < 4*24*time.Hour {
		if r := w.cycle(); !r.NotDue {
			tries = append(tries, w.now.Sub(began).Round(time.Hour))
		} else if r.Requests > 0 {
			t.Fatal("requests were sent before the next try was due")
		}
	}
	want := []time.Duration{0, 6 * time.Hour, 18 * time.Hour, 42 * time.Hour, 66 * time.Hour, 90 * time.Hour}
	if len(tries) != len(want) {
		t.Fatalf("tried after %v", tries)
	}
	for i := range want {
		if tries[i] != want[i] {
			t.Fatalf("tried after %v, want %v", tries, want)
		}
	}
	w.server.Set(func(s *fakescim.Server) { s.Token = token })
	w.now = w.now.Add(24 * time.Hour)
	w.cycleOK()
	w.verifyOK()
}

func TestAJobIsDisabledAfter28DaysUntilItIsRestarted(t *testing.T) {
	w := newWorld(t, small())
	w.server.Token = "another token"
	w.cycle()
	w.now = w.now.Add(28 * 24 * time.Hour)
	w.server.Set(func(s *fakescim.Server) { s.Token = token })
	if r := w.cycle(); !r.NotDue || !r.Quarantine.Disabled {
		t.Fatalf("%+v", r.Quarantine)
	}
	w.service.Restart()
	w.cycleOK()
	w.verifyOK()
}

// A token that dies in the middle stops the cycle there: the rest of a large company is not tried with it.
func TestAGivenUpCycleStopsSendingAndIsTakenUpAgain(t *testing.T) {
	w := newWorld(t, company.Generate(company.Size{Seed: 2, Users: 300, Groups: 5}))
	sent := make(chan struct{}, 10_000)
	w.server.Intercept = func(rw http.ResponseWriter, _ *http.Request) bool {
		sent <- struct{}{}
		if len(sent) > 100 {
			answer(401)(rw)
			return true
		}
		return false
	}
	if r := w.cycle(); r.Quarantine.Reason != quarantine.InvalidCredentials || r.Requests > 120 {
		t.Fatalf("%+v after %d requests", r.Quarantine, r.Requests)
	}
	if w.service.State().Cycles != 0 {
		t.Fatal("the cycle counts as completed")
	}
	for range len(sent) {
		<-sent
	}
	for range 3 { // 100 requests each, then the token fails again
		w.now = w.now.Add(24 * time.Hour)
		w.cycle()
		for range len(sent) {
			<-sent
		}
	}
	if got := len(w.service.State().Users); got < 150 {
		t.Fatalf("%d users are linked: a cycle does not go on where the one before stopped", got)
	}
}
