package desired

import (
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// bug class 14: names that are cut or collide, here between the directories of two tenants.
func TestEveryTenantHasASchemaOfItsOwnWithANameThatPostgreSQLDoesNotCut(t *testing.T) {
	t.Parallel()
	if got := SchemaName("customers", "contoso"); got != "tenantry_customers_contoso" {
		t.Errorf("got %s", got)
	}
	long, longer := strings.Repeat("n", 50), strings.Repeat("n", 63)
	tenants := [][2]string{
		{"a", "b-c"}, {"a-b", "c"}, {"a", "b"}, {"ab", "c"}, {"a", "bc"}, {"pg", "x"},
		{long, "contoso-eu"}, {long, "contoso-us"}, {long + "-e", "contoso"}, {long, "e-contoso"}, {longer, strings.Repeat("c", 52)}, {longer, strings.Repeat("c", 51)},
	}
	// A tenant whose whole name is what a longer one's is cut to.
	cut := SchemaName(long, "contoso-eu")
	if namespace, name, found := strings.Cut(strings.TrimPrefix(cut, "tenantry_"), "__"); found {
		tenants = append(tenants, [2]string{namespace, name}, [2]string{namespace + "-", name})
	} else {
		t.Errorf("%s has no hash", cut)
	}
	owners := map[string][2]string{}
	for _, tenant := range tenants {
		name := SchemaName(tenant[0], tenant[1])
		if len(name) > 63 {
			t.Errorf("%s has %d bytes; PostgreSQL cuts after 63", name, len(name))
		}
		if other, taken := owners[name]; taken {
			t.Errorf("%v and %v share schema %s", tenant, other, name)
		}
		owners[name] = tenant
	}
}

func TestATenantInADatabaseIsNeverWithoutAServerAndOneOnAVolumeNeverHasTwo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tenant   func() Tenant
		strategy string
		replicas int32 // -1 where they are left to an autoscaler
		budget   bool
	}{
		"on a volume":            {plain, "Recreate", 1, false},
		"in a database":          {moved, "RollingUpdate", 3, true},
		"autoscaled":             {database, "RollingUpdate", -1, true},
		"while it is moved":      {moving, "Recreate", 0, false},
		"after the move failed":  {func() Tenant { t := moving(); t.Stopped = false; return t }, "Recreate", 1, false},
		"autoscaled from one":    {func() Tenant { t := database(); t.Resource.Spec.Server.Autoscaling.MinReplicas = 1; return t }, "RollingUpdate", -1, false},
		"in a database, with no": {func() Tenant { t := moved(); t.Resource.Spec.Server = v1alpha1.Server{}; return t }, "RollingUpdate", 1, false},
	} {
		deployment, err := Deployment(test.tenant())
		if err != nil {
			t.Fatal(err)
		}
		replicas := int32(-1)
		if deployment.Spec.Replicas != nil {
			replicas = *deployment.Spec.Replicas
		}
		budget := DisruptionBudget(test.tenant()) != nil
		if got := string(*deployment.Spec.Strategy.Type); got != test.strategy || replicas != test.replicas || budget != test.budget {
			t.Errorf("%s: %s, %d replicas, a budget: %v; want %s, %d, %v", name, got, replicas, budget, test.strategy, test.replicas, test.budget)
		}
	}
}
