package classes

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// fill gives a spec what the class says where the tenant says nothing. name is the tenant's, and engine that of the directory that is there, "" for a
// new one: no class moves it.
func fill(spec *v1alpha1.ProvisioningTenantSpec, class *v1alpha1.ProvisioningTenantClassSpec, name string, engine v1alpha1.StorageType) {
	fillExposure(&spec.Exposure, class, name)
	fillStorage(&spec.Storage, class, engine)
	fillServer(&spec.Server, &class.Defaults.Server, spec.Storage.Type)
	fillRateLimit(&spec.RateLimit, class)
	fillRetention(&spec.Retention, class)
}

// within is a value that nobody asked for, unless a bound leaves it out: then it is the first of those that the bound has.
func within[T ~string](value T, allowed []T) T {
	if len(allowed) == 0 || slices.Contains(allowed, value) {
		return value
	}
	return allowed[0]
}

func fillExposure(e *v1alpha1.Exposure, class *v1alpha1.ProvisioningTenantClassSpec, name string) {
	d := &class.Defaults.Exposure
	if e.Type == "" && e.Ingress != nil {
		e.Type = v1alpha1.ExposureIngress // as ever where that block is given
	}
	e.Type = cmp.Or(e.Type, d.Type, within(v1alpha1.ExposureIngress, class.Bounds.Exposure.Types))
	if e.Host == "" && d.BaseDomain != "" && e.Type != v1alpha1.ExposureNone {
		e.Host = name + "." + d.BaseDomain
	}
	if e.Type == v1alpha1.ExposureIngress && d.Ingress != nil {
		given := d.Ingress.DeepCopy()
		if own := e.Ingress; own != nil {
			given.ClassName = cmp.Or(own.ClassName, given.ClassName)
			given.Annotations = merged(given.Annotations, own.Annotations)
			given.TLS = cmp.Or(own.TLS, given.TLS)
			given.Readiness = cmp.Or(own.Readiness, given.Readiness)
		}
		e.Ingress = given
	}
	if e.Type == v1alpha1.ExposureGateway && d.Gateway != nil && (e.Gateway == nil || len(e.Gateway.ParentRefs) == 0) {
		e.Gateway = d.Gateway.DeepCopy()
	}
}

func fillStorage(s *v1alpha1.Storage, class *v1alpha1.ProvisioningTenantClassSpec, engine v1alpha1.StorageType) {
	d, bounds := &class.Defaults.Storage, &class.Bounds.Storage
	s.Type = cmp.Or(s.Type, engine, d.Type, within(v1alpha1.StorageSQLite, bounds.Types))
	if s.SQLite.Size.IsZero() {
		s.SQLite.Size = d.SQLite.Size.DeepCopy()
	}
	if largest := bounds.SQLite.MaxSize; s.SQLite.Size.IsZero() && largest != nil && largest.Cmp(v1alpha1.DefaultSize()) < 0 {
		s.SQLite.Size = largest.DeepCopy()
	}
	s.SQLite.StorageClassName = cmp.Or(s.SQLite.StorageClassName, d.SQLite.StorageClassName)
	if s.Type == v1alpha1.StoragePostgreSQL && s.PostgreSQL == nil {
		s.PostgreSQL = d.PostgreSQL.DeepCopy()
	}
}

// fillServer fills in how many servers there are only where a database lets there be more than one.
func fillServer(s, d *v1alpha1.Server, engine v1alpha1.StorageType) {
	if engine == v1alpha1.StoragePostgreSQL && s.Replicas == nil && s.Autoscaling == nil {
		s.Replicas, s.Autoscaling = d.DeepCopy().Replicas, d.Autoscaling.DeepCopy()
	}
	s.Resources = resources(s.Resources, d.Resources)
	own, given := &s.Template, d.Template.DeepCopy()
	own.Metadata.Labels = merged(given.Metadata.Labels, own.Metadata.Labels)
	own.Metadata.Annotations = merged(given.Metadata.Annotations, own.Metadata.Annotations)
	if len(own.Spec.ImagePullSecrets) == 0 {
		own.Spec.ImagePullSecrets = given.Spec.ImagePullSecrets
	}
	own.Spec.NodeSelector = merged(given.Spec.NodeSelector, own.Spec.NodeSelector)
	if len(own.Spec.Tolerations) == 0 {
		own.Spec.Tolerations = given.Spec.Tolerations
	}
	own.Spec.Affinity = cmp.Or(own.Spec.Affinity, given.Spec.Affinity)
	if len(own.Spec.TopologySpreadConstraints) == 0 {
		own.Spec.TopologySpreadConstraints = given.Spec.TopologySpreadConstraints
	}
	own.Spec.PriorityClassName = cmp.Or(own.Spec.PriorityClassName, given.Spec.PriorityClassName)
}

// resources are the tenant's, and of each resource of which it says neither request nor limit, the class's: a request of one and a limit of the other
// might contradict each other.
func resources(own, given *v1alpha1.ServerResources) *v1alpha1.ServerResources {
	if own == nil || given == nil {
		return cmp.Or(own, given.DeepCopy())
	}
	both := own.DeepCopy()
	says := func(name corev1.ResourceName) bool {
		_, requests := own.Requests[name]
		_, limits := own.Limits[name]
		return requests || limits
	}
	add := func(to *corev1.ResourceList, from corev1.ResourceList) {
		for name, quantity := range from {
			if !says(name) {
				if *to == nil {
					*to = corev1.ResourceList{}
				}
				(*to)[name] = quantity.DeepCopy()
			}
		}
	}
	add(&both.Requests, given.Requests)
	add(&both.Limits, given.Limits)
	return both
}

func fillRateLimit(r *v1alpha1.RateLimit, class *v1alpha1.ProvisioningTenantClassSpec) {
	bounds := &class.Bounds.RateLimit
	*r = r.Or(*class.Defaults.RateLimit.DeepCopy()).Or(v1alpha1.RateLimit{
		RequestsPerSecond: lowered(v1alpha1.DefaultRequestsPerSecond, bounds.RequestsPerSecond), Burst: lowered(v1alpha1.DefaultBurst, bounds.Burst),
	})
}

// lowered is a number that nobody says, lowered to a bound; nil where there is none.
func lowered(otherwise int32, most *int32) *int32 {
	if most == nil {
		return nil
	}
	return new(min(*most, otherwise))
}

func fillRetention(r *v1alpha1.Retention, class *v1alpha1.ProvisioningTenantClassSpec) {
	*r = r.Or(*class.Defaults.Retention.DeepCopy())
	if most := class.Bounds.Retention.MaxProvisioningLog; r.ProvisioningLog.Duration == 0 && most != nil {
		r.ProvisioningLog.Duration = min(most.Duration, v1alpha1.DefaultProvisioningLog)
	}
}

// merged has the entries of both maps, and those of own where both have a key; nil where there are none.
func merged[V any](given, own map[string]V) map[string]V {
	if len(given)+len(own) == 0 {
		return nil
	}
	both := maps.Clone(given)
	if both == nil {
		both = map[string]V{}
	}
	maps.Copy(both, own)
	return both
}
