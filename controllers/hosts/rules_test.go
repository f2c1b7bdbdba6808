package hosts

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

func TestRulesSayWhichHostsANamespaceMayClaim(t *testing.T) {
	var rules []Rule
	for _, text := range []string{
		`{"namespaceSelector":{"matchLabels":{"team":"a"}},"hosts":["*.a.example.com","a.example.com"]}`,
		`{namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [gold]}]}, hosts: ["*"]}`,
		`hosts: ["*.{namespace}.scim.example.com", "{name}.SCIM.example.com."]`,
	} {
		rule, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	tenant := types.NamespacedName{Namespace: "sales", Name: "contoso"}
	for _, test := range []struct {
		labels labels.Set
		host   string
		want   bool
	}{
		{labels.Set{"team": "a"}, "x.a.example.com", true},
		{labels.Set{"team": "a"}, "x.y.a.example.com", true},
		{labels.Set{"team": "a"}, "a.example.com", true},
		{labels.Set{"team": "a"}, "xa.example.com", false},
		{labels.Set{"team": "a"}, ".a.example.com", false},
		{labels.Set{"team": "a"}, "x.a.example.com.evil.test", false},
		{labels.Set{"team": "b"}, "x.a.example.com", false},
		{nil, "x.a.example.com", false},
		{nil, "x.sales.scim.example.com", true},
		{nil, "sales.scim.example.com", false},
		{nil, "x.other.scim.example.com", false},
		{nil, "contoso.scim.example.com", true},
		{nil, "fabrikam.scim.example.com", false},
		{labels.Set{"tier": "gold"}, "anything.test", true},
		{labels.Set{"tier": "silver"}, "anything.test", false},
	} {
		if got := Allowed(Patterns(rules, tenant, test.labels), test.host); got != test.want {
			t.Errorf("with labels %v host %s is allowed: %v, want %v", test.labels, test.host, got, test.want)
		}
	}
	if got := strings.Join(Patterns(rules, tenant, labels.Set{"team": "a"}), " "); got != "*.a.example.com *.sales.scim.example.com a.example.com contoso.scim.example.com" {
		t.Errorf("the patterns are %s", got)
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "{}", "hosts: []", "hosts: [https://a.test]", "hosts: ['a.*.test']", "hosts: ['*a.test']", "hosts: ['']", "hosts: ['*.']", "hosts: ['{tenant}.test']",
		"{hosts: [a.test], namespaces: [x]}", "{namespaceSelector: {matchExpressions: [{key: a, operator: Like}]}, hosts: [a.test]}", "a",
	} {
		if rule, err := ParseRule(text); err == nil {
			t.Errorf("%q is taken for %+v", text, rule)
		}
	}
}
