package owner

import (
	"sync"

	"github.com/go-logr/logr"
)

// Guard judges what an engine finds by the settings as they are then, and remembers which directory it has let in. It may be used by any
// number of goroutines.
type Guard struct {
	claim func() (Claim, bool)
	log   logr.Logger

	mu       sync.Mutex
	admitted Mark
}

// NewGuard returns a Guard. claim returns what the settings say, without Held, and false while there are none.
func NewGuard(claim func() (Claim, bool), log logr.Logger) *Guard {
	return &Guard{claim: claim, log: log}
}

// Judge decides about what was found. The error is a *Refusal.
func (g *Guard) Judge(found Found) (Verdict, error) {
	claim, ok := g.claim()
	if !ok {
		return Verdict{}, ErrNoSettings
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.admitted.Directory != "" { // which the settings may not know yet
		claim.Known, claim.Held = g.admitted.Directory, g.admitted.Identity
	}
	return claim.Judge(found)
}

// Hinges tells whether the verdict on what was found hinges on whether the directory is untouched, so that the engine need not look otherwise.
func (g *Guard) Hinges(found Found) bool {
	_, err := g.Judge(found)
	if err == nil || found.Untouched {
		return false
	}
	found.Untouched = true
	_, err = g.Judge(found)
	return err == nil
}

// Admit takes note of a verdict that is carried out: the directory has its mark. It logs what an administrator should know of it.
func (g *Guard) Admit(v Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.admitted = v.Mark; v.Note != "" {
		g.log.Info(v.Note, "directory", v.Mark.Directory, "tenant", v.Mark.Namespace+"/"+v.Mark.Name, "entraTenantID", v.Mark.EntraTenantID)
	}
}

// Holds tells whether this process is to renew a hold that was found: it is an old one of the tenant that it serves.
func (g *Guard) Holds(mark Mark, found Found) bool {
	claim, ok := g.claim()
	return ok && !claim.Gone && claim.Owns(mark.Identity) && claim.UID == mark.UID && found.Now.Sub(found.Seen) >= RenewAfter
}

// Releases tells whether this process is to end a hold that was found: its tenant was deleted, and one that is made again need not wait.
func (g *Guard) Releases(mark Mark, found Found) bool {
	claim, ok := g.claim()
	return ok && claim.Gone && mark.UID != "" && claim.UID == mark.UID && !found.Seen.IsZero()
}

// Directory is the id of the directory that is served, "" before there is one.
func (g *Guard) Directory() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admitted.Directory
}
