package entra_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/internal/fakescim"
	"github.com/tenantry/tenantry/test/entra/job"
	"github.com/tenantry/tenantry/test/entra/quarantine"
	"github.com/tenantry/tenantry/test/entra/wire"
)

// on answers every request with the method and, if given, the path prefix in its own way.
func on(method, prefix string, do func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasPrefix(r.URL.Path, prefix) {
			return false
		}
		do(w)
		return true
	}
}

func body(status int, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

const emptyList = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":`

func TestTestConnectionWantsAnEmptyList(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter)
		code   wire.Code
	}{
		"empty list":          {body(200, emptyList+`0,"Resources":[],"startIndex":1,"itemsPerPage":0}`), ""},
		"wrong token":         {answer(401), wire.InvalidCredentials},
		"404 for no hit":      {answer(404), wire.ServiceIncompatible},
		"null for no hit":     {body(200, emptyList+`0,"Resources":null}`), wire.ServiceIncompatible},
		"HTML":                {body(200, `<html>sign in</html>`), wire.ServiceIncompatible},
		"a web firewall":      {body(403, `<html>blocked</html>`), wire.InsufficientRights},
		"no ListResponse":     {body(200, `{"Resources":[]}`), wire.ServiceIncompatible},
		"two for one look-up": {body(200, emptyList+`2,"Resources":[{"id":"1"},{"id":"2"}]}`), wire.MultipleEntries},
		"a server error":      {answer(503), wire.InternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, small())
			w.server.Intercept = on("GET", "/scim/Users", tt.answer)
			err := w.service.TestConnection(context.Background())
			var failure *wire.Error
			if errors.As(err, &failure); tt.code == "" && err != nil || tt.code != "" && (failure == nil || failure.Code != tt.code) {
				t.Fatalf("got %v, want code %q", err, tt.code)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Fatal("the error holds the token")
			}
		})
	}
}

func TestADisabledUserIsNotCreated(t *testing.T) {
	w := newWorld(t, small())
	w.company.User("o-cy").AccountEnabled = false
	r := w.cycleOK()
	if users, _ := w.count(); users != 2 || r.SkippedObjects != 1 {
		t.Fatalf("%d users, %d skipped", users, r.SkippedObjects)
	}
	w.verifyOK()
	w.company.User("o-cy").AccountEnabled = true
	w.cycleOK()
	w.verifyOK()
	if got := w.at("o-team").Members(); len(got) != 3 {
		t.Fatalf("the team has %v", got)
	}
}

func TestAnExistingUserIsAdoptedByItsMatchingAttribute(t *testing.T) {
	w := newWorld(t, small())
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		users["local-1"] = fakescim.Object{"id": "local-1", "userName": "ADA@Contoso.test", "active": true}
	})
	r := w.cycleOK()
	if r.Succeeded["User Update"] != 3 || w.at("o-ada").ID() != "local-1" { // Ada, and two managers
		t.Fatalf("%v, Ada is %s", r.Succeeded, w.at("o-ada").ID())
	}
	if got, _ := w.at("o-ada").Value("userName"); got != "ada@contoso.test" {
		t.Fatalf("userName is %v: what was matched was not brought up to date", got)
	}
	w.verifyOK()
}

func TestMatchingAttributesAreTriedByPrecedence(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) {
		j.UserMappings = job.UserMappings()
		for i := range j.UserMappings {
			switch j.UserMappings[i].Target {
			case "userName":
				j.UserMappings[i].Matching = 2
			case "externalId":
				j.UserMappings[i].Matching = 1
			}
		}
	})
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		users["by-name"] = fakescim.Object{"id": "by-name", "userName": "bo@contoso.test", "active": true}
		users["by-id"] = fakescim.Object{"id": "by-id", "userName": "other", "externalId": "ada", "active": true}
	})
	w.cycleOK()
	if w.at("o-ada").ID() != "by-id" || w.at("o-bo").ID() != "by-name" {
		t.Fatalf("Ada is %s, Bo %s", w.at("o-ada").ID(), w.at("o-bo").ID())
	}
	w.verifyOK()
}

func TestAConflictOnCreateIsLookedUpAndAdopted(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) { j.Concurrency = 1 })
	planted := false
	w.server.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" && r.URL.Path == "/scim/Users" && !planted {
			planted = true // someone else creates the user between the look-up and the POST
			w.server.Edit(func(users, _ map[string]fakescim.Object) {
				users["raced"] = fakescim.Object{"id": "raced", "userName": "ada@contoso.test", "active": true}
			})
		}
		return false
	}
	w.cycleOK()
	if w.at("o-ada").ID() != "raced" {
		t.Fatalf("Ada is %s", w.at("o-ada").ID())
	}
	w.verifyOK()
}

func TestACreateWhoseAnswerWasLostIsAdoptedInTheNextCycle(t *testing.T) {
	w := newWorld(t, small())
	var lost atomic.Bool
	lost.Store(true)
	w.server.Lose = func(r *http.Request) bool { return lost.Load() && r.Method == "POST" && r.URL.Path == "/scim/Users" }
	if r := w.cycle(); r.Failed[wire.HostUnreachable] != 3 || r.Escrowed != 3 {
		t.Fatalf("failed %v, in escrow %d", r.Failed, r.Escrowed)
	}
	lost.Store(false)
	w.cycleOK()
	w.verifyOK()
	if users, _ := w.count(); users != 3 {
		t.Fatalf("%d users", users)
	}
}

// hasty waits for an answer to a POST for a moment only, while the server is slow, and as long as the client for all others.
type hasty struct {
	http.RoundTripper
	slow *atomic.Bool
}

func (h hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !h.slow.Load() {
		return h.RoundTripper.RoundTrip(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 200*time.Millisecond)
	defer cancel()
	return h.RoundTripper.RoundTrip(r.WithContext(ctx))
}

func TestATimeoutPutsTheObjectIntoEscrow(t *testing.T) {
	c := small()
	w := newWorld(t, c)
	var slow atomic.Bool
	slow.Store(true)
	client := w.http.Client()
	client.Transport = hasty{client.Transport, &slow}
	w.server.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" && slow.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
			<-r.Context().Done()
			return true
		}
		return false
	}
	if r := w.cycle(); r.Failed[wire.Timeout] != 4 { // three users and the group
		t.Fatalf("failed: %v", r.Failed)
	}
	slow.Store(false)
	w.cycleOK()
	w.verifyOK()
}

func TestAVanishedAnchorIsReportedUntilARestart(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	w.server.Edit(func(users, _ map[string]fakescim.Object) { delete(users, w.service.State().Users["o-bo"].ID) })
	w.company.User("o-bo").JobTitle = "Lead"
	if r := w.cycle(); r.Failed[wire.InvalidAnchor] != 1 {
		t.Fatalf("failed: %v", r.Failed)
	}
	if r := w.cycle(); r.Failed[wire.InvalidAnchor] != 1 {
		t.Fatalf("the service gave up: %v", r.Failed)
	}
	w.service.Restart()
	if r := w.cycleOK(); r.Kind != entra.Initial || r.Succeeded["User Create"] != 1 {
		t.Fatalf("%s: %v", r.Kind, r.Succeeded)
	}
	w.verifyOK()
}

func TestTwoObjectsDoNotShareOneAccount(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) { j.Concurrency = 1 })
	w.cycleOK()
	// A newcomer gets the name that Ada leaves behind in the same cycle, and comes first in the list.
	newcomer := *w.company.User("o-ada")
	newcomer.ObjectID, newcomer.Extension = "o-new", nil
	w.company.User("o-ada").UserPrincipalName = "ada.b@contoso.test"
	w.company.Users = append([]*company.User{&newcomer}, w.company.Users...)
	if r := w.cycle(); r.Failed[wire.DuplicateSourceEntries] != 1 {
		t.Fatalf("failed: %v", r.Failed)
	}
	w.cycleOK()
	w.verifyOK()
}

func TestLookUpsThatFindSeveralAreAnError(t *testing.T) {
	w := newWorld(t, small())
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		for _, id := range []string{"a", "b"} {
			users[id] = fakescim.Object{"id": id, "userName": "ada@contoso.test"}
		}
	})
	if r := w.cycle(); r.Failed[wire.MultipleEntries] != 1 {
		t.Fatalf("failed: %v", r.Failed)
	}
}

func TestAGroupThatComesWithItsMembersIsAnError(t *testing.T) {
	w := newWorld(t, small())
	w.server.Intercept = on("GET", "/scim/Groups",
		body(200, emptyList+`1,"Resources":[{"id":"1","displayName":"Team","members":[]}]}`))
	if r := w.cycle(); r.Failed[wire.MultipleEntries] != 1 {
		t.Fatalf("failed: %v", r.Failed)
	}
}

func TestACreateWithoutAnIDIsAnError(t *testing.T) {
	w := newWorld(t, small())
	w.server.Intercept = on("POST", "/scim/Users", body(201, `{"userName":"ada@contoso.test"}`))
	if r := w.cycle(); r.Failed[wire.ServiceIncompatible] != 3 {
		t.Fatalf("failed: %v", r.Failed)
	}
}

func TestWhoIsUnassignedIsDisabledAndThenNotManaged(t *testing.T) {
	everybody := job.Scope{Assigned: []string{"o-team"}}
	w := newWorld(t, small(), func(j *job.Job) { j.Scope = everybody })
	w.cycleOK()
	w.job.Scope = job.Scope{Assigned: []string{"o-ada", "o-bo"}}
	if err := w.service.Configure(w.job); err != nil {
		t.Fatal(err)
	}
	r := w.cycleOK()
	if r.Succeeded["User Disable"] != 1 || r.Succeeded["Group Delete"] != 1 {
		t.Fatalf("%v", r.Succeeded)
	}
	if active, _ := w.at("o-cy").Value("active"); active != false {
		t.Fatalf("active is %v", active)
	}
	w.verifyOK()

	t.Run("assigned again, it is active again", func(t *testing.T) {
		w.job.Scope = everybody
		_ = w.service.Configure(w.job)
		w.cycleOK()
		if active, _ := w.at("o-cy").Value("active"); active != true {
			t.Fatalf("active is %v", active)
		}
		w.verifyOK()
	})
	t.Run("unassigned and then deleted, it gets no DELETE", func(t *testing.T) {
		w.job.Scope = job.Scope{Assigned: []string{"o-ada", "o-bo"}}
		_ = w.service.Configure(w.job)
		w.cycleOK()
		w.company.User("o-cy").DeletedAt = w.now
		w.now = w.now.Add(2 * company.Retention)
		if r := w.cycleOK(); r.Requests != 0 {
			t.Fatalf("%d requests: %v", r.Requests, r.Entries)
		}
		if users, _ := w.count(); users != 3 {
			t.Fatalf("%d users", users)
		}
		w.verifyOK()
	})
}

func TestSkipOutOfScopeDeletionsLeavesTheUserAlone(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) {
		j.SkipOutOfScopeDeletions = true
		j.Scope.UserFilter = []job.Clause{{Attribute: "department", Operator: job.Equals, Value: "Finance"}}
	})
	w.cycleOK()
	w.company.User("o-cy").Department = "Sales"
	if r := w.cycleOK(); r.Requests != 0 {
		t.Fatalf("%d requests: %v", r.Requests, r.Entries)
	}
	w.verifyOK()
}

func TestWithoutAnActiveMappingUsersOutOfScopeAreDeleted(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) {
		for _, m := range job.UserMappings() {
			if m.Target != "active" {
				j.UserMappings = append(j.UserMappings, m)
			}
		}
	})
	w.cycleOK()
	w.company.User("o-cy").AccountEnabled = false
	if r := w.cycleOK(); r.Succeeded["User Delete"] != 1 {
		t.Fatalf("%v", r.Succeeded)
	}
	w.verifyOK()
}

func TestARestoredUserFindsTheMembershipsAsTheyWere(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	w.company.User("o-bo").DeletedAt = w.now
	w.cycleOK()
	w.company.User("o-bo").DeletedAt = time.Time{}
	r := w.cycleOK()
	if r.Succeeded["Group Update"] != 0 || len(w.at("o-team").Members()) != 3 {
		t.Fatalf("%v, members %v", r.Succeeded, w.at("o-team").Members())
	}
	w.verifyOK()
}

func TestAnEmptiedValueIsNotSent(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	w.company.User("o-bo").Department = ""
	if r := w.cycleOK(); r.Requests != 0 {
		t.Fatalf("%d requests", r.Requests)
	}
	w.verifyOK()
}

func TestAChangeMadeAtTheServerIsNotRolledBackUntilTheAttributeChanges(t *testing.T) {
	w := newWorld(t, small())
	w.cycleOK()
	w.server.Edit(func(users, _ map[string]fakescim.Object) {
		users[w.service.State().Users["o-bo"].ID]["displayName"] = "Local"
	})
	if r := w.cycleOK(); r.Requests != 0 {
		t.Fatalf("%d requests", r.Requests)
	}
	w.company.User("o-bo").DisplayName = "Bo B"
	w.cycleOK()
	w.verifyOK()
}

func TestAccidentalDeletionsAreHeldBackUntilAllowed(t *testing.T) {
	w := newWorld(t, small(), func(j *job.Job) { j.AccidentalDeletionThreshold = 1 })
	w.cycleOK()
	w.company.User("o-bo").AccountEnabled = false
	w.company.User("o-cy").DeletedAt = w.now
	r := w.cycle()
	if r.Quarantine.Reason != quarantine.AccidentalDeletions || r.Requests != 0 {
		t.Fatalf("%+v after %d requests", r.Quarantine, r.Requests)
	}
	w.service.AllowDeletions()
	r = w.cycleOK()
	if r.Succeeded["User Disable"] != 1 || r.Succeeded["User StagedDelete"] != 1 {
		t.Fatalf("%v", r.Succeeded)
	}
	w.verifyOK()
}

func TestOnDemandIsLegacyTakesFiveMembersAndDoesNotRestore(t *testing.T) {
	c := company.Generate(company.Size{Seed: 5, Users: 60, Groups: 1})
	w := newWorld(t, c, func(j *job.Job) { j.Dialect = wire.Flagged; j.GroupMappings = job.GroupMappings() })
	for _, u := range c.Users {
		u.AccountEnabled = true
	}
	group := c.Groups[0]
	group.Members = nil
	w.cycleOK()
	for _, u := range c.Users[:8] {
		group.Members = append(group.Members, u.ObjectID)
	}
	var mu sync.Mutex // the ordinary cycle sends several at once
	var patches []string
	recordPatches := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PATCH" {
			var text bytes.Buffer
			record(t, &text, r)
			mu.Lock()
			defer mu.Unlock()
			patches = append(patches, text.String())
		}
		return false
	}
	w.server.Set(func(s *fakescim.Server) { s.Intercept = recordPatches })
	demand := func(id string) *entra.Report {
		t.Helper()
		r, err := w.service.ProvisionOnDemand(context.Background(), c, id)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	demand(group.ObjectID)
	if len(patches) != 1 || strings.Count(patches[0], `"$ref"`) != 5 || !strings.Contains(patches[0], `"op": "Add"`) {
		t.Fatalf("sent %v", patches)
	}
	w.cycleOK() // the ordinary cycle brings the rest
	w.verifyOK()

	u := c.User(c.Users[3].ObjectID)
	u.DeletedAt = w.now
	w.cycleOK()
	if r := demand(u.ObjectID); r.Requests != 0 || r.SkippedObjects != 1 {
		t.Fatalf("%d requests for a user in the recycle bin", r.Requests)
	}
	if _, err := w.service.ProvisionOnDemand(context.Background(), c, "nobody"); err == nil {
		t.Fatal("nobody was provisioned")
	}
}

func TestTheStateSurvivesBeingWrittenAndRead(t *testing.T) {
	w := newWorld(t, company.Generate(company.Size{Seed: 9, Users: 40, Groups: 12}))
	w.cycleOK()
	var file bytes.Buffer
	if err := w.service.State().Write(&file); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(file.String(), token) {
		t.Fatal("the state holds the token")
	}
	state, err := entra.ReadState(&file)
	if err != nil {
		t.Fatal(err)
	}
	w.service, err = entra.New(w.job, entra.Options{
		HTTP: w.http.Client(), State: state, Clock: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := w.cycleOK(); r.Kind != entra.Incremental || r.Requests != 0 {
		t.Fatalf("%s with %d requests", r.Kind, r.Requests)
	}
	company.DefaultLife(9).Period(w.company, w.now)
	w.cycleOK()
	w.verifyOK()
	if _, err := entra.ReadState(strings.NewReader("{")); err == nil {
		t.Fatal("half a state was read")
	}
}

func TestACancelledCycleSaysSo(t *testing.T) {
	w := newWorld(t, small())
	ctx, cancel := context.WithCancel(context.Background())
	w.server.Intercept = func(http.ResponseWriter, *http.Request) bool { cancel(); return false }
	if _, err := w.service.RunCycle(ctx, w.company); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	w.cycleOK()
	w.verifyOK()
}
