package classes

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Read reads a class from YAML or JSON. apiVersion and kind may be left out. The class is returned as it was written, so that nothing is applied which nobody
// said; the API server judges the values.
func Read(text string) (*unstructured.Unstructured, error) {
	var class v1alpha1.ProvisioningTenantClass
	if err := yaml.UnmarshalStrict([]byte(text), &class); err != nil {
		return nil, fmt.Errorf("read a ProvisioningTenantClass: %w", err)
	}
	want := v1alpha1.SchemeGroupVersion.WithKind("ProvisioningTenantClass")
	if class.Kind != "" && class.GroupVersionKind() != want {
		return nil, fmt.Errorf("%s %s is no %s %s", class.APIVersion, class.Kind, want.GroupVersion(), want.Kind)
	}
	if class.Name == "" {
		return nil, errors.New("metadata.name is required")
	}
	written := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &written.Object); err != nil {
		return nil, fmt.Errorf("read a ProvisioningTenantClass: %w", err)
	}
	written.SetGroupVersionKind(want)
	return written, nil
}
