package kubernetes

import (
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
	if err := s.reporter.report(ctx, s.patchStatus, &directory, &activity, s.options.Now()); err != nil {
		return fmt.Errorf("report the status of tenant %s/%s: %w", s.options.Namespace, s.options.Tenant, err)
	}
	return nil
}

// sender sends a patch of the tenant's status.
type sender func(ctx context.Context, kind types.PatchType, patch []byte) error

func (s *Source) patchStatus(ctx context.Context, kind types.PatchType, patch []byte) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	return s.clients.tenantry.Patch(kind).
		Namespace(s.options.Namespace).Resource(tenantResource).Name(s.options.Tenant).SubResource("status").
		Param("fieldManager", fieldManager).Body(patch).Do(ctx).Error()
}

// reporter remembers what stands in the status, so that it is not written again.
type reporter struct {
	// observed is how a watch last saw it.
	observed atomic.Pointer[standing]

	mu sync.Mutex
	// written is what was last written, which a watch may not have seen yet; nil before anything was.
	written *standing
}

// standing is what the status has in the server's two parts, but for when that was written.
type standing struct {
	directory *v1alpha1.DirectoryStatus
	activity  *v1alpha1.ActivityStatus
}

func (r *reporter) observe(tenant *v1alpha1.ProvisioningTenant) {
	counts := tenant.Status.Directory.DeepCopy()
	if counts != nil {
		counts.ObservedTime = nil
	}
	r.observed.Store(&standing{directory: counts, activity: tenant.Status.Activity})
}

func (r *reporter) report(
	ctx context.Context, send sender, directory *v1alpha1.DirectoryStatus, activity *v1alpha1.ActivityStatus, now time.Time,
) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := cmp.Or(r.written, r.observed.Load(), &standing{})
	if before.activity != nil {
		next := *activity
		next.LastRequestTime = cmp.Or(next.LastRequestTime, before.activity.LastRequestTime)
		next.LastCycle = cmp.Or(next.LastCycle, before.activity.LastCycle)
		activity = &next
	}
	patch, err := mergePatch(directory, activity)
	if err != nil {
		return err
	}
	if before.directory != nil && before.activity != nil {
		if same, err := mergePatch(before.directory, before.activity); err == nil && string(same) == string(patch) {
			return nil
		}
	}
	dated := *directory
	dated.ObservedTime = new(metav1.NewTime(now.UTC().Truncate(time.Second)))
	if patch, err = mergePatch(&dated, activity); err != nil {
		return err
	}
	if err := send(ctx, types.MergePatchType, patch); err != nil {
		return err
	}
	r.written = &standing{directory: directory, activity: activity}
	return nil
}

// mergePatch returns the JSON merge patch (RFC 7386) that writes the two parts and touches nothing else. The order of
// the counts has no meaning, so it is always the same.
func mergePatch(directory *v1alpha1.DirectoryStatus, activity *v1alpha1.ActivityStatus) ([]byte, error) {
	type counts struct {
		v1alpha1.DirectoryStatus `json:",inline"`
		// These stand for the lists above, so that an empty one is sent as null and not left as it was.
		Defaults       []v1alpha1.DefaultsCount `json:"defaults"`
		RefusedSchemas []v1alpha1.RefusedSchema `json:"refusedSchemas"`
	}
	// And these for the fields above that may be no longer there.
	type cycle struct {
		v1alpha1.CycleStatus `json:",inline"`

		EndTime *metav1.Time `json:"endTime"`
	}
	type seen struct {
		v1alpha1.ActivityStatus `json:",inline"`

		CredentialsRejectedSince *metav1.Time `json:"credentialsRejectedSince"`
		LastCycle                *cycle       `json:"lastCycle"`
	}
	type status struct {
		Directory counts `json:"directory"`
		Activity  seen   `json:"activity"`
	}
	clients := seen{ActivityStatus: *activity, CredentialsRejectedSince: activity.CredentialsRejectedSince}
	if last := activity.LastCycle; last != nil {
		clients.LastCycle = &cycle{CycleStatus: *last, EndTime: last.EndTime}
	}
	defaults := slices.SortedFunc(slices.Values(directory.Defaults), func(a, b v1alpha1.DefaultsCount) int {
		return cmp.Compare(a.Name, b.Name)
	})
	return json.Marshal(map[string]status{"status": {
		Directory: counts{DirectoryStatus: *directory, Defaults: defaults, RefusedSchemas: directory.RefusedSchemas},
		Activity:  clients,
	}})
}
