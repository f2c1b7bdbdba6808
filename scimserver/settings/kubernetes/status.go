package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	tenantResource = "provisioningtenants"
	// fieldManager owns the parts of the status that are the server's.
	fieldManager = "tenantry-scimserver"
	// reportTimeout bounds one report.
	reportTimeout = 10 * time.Second
)

// ReportStatus writes the two parts of the tenant's status that are the server's, and sends nothing where both are as
// they stand there, or where the tenant is gone. An activity without the last request, or the last cycle, leaves what
// stands there. It returns the API server's error, or one after 10 s without an answer; the next call tries again.
func (s *Source) ReportStatus(ctx context.Context, directory v1alpha1.DirectoryStatus, activity v1alpha1.ActivityStatus) error {
	if s.Gone() {
		return nil
	}
	if err := s.reporter.report(ctx, s.patchStatus, directory, activity, s.options.Now()); err != nil {
		return fmt.Errorf("report the status of tenant %s/%s: %w", s.options.Namespace, s.options.Tenant, err)
	}
	return nil
}

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// sender sends operations on the tenant, and returns how it is then.
type sender func(ctx context.Context, operations ...operation) (*v1alpha1.ProvisioningTenant, error)

// patchStatus changes the status of the tenant that this server is of. One that was made again under its name is left alone: the API server refuses
// all operations where the first fails. (It ignores a UID in a merge patch, or in what is applied, where that is of a status.)
func (s *Source) patchStatus(ctx context.Context, operations ...operation) (*v1alpha1.ProvisioningTenant, error) {
	if uid := s.tenantUID(); uid != "" {
		operations = slices.Insert(operations, 0, operation{"test", "/metadata/uid", uid})
	}
	patch, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	stored := &v1alpha1.ProvisioningTenant{}
	return stored, s.clients.tenantry.Patch(types.JSONPatchType).
		Namespace(s.options.Namespace).Resource(tenantResource).Name(s.options.Tenant).SubResource("status").
		Param("fieldManager", fieldManager).Body(patch).Do(ctx).Into(stored)
}

// reporter remembers what stands in the status, so that it is not written again.
type reporter struct {
	// observed is how a watch, or a write since, last saw it.
	observed atomic.Pointer[standing]

	mu sync.Mutex
	// written is what was last written, nil while nothing was. Other servers of the tenant may have written since.
	written *standing
}

// standing is what the tenant's status has in the server's two parts, but for when that was written.
type standing struct {
	Directory *v1alpha1.DirectoryStatus
	Activity  *v1alpha1.ActivityStatus
}

func (r *reporter) observe(tenant *v1alpha1.ProvisioningTenant) { r.observed.Store(standingIn(tenant)) }

func standingIn(tenant *v1alpha1.ProvisioningTenant) *standing {
	s := &standing{tenant.Status.Directory.DeepCopy(), tenant.Status.Activity}
	if s.Directory != nil {
		s.Directory.ObservedTime = nil
		s.Directory.Defaults = inOrder(s.Directory.Defaults)
	}
	return s
}

// equal compares times as they are written, in seconds.
func (s *standing) equal(other *standing) bool {
	a, failed := json.Marshal(s)
	b, err := json.Marshal(other)
	return failed == nil && err == nil && bytes.Equal(a, b)
}

// names tells whether the status says that a directory is served. An edit may have taken that away, and so does an older
// CustomResourceDefinition.
func (s *standing) names(directory string) bool {
	return s.Directory != nil && s.Directory.ID == directory && s.Activity != nil
}

func (r *reporter) report(
	ctx context.Context, send sender, directory v1alpha1.DirectoryStatus, activity v1alpha1.ActivityStatus, now time.Time,
) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	observed := r.observed.Load()
	for _, before := range []*standing{r.written, observed} {
		if before != nil && before.Directory != nil {
			directory.ID = cmp.Or(directory.ID, before.Directory.ID)
		}
		if before != nil && before.Activity != nil {
			activity.LastRequestTime = cmp.Or(activity.LastRequestTime, before.Activity.LastRequestTime)
			activity.LastCycle = cmp.Or(activity.LastCycle, before.Activity.LastCycle)
		}
	}
	directory.Defaults = inOrder(directory.Defaults)
	next, stands := &standing{&directory, &activity}, observed
	if r.written != nil && (observed == nil || observed.names(directory.ID)) {
		stands = r.written
	}
	if stands != nil && stands.equal(next) {
		return nil
	}
	dated := directory
	dated.ObservedTime = new(metav1.NewTime(now.UTC().Truncate(time.Second)))
	stored, err := send(ctx, operation{"add", "/status/directory", dated}, operation{"add", "/status/activity", activity})
	if err != nil {
		return err
	}
	r.written = next
	r.observed.CompareAndSwap(observed, standingIn(stored)) // unless the watch has told more
	return nil
}

// inOrder returns the counts by name, because their order has no meaning.
func inOrder(counts []v1alpha1.DefaultsCount) []v1alpha1.DefaultsCount {
	return slices.SortedFunc(slices.Values(counts), func(a, b v1alpha1.DefaultsCount) int { return cmp.Compare(a.Name, b.Name) })
}
