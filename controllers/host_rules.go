package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// HostRule lets the tenants of some namespaces claim some hosts. Where there are rules, a tenant may claim what one of them allows.
type HostRule struct {
	// NamespaceSelector selects namespaces by their labels; an empty one selects all.
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	// Hosts are patterns: a host such as contoso.scim.example.com, all hosts below a domain as in *.scim.example.com, or * for
	// every host. In a pattern {namespace} and {name} stand for the tenant's.
	Hosts []string `json:"hosts"`

	selector labels.Selector
}

// ParseHostRule reads a rule from YAML or JSON, such as {namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}.
func ParseHostRule(text string) (HostRule, error) {
	var rule HostRule
	if err := yaml.UnmarshalStrict([]byte(text), &rule); err != nil {
		return HostRule{}, fmt.Errorf("read a rule for hosts: %w", err)
	}
	var err error
	if rule.selector, err = metav1.LabelSelectorAsSelector(&rule.NamespaceSelector); err != nil {
		return HostRule{}, fmt.Errorf("read namespaceSelector: %w", err)
	}
	if len(rule.Hosts) == 0 {
		return HostRule{}, errors.New("hosts must have at least one pattern")
	}
	for i, pattern := range rule.Hosts {
		rule.Hosts[i] = CanonicalHost(pattern)
		filled := strings.TrimPrefix(fillPattern(rule.Hosts[i], client.ObjectKey{Namespace: "n", Name: "n"}), "*.")
		if pattern != "*" && len(validation.IsDNS1123Subdomain(filled)) > 0 {
			return HostRule{}, fmt.Errorf("%q is no pattern of hosts: it must be a host, *.DOMAIN or *, "+
				"in which {namespace} and {name} stand for the tenant's", pattern)
		}
	}
	return rule, nil
}

// CanonicalHost is the one way to write a host: in lower case, without a dot at its end.
func CanonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func fillPattern(pattern string, tenant client.ObjectKey) string {
	return strings.NewReplacer("{namespace}", tenant.Namespace, "{name}", tenant.Name).Replace(pattern)
}

// patternsFor are the patterns by which the tenant may claim hosts, each once and sorted.
func patternsFor(rules []HostRule, tenant client.ObjectKey, namespace labels.Set) []string {
	var patterns []string
	for _, rule := range rules {
		if rule.selector.Matches(namespace) {
			for _, pattern := range rule.Hosts {
				patterns = append(patterns, fillPattern(pattern, tenant))
			}
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// matchesHost tells whether one of the patterns is of the host. As with a Gateway's listener, * stands for one label or more.
func matchesHost(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, isWildcard := strings.CutPrefix(pattern, "*")
		return pattern == host || isWildcard && len(host) > len(below) && strings.HasSuffix(host, below)
	})
}

// recheckHosts is how long the labels of a namespace count, and when a tenant asks again whose host no rule allows, where the
// options do not say.
const recheckHosts = 30 * time.Second

// namespaceLabels remembers the labels of namespaces for a while. The operator has no right to watch namespaces: with a Role in a
// namespace it may get that one alone.
type namespaceLabels struct {
	live   client.Reader
	recent recent[string, labels.Set]
}

func (n *namespaceLabels) of(ctx context.Context, name string) (labels.Set, error) {
	return n.recent.of(name, func() (labels.Set, error) {
		namespace := &metav1.PartialObjectMetadata{}
		namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := n.live.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return nil, fmt.Errorf("read the labels of namespace %q: %w", name, err)
		}
		return namespace.Labels, nil
	})
}

// allowedHosts are the patterns of the hosts that the tenant may claim; every host where there are no rules.
func (r *ProvisioningTenantReconciler) allowedHosts(ctx context.Context, tenant client.ObjectKey) ([]string, error) {
	if len(r.Options.HostRules) == 0 {
		return []string{"*"}, nil
	}
	of, err := r.namespaces.of(ctx, tenant.Namespace)
	if err != nil {
		return nil, err
	}
	return patternsFor(r.Options.HostRules, tenant, of), nil
}
