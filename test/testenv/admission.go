package testenv

import (
	"context"
	"fmt"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// repositories are those of the server's image in tests, as CEL: that of Options, and the mirror's that policies of a test put in its place.
const repositories = "['scimserver', 'mirror.test/scimserver']"

// applyPolicy creates what config/admission has, so that each operator of the tests works under it.
func (c *Cluster) applyPolicy(ctx context.Context, root string) error {
	for _, file := range []string{"policy.yaml", "binding.yaml"} {
		objects, err := ReadObjects(filepath.Join(root, "config", "admission", file))
		if err != nil {
			return err
		}
		for _, object := range objects {
			if object.GetKind() == "ValidatingAdmissionPolicy" {
				var policy admissionv1.ValidatingAdmissionPolicy
				if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &policy, true); err != nil {
					return fmt.Errorf("read the policy in %s: %w", file, err)
				}
				if err := allowImages(&policy); err != nil {
					return err
				}
				if object.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(&policy); err != nil {
					return fmt.Errorf("read the policy in %s: %w", file, err)
				}
				object.SetAPIVersion(admissionv1.SchemeGroupVersion.String())
				object.SetKind("ValidatingAdmissionPolicy")
			}
			if err := c.Client.Create(ctx, object); err != nil {
				return fmt.Errorf("create the policy in %s: %w", file, err)
			}
		}
	}
	return nil
}

// allowImages has the policy know the images of tests, as the chart has it know those of its values.
func allowImages(policy *admissionv1.ValidatingAdmissionPolicy) error {
	for i := range policy.Spec.Variables {
		if variable := &policy.Spec.Variables[i]; variable.Name == "repositories" {
			variable.Expression = repositories
			return nil
		}
	}
	return fmt.Errorf("find the repositories of the server's image in policy %s: no variable has this name", policy.Name)
}
