package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all kinds.
const GroupName = "provisioning.tenantry.dev"

// SchemeGroupVersion is the group and version that this package registers.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// AddToScheme registers all kinds and their lists. It is written without controller-runtime because the SCIM server,
// which must stay small, links this package too.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&ProvisioningTenant{}, &ProvisioningTenantList{},
		&ProvisioningTenantClass{}, &ProvisioningTenantClassList{},
		&UserDefaults{}, &UserDefaultsList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}
