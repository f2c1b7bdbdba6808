// Package v1alpha1 holds the two resources of Tenantry, ProvisioningTenant and UserDefaults, and in contract.go the
// names on which the operator and the SCIM server must agree. It has no behaviour.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=provisioning.tenantry.dev
package v1alpha1
