// Package rbac has the manifests of this folder, for programs that ask whether what they grant is granted.
package rbac

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The manifests with rights of the operator.
const (
	// Tenants has those in each namespace that it serves, or on the whole cluster.
	Tenants = "role.yaml"
	// Election has those in its own namespace by which a leader is elected.
	Election = "leader_election.yaml"
	// Hosts has those in its own namespace by which it says who holds a host.
	Hosts = "hosts.yaml"
	// Metrics has those on the cluster by which it learns who may get its metrics.
	Metrics = "metrics.yaml"
)

//go:embed *.yaml
var manifests embed.FS

// Missing returns those of the rights that the roles in a manifest grant which the client does not have in a namespace, in words such as
// "get leases.coordination.k8s.io"; empty for rights on the whole cluster. It asks the API server for each, which anybody who is
// authenticated may.
func Missing(ctx context.Context, c client.Client, manifest, namespace string) ([]string, error) {
	rules, err := rulesOf(manifest)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, right := range rightsOf(rules) {
		right.Namespace = namespace
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}
		if err := c.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("ask for the right to %s: %w", say(right), err)
		}
		if !review.Status.Allowed {
			missing = append(missing, say(right))
		}
	}
	return missing, nil
}

// rulesOf are the rules of all roles in a manifest.
func rulesOf(manifest string) ([]rbacv1.PolicyRule, error) {
	content, err := manifests.ReadFile(manifest)
	if err != nil {
		return nil, fmt.Errorf("read the rights: %w", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), len(content))
	var rules []rbacv1.PolicyRule
	for {
		var role rbacv1.ClusterRole // a Role has its rules in the same place, and a binding has none
		switch err := decoder.Decode(&role); {
		case errors.Is(err, io.EOF):
			return rules, nil
		case err != nil:
			return nil, fmt.Errorf("read the rights: %w", err)
		}
		rules = append(rules, role.Rules...)
	}
}

// rightsOf are the rights on resources that rules grant, each by itself.
func rightsOf(rules []rbacv1.PolicyRule) []authorizationv1.ResourceAttributes {
	var rights []authorizationv1.ResourceAttributes
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				resource, subresource, _ := strings.Cut(resource, "/")
				for _, verb := range rule.Verbs {
					for _, name := range names {
						rights = append(rights, authorizationv1.ResourceAttributes{
							Group: group, Resource: resource, Subresource: subresource, Verb: verb, Name: name,
						})
					}
				}
			}
		}
	}
	return rights
}

func say(right authorizationv1.ResourceAttributes) string {
	text := right.Verb + " " + right.Resource
	if right.Subresource != "" {
		text += "/" + right.Subresource
	}
	if right.Group != "" {
		text += "." + right.Group
	}
	if right.Name != "" {
		text += " " + right.Name
	}
	return text
}
