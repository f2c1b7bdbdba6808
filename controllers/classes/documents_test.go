package classes

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// page is docs/classes.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/classes.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheMessagesOfTheDocumentAreThoseThatTenantsGet holds each row of its table of bounds to what is decided.
func TestTheMessagesOfTheDocumentAreThoseThatTenantsGet(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^[|] `(.+)` [|] `(.+)` [|] `(spec.+)` [|]$").FindAllStringSubmatch(page(t), -1)
	if len(rows) < 19 {
		t.Errorf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		standard := class(t, "bounds: {"+row[1]+"}")
		for _, ran := range []bool{false, true} {
			state := State{Tenant: tenant(t, row[2]), Classes: []v1alpha1.ProvisioningTenantClass{standard}, Ran: ran}
			end := " Nothing is made for the tenant before."
			if ran {
				end = " The tenant goes on with what it had."
			}
			if d := Decide(state); d.Problem == nil || d.Problem.Message != row[3]+end {
				t.Errorf("a tenant with %s in a class with %s is told %v, and the document says\n%s", row[2], row[1], d.Problem, row[3])
			}
			if !strings.Contains(strings.Join(strings.Fields(page(t)), " "), "*"+strings.TrimSpace(end)+"*") {
				t.Errorf("the document does not say %q", end)
			}
		}
	}
}

// TestTheDocumentSaysWhyATenantIsOfNoClass in the words that the tenant gets.
func TestTheDocumentSaysWhyATenantIsOfNoClass(t *testing.T) {
	t.Parallel()
	missing := tenant(t, "{}")
	missing.Spec.ClassName = "gold"
	selective := class(t, "namespaceSelector: {matchLabels: {team: finance}}")
	for _, state := range []State{
		{Tenant: missing, Classes: []v1alpha1.ProvisioningTenantClass{selective}},
		{Tenant: tenant(t, "{}"), Classes: []v1alpha1.ProvisioningTenantClass{selective}, Namespace: labels.Set{"team": "sales"}},
	} {
		d := Decide(state)
		if d.Problem == nil {
			t.Fatal("the tenant is accepted")
		}
		if said := strings.TrimSuffix(d.Problem.Message, " Nothing is made for the tenant before."); !strings.Contains(page(t), "| `"+said+"` |") {
			t.Errorf("the document does not say %s", said)
		}
	}
}

// TestTheTenantOfTheDocumentIsAcceptedByItsClass, and has what the class says.
func TestTheTenantOfTheDocumentIsAcceptedByItsClass(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(page(t), -1)
	if len(blocks) < 3 {
		t.Fatalf("the document has %d objects", len(blocks))
	}
	var standard, empty v1alpha1.ProvisioningTenantClass
	var contoso v1alpha1.ProvisioningTenant
	for i, object := range []any{&standard, &contoso, &empty} {
		if err := yaml.UnmarshalStrict([]byte(blocks[i][1]), object); err != nil {
			t.Fatalf("%v\n%s", err, blocks[i][1])
		}
	}
	state := State{Tenant: &contoso, Classes: []v1alpha1.ProvisioningTenantClass{standard}}
	d := Decide(state)
	if d.Problem != nil || d.Spec.Exposure.Host != "contoso.scim.example.com" || d.Spec.Exposure.Ingress.ClassName != "public" {
		t.Errorf("got %v and %+v", d.Problem, d.Spec.Exposure)
	}
	state.Classes, state.Last = []v1alpha1.ProvisioningTenantClass{empty}, d.Values
	if d = Decide(state); d.Problem != nil || d.Spec.Exposure.Host != "" || d.Spec.RateLimit.RequestsPerSecond != nil && *d.Spec.RateLimit.RequestsPerSecond == 100 {
		t.Errorf("with an empty class the tenant has %v and %+v", d.Problem, d.Spec)
	}
}
