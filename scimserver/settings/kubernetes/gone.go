package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Gone tells whether the tenant whose settings are in force did not exist when the API server was last asked. One of its name that has another
// UID was made after it. Its settings are in force nevertheless, and no status is written any more.
func (s *Source) Gone() bool { return s.gone.Load() }

// tenantUID is the UID of the tenant that this server is of, "" while none is known.
func (s *Source) tenantUID() types.UID {
	if current := s.Current(); s.options.TenantUID == "" && current != nil {
		return current.Tenant.UID
	}
	return s.options.TenantUID
}

// another tells whether a tenant is not the one that this server is of.
func (s *Source) another(tenant *v1alpha1.ProvisioningTenant) bool {
	uid := s.tenantUID()
	return uid != "" && uid != tenant.UID
}

// AskWhetherGone asks the API server for Gone once more. It is to be called after Run, at the end of a process, whose tenant is also gone where
// nothing can keep it and its servers end first: its dependents are deleted before it, or its namespace is deleted, of which the pods
// are deleted before all else. Where the API server has no answer before ctx ends, the tenant is not gone.
func (s *Source) AskWhetherGone(ctx context.Context) bool {
	if s.Current() != nil && !s.Gone() {
		s.gone.Store(s.tenantGoes(ctx) || s.namespaceGoes(ctx))
	}
	return s.Gone()
}

func (s *Source) tenantGoes(ctx context.Context) bool {
	// A list says that there is none; a get may also say that its kind is not known yet.
	named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, s.options.Tenant).String()}
	list := &v1alpha1.ProvisioningTenantList{}
	err := s.clients.tenantry.Get().Namespace(s.options.Namespace).Resource(tenantResource).
		VersionedParams(&named, metav1.ParameterCodec).Do(ctx).Into(list)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(list.Items, func(tenant v1alpha1.ProvisioningTenant) bool {
		return !s.another(&tenant) && !goesLast(&tenant)
	})
}

// goesLast tells whether a tenant is being deleted once its dependents are.
func goesLast(tenant *v1alpha1.ProvisioningTenant) bool {
	return tenant.DeletionTimestamp != nil && slices.Contains(tenant.Finalizers, metav1.FinalizerDeleteDependents)
}

func (s *Source) namespaceGoes(ctx context.Context) bool {
	namespace := &corev1.Namespace{}
	err := s.clients.core.Get().Resource("namespaces").Name(s.options.Namespace).Do(ctx).Into(namespace)
	return err == nil && namespace.DeletionTimestamp != nil
}
