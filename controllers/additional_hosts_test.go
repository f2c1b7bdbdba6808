package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/exposure"
	"github.com/tenantry/tenantry/controllers/hosts"
)

// A Lease that cannot be read says nothing of whose the host is.
func TestATenantKeepsItsHostsWhileItCannotBeFoundOutWhoseTheyAre(t *testing.T) {
	t.Parallel()
	const former, next = "contoso.example.com", "scim.contoso.example"
	notRouted := func(e *v1alpha1.Exposure) { e.Type = v1alpha1.ExposureNone }
	for name, test := range map[string]struct {
		fails string
		then  func(*v1alpha1.Exposure)
		first func(*v1alpha1.Exposure)
	}{
		"of the host":                  {fails: former},
		"of the additional one":        {fails: next},
		"of the host, and they change": {fails: next, then: func(e *v1alpha1.Exposure) { e.Host, e.AdditionalHosts = next, []v1alpha1.HostName{former} }},
		"of the other, and they change": {
			fails: former, then: func(e *v1alpha1.Exposure) { e.Host, e.AdditionalHosts = next, []v1alpha1.HostName{former} },
		},
		"no more routed":                    {fails: next, then: notRouted},
		"not routed, before anything works": {fails: next, first: notRouted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
				p.Spec.Exposure.AdditionalHosts = []v1alpha1.HostName{next}
				if test.first != nil {
					test.first(&p.Spec.Exposure)
				}
			}))
			if test.first == nil {
				s.settle()
			} else if _, err := s.reconcile(); err != nil {
				t.Fatal(err)
			}
			if test.then != nil {
				s.edit(func(p *v1alpha1.ProvisioningTenant) { test.then(&p.Spec.Exposure) })
			}
			r := s.operator()
			r.Client = interceptor.NewClient(s, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
					if _, isLease := object.(*coordinationv1.Lease); isLease && key.Name == hosts.LeaseName(test.fails) {
						return errors.New("no")
					}
					return c.Get(ctx, key, object, opts...)
				},
			})
			for range 3 {
				if _, err := r.Reconcile(t.Context(), theTenant); err == nil {
					t.Fatal("that is no error")
				}
			}
			var leases coordinationv1.LeaseList
			s.must(s.List(t.Context(), &leases))
			if len(leases.Items) != 2 {
				t.Errorf("there are %d Leases", len(leases.Items))
			}
			for i := range leases.Items {
				if record := hosts.ReadLease(&leases.Items[i]); !record.Held() {
					t.Errorf("host %s was let go", record.Host)
				}
			}
			var ingress networkingv1.Ingress
			err := s.Get(t.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso-scim"}, &ingress)
			if s.tenant().Spec.Exposure.Type == v1alpha1.ExposureNone {
				return
			}
			s.must(err)
			if got := exposure.ReadRoute(&ingress).Hosts; !slices.Equal(got, []string{former, next}) {
				t.Errorf("the Ingress routes %s", got)
			}
		})
	}
}
