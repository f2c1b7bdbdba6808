package rollout

import (
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/observed"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
)

// RecheckUpgrade is in how long a server that waits for its upgrade asks again.
const RecheckUpgrade = 30 * time.Second

// Limiter lets only so many servers restart at a time because the operator is another one than before, mostly with another image. A server that was
// available before its upgrade and is not rolled out since holds a place, so an image that does not work stops the upgrade after that many tenants.
// Annotation AnnotationUpgrade on its Deployment says so, also to an operator that starts in the middle. A server that was broken before
// holds none: whatever is wrong with it, it is not the upgrade. Its methods may be called at the same time.
type Limiter struct {
	limit    int
	revision string

	mu sync.Mutex
	// inFlight has the generation that a Deployment gets by its upgrade, until the cache shows it.
	inFlight map[types.NamespacedName]int64
}

// NewLimiter returns a limiter of upgrades to that revision, which tells what this operator makes of a tenant's pods from what another one would.
func NewLimiter(limit int, revision string) *Limiter {
	return &Limiter{limit: limit, revision: revision, inFlight: map[types.NamespacedName]int64{}}
}

// Revision is what servers are upgraded to.
func (l *Limiter) Revision() string { return l.revision }

// Observe takes notice of a Deployment as the cache has it.
func (l *Limiter) Observe(d *appsv1.Deployment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key := keyOf(d); d.Generation >= l.inFlight[key] {
		delete(l.inFlight, key)
	}
}

// Confirm takes notice of what became of an apply: the generation that the Deployment has since, 0 if it needed none.
func (l *Limiter) Confirm(server types.NamespacedName, generation int64, err error) {
	if err != nil {
		l.Release(server)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.inFlight[server]; taken && generation > 0 {
		l.inFlight[server] = generation
	}
}

// Release gives back the place of a Deployment that was not changed after all, or is gone.
func (l *Limiter) Release(server types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.inFlight, server)
}

// TryAcquire reports whether the Deployment may be changed now, and takes a place for it if it has one to lose. upgrading are the Deployments that
// hold a place, as the cache has them.
func (l *Limiter) TryAcquire(d *appsv1.Deployment, upgrading []appsv1.Deployment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := len(l.inFlight)
	for i := range upgrading {
		if _, counted := l.inFlight[keyOf(&upgrading[i])]; !counted {
			taken++
		}
	}
	if taken >= l.limit {
		return false
	}
	if observed.RolledOut(d) {
		l.inFlight[keyOf(d)] = d.Generation + 1
	}
	return true
}

func keyOf(d *appsv1.Deployment) types.NamespacedName {
	return types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
}

// HeldFor returns the revision for whose upgrade a Deployment holds a place, "" where it holds none.
func HeldFor(d *appsv1.Deployment) string {
	if !observed.Upgrading(d) {
		return ""
	}
	return d.Annotations[desired.AnnotationUpgrade]
}

// OfClass is the revision to which an operator upgrades the servers of a class. version tells what the class says from what it said before.
func OfClass(operator, class, version string) string { return operator + "." + version + "." + class }

// OperatorOf is the operator's part of a revision.
func OperatorOf(revision string) string {
	operator, _, _ := strings.Cut(revision, ".")
	return operator
}

// Counted are those of the Deployments with a place whose places count for an upgrade to a revision: all but those that have the same class as it
// was before. A class that is corrected would wait for those that do not start with its mistake.
func Counted(upgrading []appsv1.Deployment, revision string) []appsv1.Deployment {
	_, of, _ := strings.Cut(revision, ".")
	version, class, _ := strings.Cut(of, ".")
	var counted []appsv1.Deployment
	for _, d := range upgrading {
		_, held, _ := strings.Cut(HeldFor(&d), ".")
		if heldVersion, heldClass, _ := strings.Cut(held, "."); class == "" || heldClass != class || heldVersion == version {
			counted = append(counted, d)
		}
	}
	return counted
}

// Revision is a hash of the pods that an operator makes of these tenants.
func Revision(tenants ...desired.Tenant) (string, error) {
	var templates []any
	for _, tenant := range tenants {
		deployment, err := desired.Deployment(tenant)
		if err != nil {
			return "", err
		}
		templates = append(templates, deployment.Spec.Template)
	}
	return apply.Hash(templates)
}
