package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/owner"
	"github.com/tenantry/tenantry/scimserver/store"
)

// Place is where a directory can be: a folder, or a schema.
type Place struct {
	Guarded func(guard *owner.Guard) (owner.Store, error)
	Open    func() (store.Store, error) // whatever is there
	Drop    func() error                // leaves nothing there
}

// Server is one that opens a place with settings which a test changes.
type Server struct {
	owner.Store

	Claim owner.Claim
	Lines []string

	t        *testing.T
	mu       sync.Mutex
	guard    *owner.Guard
	settings bool
}

// Contoso is whose directory those of these tests are.
func Contoso() owner.Identity {
	return owner.Identity{EntraTenantID: "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11", Namespace: "customers", Name: "contoso", UID: "uid-1"}
}

// Fabrikam is another tenant.
func Fabrikam() owner.Identity {
	return owner.Identity{EntraTenantID: "0e1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c12", Namespace: "customers", Name: "fabrikam", UID: "uid-2"}
}

// Serve opens a place for a tenant. It is closed when the test has ended.
func (p Place) Serve(t *testing.T, claim owner.Claim) *Server {
	t.Helper()
	s := p.serve(t, claim, true)
	return s
}

func (p Place) serve(t *testing.T, claim owner.Claim, settings bool) *Server {
	t.Helper()
	s := &Server{t: t, Claim: claim, settings: settings}
	s.guard = owner.NewGuard(s.claim, s.log())
	var err error
	if s.Store, err = p.Guarded(s.guard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.End)
	return s
}

func (s *Server) claim() (owner.Claim, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Claim, s.settings
}

func (s *Server) log() logr.Logger {
	return funcr.New(func(_, line string) { s.Lines = append(s.Lines, line) }, funcr.Options{})
}

// Set changes the settings, and tells the store.
func (s *Server) Set(edit func(claim *owner.Claim)) error {
	s.mu.Lock()
	edit(&s.Claim)
	s.settings = true
	s.mu.Unlock()
	return s.Review(s.t.Context())
}

// Directory is the id of the directory that is served.
func (s *Server) Directory() string { return s.guard.Directory() }

// End closes the store.
func (s *Server) End() {
	if err := s.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
}

// Holds checks that the directory is served and has so many users.
func (s *Server) Holds(users int) {
	s.t.Helper()
	if err := s.Check(s.t.Context()); err != nil {
		s.t.Fatalf("not ready: %v", err)
	}
	page, err := s.Find(s.t.Context(), store.Query{Kind: store.User, Limit: 100})
	if err != nil || page.Total != users {
		s.t.Fatalf("%d users, %v; want %d", page.Total, err, users)
	}
}

// Refuses checks that every call is refused for the same reason, and returns the message.
func (s *Server) Refuses(reason string) (message string) {
	s.t.Helper()
	ctx := s.t.Context()
	for name, call := range map[string]func() error{
		"Check":       func() error { return s.Check(ctx) },
		"Review":      func() error { return s.Review(ctx) },
		"Get":         func() error { _, err := s.Get(ctx, store.User, id(1)); return err },
		"Find":        func() error { _, err := s.Find(ctx, store.Query{Kind: store.User, Limit: 1}); return err },
		"Kinds":       func() error { _, err := s.Kinds(ctx, []string{id(1)}); return err },
		"Members":     func() error { _, err := s.Members(ctx, id(1)); return err },
		"MembersOf":   func() error { _, err := s.MembersOf(ctx, []string{id(1)}, "", 1); return err },
		"GroupsOf":    func() error { _, err := s.GroupsOf(ctx, []string{id(1)}, "", 1); return err },
		"Records":     func() error { _, err := s.Records(ctx, store.User, []string{id(1)}); return err },
		"Memberships": func() error { _, err := s.Memberships(ctx, store.Membership{}, 1); return err },
		"Stats":       func() error { _, err := s.Stats(ctx); return err },
		"Ambiguous":   func() error { _, err := s.Ambiguous(ctx, store.User, 1); return err },
		"Deactivated": func() error { _, err := s.Deactivated(ctx, dawn, 1); return err },
		"Log":         func() error { _, err := s.Log(ctx, 0, 1); return err },
		"Meta":        func() error { _, err := s.Meta(ctx, store.MetaSchemas); return err },
		"Update":      func() error { return s.Update(ctx, func(store.Tx) error { s.t.Error("Update runs"); return nil }) },
		"View":        func() error { return s.View(ctx, func(store.Reader) error { s.t.Error("View runs"); return nil }) },
	} {
		err := call()
		refused, ok := errors.AsType[*owner.Refusal](err)
		if !ok || refused.Reason != reason || !errors.Is(err, store.ErrUnavailable) {
			s.t.Errorf("%s: %v; want it refused as %q", name, err, reason)
		} else {
			message = refused.Error()
		}
	}
	return message
}

// annotation is what a message says to write.
func annotation(t *testing.T, message string) string {
	t.Helper()
	_, value, ok := strings.Cut(message, v1alpha1.AdoptDirectoryAnnotation+": ")
	if !ok {
		t.Fatalf("%q does not say how to adopt", message)
	}
	return value
}

// Owners runs what an engine must do about whose a directory is.
func Owners(t *testing.T, place func(t *testing.T) Place) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Place)
	}{
		{"nothing is read before there are settings", ownerWaits},
		{"another tenant's directory is refused until it is adopted", ownerForeign},
		{"an Entra tenant ID that changes below a server", ownerChanges},
		{"an Entra tenant ID that was mistyped for a directory into which nothing was written", ownerMistyped},
		{"an Entra tenant ID that changes after all were deleted", ownerEmptied},
		{"a directory that is missing is not made again by itself", ownerMissing},
		{"another directory of the tenant is refused until it is adopted", ownerAnother},
		{"a directory without a mark is marked once", ownerOlder},
		{"a tenant that is made again finds its directory", ownerAgain},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

func ownerWaits(t *testing.T, p Place) {
	s := p.serve(t, owner.Claim{}, false)
	if message := s.Refuses(""); message != "no settings yet" {
		t.Errorf("%q", message)
	}
	if err := s.Set(func(c *owner.Claim) { c.Identity = Contoso() }); err != nil {
		t.Fatal(err)
	}
	s.Holds(0)
	if s.Directory() == "" || len(s.Lines) != 1 {
		t.Errorf("directory %q, lines %q", s.Directory(), s.Lines)
	}
}

func ownerForeign(t *testing.T, p Place) {
	first := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, first, 3)
	id := first.Directory()
	first.End()
	second := p.Serve(t, owner.Claim{Identity: Fabrikam()})
	message := second.Refuses(v1alpha1.ReasonForeignDirectory)
	forgetHold(t, p, second)
	if err := second.Set(func(c *owner.Claim) { c.Adopt = annotation(t, message) }); err != nil {
		t.Fatal(err)
	}
	second.Holds(3)
	if len(second.Lines) != 1 || second.Directory() != id {
		t.Errorf("lines %q, directory %s, want %s", second.Lines, second.Directory(), id)
	}
	second.End()
	for _, known := range []string{"", id} { // the annotation is still there
		second = p.Serve(t, owner.Claim{Identity: Fabrikam(), Adopt: annotation(t, message), Known: known})
		second.Holds(3)
		if len(second.Lines) > 0 {
			t.Errorf("%q", second.Lines)
		}
		second.End()
	}
	first = p.Serve(t, owner.Claim{Identity: Contoso(), Known: id})
	first.Refuses(v1alpha1.ReasonForeignDirectory)
	first.End()
}

// forgetHold lets the hold of a tenant age, where the engine has one.
func forgetHold(t *testing.T, p Place, ended *Server) {
	t.Helper()
	ended.End()
	s, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx store.Tx) error { return tx.SetMeta(context.Background(), store.MetaOwnerSeen, "") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if ended.Store, err = p.Guarded(ended.guard); err != nil {
		t.Fatal(err)
	}
}

func ownerChanges(t *testing.T, p Place) {
	s := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, s, 2)
	another := func(c *owner.Claim) { c.EntraTenantID = Fabrikam().EntraTenantID }
	if err := s.Set(another); err == nil {
		t.Error("the directory is another Entra tenant's, and served")
	}
	message := s.Refuses(v1alpha1.ReasonForeignDirectory)
	for name, edit := range map[string]func(*owner.Claim){
		"the one before":               func(c *owner.Claim) { c.EntraTenantID = Contoso().EntraTenantID },
		"the one before in upper case": func(c *owner.Claim) { c.EntraTenantID = strings.ToUpper(Contoso().EntraTenantID) },
		"none":                         func(c *owner.Claim) { c.EntraTenantID = "" },
	} {
		if err := s.Set(edit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Holds(2)
	}
	if err := s.Set(another); err == nil {
		t.Error("the mark has no Entra tenant ID any more")
	}
	if err := s.Set(func(c *owner.Claim) { c.Adopt = annotation(t, message) }); err != nil {
		t.Error(err)
	}
	s.Holds(2)
	if err := s.Set(func(c *owner.Claim) { c.EntraTenantID = Contoso().EntraTenantID }); err == nil {
		t.Error("the annotation has an effect on the way back")
	}
}

func ownerMistyped(t *testing.T, p Place) {
	mistyped := owner.Claim{Identity: Contoso()}
	mistyped.EntraTenantID = Fabrikam().EntraTenantID
	s := p.Serve(t, mistyped)
	s.Holds(0)
	id := s.Directory()
	if err := s.Set(func(c *owner.Claim) { c.Identity = Contoso() }); err != nil {
		t.Fatal(err)
	}
	s.Holds(0)
	s.End()
	for range 2 { // another server, which finds the mark that the first has left
		mistyped.Known = id
		s = p.Serve(t, mistyped)
		s.Holds(0)
		if s.Directory() != id || len(s.Lines) != 1 || !strings.Contains(s.Lines[0], "into which nothing was written yet") {
			t.Errorf("directory %s, want %s; %q", s.Directory(), id, s.Lines)
		}
		s.End()
		s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: id})
		s.Holds(0)
		s.End()
	}
	s = p.Serve(t, owner.Claim{Identity: Fabrikam()}) // another tenant, whatever is in the directory
	s.Refuses(v1alpha1.ReasonForeignDirectory)
	s.End()
	s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: id})
	Fill(t, s, 1)
	if err := s.Set(func(c *owner.Claim) { c.EntraTenantID = Fabrikam().EntraTenantID }); err == nil {
		t.Error("a directory with a user is given to another Entra tenant")
	}
	s.Refuses(v1alpha1.ReasonForeignDirectory)
	s.End()
	s = p.Serve(t, mistyped)
	s.Refuses(v1alpha1.ReasonForeignDirectory)
}

// The log still names the user that was deleted.
func ownerEmptied(t *testing.T, p Place) {
	s := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, s, 1)
	update(t, s, func(tx store.Tx) error {
		user := BenchUser(1).ID
		entry := store.Entry{Kind: store.User, ResourceID: user, Operation: "delete", Time: dawn}
		return errors.Join(tx.Delete(t.Context(), store.User, user), tx.Append(t.Context(), entry))
	})
	s.Holds(0)
	another := owner.Claim{Identity: Contoso(), Known: s.Directory()}
	another.EntraTenantID = Fabrikam().EntraTenantID
	if err := s.Set(func(c *owner.Claim) { *c = another }); err == nil {
		t.Error("a directory whose user was deleted is given to another Entra tenant")
	}
	s.End()
	s = p.Serve(t, another)
	s.Refuses(v1alpha1.ReasonForeignDirectory)
}

func ownerMissing(t *testing.T, p Place) {
	s := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, s, 2)
	id := s.Directory()
	s.End()
	if err := p.Drop(); err != nil {
		t.Fatal(err)
	}
	s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: id})
	message := s.Refuses(v1alpha1.ReasonDirectoryMissing)
	if err := s.Set(func(c *owner.Claim) { c.Adopt = annotation(t, message) }); err != nil {
		t.Fatal(err)
	}
	s.Holds(0)
	Fill(t, s, 1)
	fresh := s.Directory()
	s.End()
	for _, known := range []string{id, fresh, ""} { // the status may be behind
		s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: known, Adopt: annotation(t, message)})
		s.Holds(1)
		s.End()
	}
	if err := p.Drop(); err != nil {
		t.Fatal(err)
	}
	s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: fresh, Adopt: annotation(t, message)})
	s.Refuses(v1alpha1.ReasonDirectoryMissing)
}

func ownerAnother(t *testing.T, p Place) {
	s := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, s, 2)
	id := s.Directory()
	s.End()
	const known = "11111111-1111-4111-8111-111111111111"
	s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: known})
	message := s.Refuses(v1alpha1.ReasonForeignDirectory)
	if !strings.Contains(message, known) || !strings.Contains(message, id) {
		t.Errorf("%q names not both directories", message)
	}
	if err := s.Set(func(c *owner.Claim) { c.Adopt = annotation(t, message) }); err != nil {
		t.Fatal(err)
	}
	s.Holds(2)
	s.End()
	s = p.Serve(t, owner.Claim{Identity: Contoso(), Known: known}) // which has not reached the status yet
	s.Holds(2)
}

func ownerOlder(t *testing.T, p Place) {
	s, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	Fill(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	served := p.Serve(t, owner.Claim{Identity: Contoso()})
	served.Holds(2)
	if len(served.Lines) != 1 || !strings.Contains(served.Lines[0], "earlier version") {
		t.Errorf("lines %q", served.Lines)
	}
	id := served.Directory()
	served.End()
	served = p.Serve(t, owner.Claim{Identity: Contoso(), Known: id})
	served.Holds(2)
	if len(served.Lines) > 0 {
		t.Errorf("marked again: %q", served.Lines)
	}
	served.End()
	served = p.Serve(t, owner.Claim{Identity: Fabrikam()})
	served.Refuses(v1alpha1.ReasonForeignDirectory)
}

func ownerAgain(t *testing.T, p Place) {
	s := p.Serve(t, owner.Claim{Identity: Contoso()})
	Fill(t, s, 2)
	id := s.Directory()
	again := func(c *owner.Claim) { c.UID = "uid-9" }
	if err := s.Set(again); err != nil { // below its server, which a moment later ends
		t.Fatal(err)
	}
	s.Holds(2)
	s.End()
	claim := owner.Claim{Identity: Contoso()}
	again(&claim)
	s = p.Serve(t, claim)
	s.Holds(2)
	if s.Directory() != id || slices.ContainsFunc(s.Lines, func(line string) bool { return strings.Contains(line, "made") }) {
		t.Errorf("directory %s, want %s; %q", s.Directory(), id, s.Lines)
	}
	s.End()
	claim.UID = ""
	s = p.Serve(t, claim) // with manifests
	s.Holds(2)
}
