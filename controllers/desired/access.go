package desired

import (
	rbacv1 "k8s.io/api/rbac/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// ServiceAccount is who the server is.
func ServiceAccount(t Tenant) *corev1ac.ServiceAccountApplyConfiguration {
	account := corev1ac.ServiceAccount(ServerName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		// The pod asks for its token itself, so that no other pod gets one by naming this account.
		WithAutomountServiceAccountToken(false)
	if t.Class != "" {
		account.WithAnnotations(map[string]string{AnnotationClass: t.Class})
	}
	return account
}

// Role is what the server may do: read its own tenant, the UserDefaults that it follows and its verifiers, and write
// its own tenant's status. One with a database may also read its namespace, to end its hold of the directory where that is deleted.
func Role(t Tenant) *rbacv1ac.RoleApplyConfiguration {
	read := []string{"get", "list", "watch"}
	role := rbacv1ac.Role(ServerName(t.Resource.Name), t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithRules(
			rbacv1ac.PolicyRule().WithAPIGroups(v1alpha1.GroupName).WithResources("provisioningtenants").
				WithResourceNames(t.Resource.Name).WithVerbs(read...),
			rbacv1ac.PolicyRule().WithAPIGroups(v1alpha1.GroupName).WithResources("provisioningtenants/status").
				WithResourceNames(t.Resource.Name).WithVerbs("patch"),
			rbacv1ac.PolicyRule().WithAPIGroups("").WithResources("secrets").
				WithResourceNames(VerifierName(t.Resource.Name)).WithVerbs(read...),
		)
	// A rule without names would allow all of them.
	if len(t.UserDefaults) > 0 {
		role.WithRules(rbacv1ac.PolicyRule().WithAPIGroups(v1alpha1.GroupName).WithResources("userdefaults").
			WithResourceNames(t.UserDefaults...).WithVerbs(read...))
	}
	if usesDatabase(t) {
		role.WithRules(rbacv1ac.PolicyRule().WithAPIGroups("").WithResources("namespaces").
			WithResourceNames(t.Resource.Namespace).WithVerbs("get"))
	}
	return role
}

// RoleBinding gives the Role to the ServiceAccount.
func RoleBinding(t Tenant) *rbacv1ac.RoleBindingApplyConfiguration {
	name := ServerName(t.Resource.Name)
	return rbacv1ac.RoleBinding(name, t.Resource.Namespace).
		WithLabels(Labels(t.Resource.Name)).
		WithOwnerReferences(owner(t.Resource)).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("Role").WithName(name)).
		WithSubjects(rbacv1ac.Subject().WithKind(rbacv1.ServiceAccountKind).WithName(name).WithNamespace(t.Resource.Namespace))
}
