package hosts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// Rule lets the tenants of some namespaces claim some hosts. Where there are rules, a tenant may claim what one of them allows.
type Rule struct {
	// NamespaceSelector selects namespaces by their labels; an empty one selects all.
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	// Hosts are patterns: a host such as contoso.scim.example.com, all hosts below a domain as in *.scim.example.com, or * for
	// every host. In a pattern {namespace} and {name} stand for the tenant's.
	Hosts []string `json:"hosts"`

	selector labels.Selector
}

// ParseRule reads a rule from YAML or JSON, such as {namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}.
func ParseRule(text string) (Rule, error) {
	var rule Rule
	if err := yaml.UnmarshalStrict([]byte(text), &rule); err != nil {
		return Rule{}, fmt.Errorf("read a rule for hosts: %w", err)
	}
	var err error
	if rule.selector, err = metav1.LabelSelectorAsSelector(&rule.NamespaceSelector); err != nil {
		return Rule{}, fmt.Errorf("read namespaceSelector: %w", err)
	}
	if len(rule.Hosts) == 0 {
		return Rule{}, errors.New("hosts must have at least one pattern")
	}
	for i, pattern := range rule.Hosts {
		rule.Hosts[i] = Canonical(pattern)
		filled := strings.TrimPrefix(fillPattern(rule.Hosts[i], types.NamespacedName{Namespace: "n", Name: "n"}), "*.")
		if pattern != "*" && len(validation.IsDNS1123Subdomain(filled)) > 0 {
			return Rule{}, fmt.Errorf("%q is no pattern of hosts: it must be a host, *.DOMAIN or *, "+
				"in which {namespace} and {name} stand for the tenant's", pattern)
		}
	}
	return rule, nil
}

// Filled are the patterns for a tenant, with its namespace and name in them.
func Filled[T ~string](patterns []T, tenant types.NamespacedName) []string {
	filled := make([]string, len(patterns))
	for i, pattern := range patterns {
		filled[i] = fillPattern(string(pattern), tenant)
	}
	return filled
}

// Canonical is the one way to write a host: in lower case, without a dot at its end.
func Canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func fillPattern(pattern string, tenant types.NamespacedName) string {
	return strings.NewReplacer("{namespace}", tenant.Namespace, "{name}", tenant.Name).Replace(pattern)
}

// Patterns are the patterns by which rules let a tenant in a namespace with these labels claim hosts, each once and sorted.
func Patterns(rules []Rule, tenant types.NamespacedName, namespace labels.Set) []string {
	var patterns []string
	for _, rule := range rules {
		if rule.selector.Matches(namespace) {
			patterns = append(patterns, Filled(rule.Hosts, tenant)...)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// Allowed tells whether one of the patterns is of the host. As with a Gateway's listener, * stands for one label or more.
func Allowed(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, isWildcard := strings.CutPrefix(pattern, "*")
		return pattern == host || isWildcard && len(host) > len(below) && strings.HasSuffix(host, below)
	})
}
