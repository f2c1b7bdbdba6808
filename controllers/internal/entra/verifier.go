package entra

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
)

const (
	workers = 4
	// askTimeout bounds one question; a closed network often drops packets without a word.
	askTimeout = 5 * time.Second
	// recheck is the least time after which an Entra tenant that existed is asked about again; the most is twice that.
	recheck = 12 * time.Hour

	firstRetry = 30 * time.Second
	lastRetry  = time.Hour
)

// Verifier answers from memory and asks the authority in the background, so that a closed network holds up nothing.
type Verifier struct {
	ask    func(context.Context, Tenant) (Answer, error)
	notify func(types.NamespacedName)
	log    logr.Logger
	queue  workqueue.TypedRateLimitingInterface[Tenant]

	mu      sync.Mutex
	answers map[Tenant]*entry
	asks    map[types.NamespacedName]Tenant
}

type entry struct {
	answer  Answer
	askedBy map[types.NamespacedName]struct{}
}

// NewVerifier returns a verifier that calls notify for every resource whose answer has changed.
func NewVerifier(ask func(context.Context, Tenant) (Answer, error), notify func(types.NamespacedName), log logr.Logger) *Verifier {
	return &Verifier{
		ask: ask, notify: notify, log: log,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[Tenant](firstRetry, lastRetry)),
		answers: map[Tenant]*entry{},
		asks:    map[types.NamespacedName]Tenant{},
	}
}

// Answer returns what is known about the Entra tenant of a resource, without waiting. remembered is what the resource's
// status says of this tenant, Pending if nothing; it spares asking everything again after a restart.
func (v *Verifier) Answer(resource types.NamespacedName, tenant Tenant, remembered Answer) Answer {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asks[resource] != tenant {
		v.forget(resource)
		v.asks[resource] = tenant
	}
	known, ok := v.answers[tenant]
	if !ok {
		known = &entry{answer: remembered, askedBy: map[types.NamespacedName]struct{}{}}
		v.answers[tenant] = known
		if remembered == Exists {
			v.queue.AddAfter(tenant, wait.Jitter(recheck, 1))
		} else {
			v.queue.Add(tenant)
		}
	}
	known.askedBy[resource] = struct{}{}
	return known.answer
}

// Forget stops asking on behalf of a resource.
func (v *Verifier) Forget(resource types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget(resource)
}

func (v *Verifier) forget(resource types.NamespacedName) {
	tenant, ok := v.asks[resource]
	if !ok {
		return
	}
	delete(v.asks, resource)
	if known := v.answers[tenant]; known != nil {
		delete(known.askedBy, resource)
		if len(known.askedBy) == 0 {
			delete(v.answers, tenant)
		}
	}
}

// Start works until the context ends. The manager calls it on the leader.
func (v *Verifier) Start(ctx context.Context) error {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for v.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	v.queue.ShutDown()
	running.Wait()
	return nil
}

func (v *Verifier) next(ctx context.Context) bool {
	tenant, stopped := v.queue.Get()
	if stopped {
		return false
	}
	defer v.queue.Done(tenant)
	if !v.wanted(tenant) {
		v.queue.Forget(tenant)
		return true
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := v.ask(asking, tenant)
	if err != nil {
		v.log.V(1).Info("The login authority could not be asked", "entraTenant", tenant.ID, "error", err.Error())
	}
	if answer == Exists {
		v.queue.Forget(tenant)
		v.queue.AddAfter(tenant, wait.Jitter(recheck, 1))
	} else {
		v.queue.AddRateLimited(tenant)
	}
	for _, resource := range v.learn(tenant, answer) {
		v.notify(resource)
	}
	return true
}

func (v *Verifier) wanted(tenant Tenant) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, ok := v.answers[tenant]
	return ok
}

// learn keeps the answer and returns the resources to which it is news. That the authority is away is no news about a
// tenant that is known to exist.
func (v *Verifier) learn(tenant Tenant, answer Answer) []types.NamespacedName {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.answers[tenant]
	if !ok || known.answer == answer || known.answer == Exists && answer == Unreachable {
		return nil
	}
	known.answer = answer
	return slices.Collect(maps.Keys(known.askedBy))
}
