package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
)

const (
	// OperatorNamespace has the ServiceAccount that config/rbac gives its rights to.
	OperatorNamespace = "tenantry-system"
	// OperatorAccount is the name of that ServiceAccount.
	OperatorAccount = "tenantry-operator"
)

// applyRights creates what config/rbac has.
func (c *Cluster) applyRights(ctx context.Context, root string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: OperatorNamespace}}
	if err := c.Client.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create the operator's namespace: %w", err)
	}
	for _, file := range []string{"service_account.yaml", "role.yaml", "role_binding.yaml", "leader_election.yaml", "hosts.yaml"} {
		objects, err := ReadObjects(filepath.Join(root, "config", "rbac", file))
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := c.Client.Create(ctx, object); err != nil {
				return fmt.Errorf("create the rights in %s: %w", file, err)
			}
		}
	}
	return nil
}

// ReadObjects reads the objects of a YAML file.
func ReadObjects(path string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// AsServiceAccount returns a configuration with the rights of a ServiceAccount.
func (c *Cluster) AsServiceAccount(namespace, name string) *rest.Config {
	config := rest.CopyConfig(c.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return config
}
