package manifests

import (
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	standard = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenantClass
metadata: {name: standard, annotations: {provisioning.tenantry.dev/is-default-class: "true"}}
spec:
  defaults: {rateLimit: {requestsPerSecond: 50}, retention: {provisioningLog: 2160h}, storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: db}}}}
  bounds: {rateLimit: {burst: 1}}
`
	gold = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenantClass
metadata: {name: gold}
spec: {defaults: {rateLimit: {requestsPerSecond: 500}}}
`
)

func TestOfAClassTheRateLimitAndTheRetentionCount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files  []string
		rate   int32
		log    time.Duration
		told   string
		change func(*Options)
	}{
		"none":                     {[]string{contoso}, v1alpha1.DefaultRequestsPerSecond, v1alpha1.DefaultProvisioningLog, "", nil},
		"the default class":        {[]string{contoso, standard, gold}, 50, 2160 * time.Hour, `"class"="standard"`, nil},
		"of whatever namespace":    {[]string{contoso, standard}, 50, 2160 * time.Hour, `"class"="standard"`, func(o *Options) { o.Namespace = "customers" }},
		"the class that it names":  {[]string{standard, gold, contoso + "  className: gold\n"}, 500, v1alpha1.DefaultProvisioningLog, `"class"="gold"`, nil},
		"what the tenant says":     {[]string{standard, contoso + "  rateLimit: {requestsPerSecond: 7}\n"}, 7, 2160 * time.Hour, `"class"="standard"`, nil},
		"a class that is not here": {[]string{standard, contoso + "  className: silver\n"}, v1alpha1.DefaultRequestsPerSecond, v1alpha1.DefaultProvisioningLog, `not among the manifests, so it has no say" "class"="silver"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines log
			o := options(t, map[string]string{"a.yaml": join(test.files...)}, func(o *Options) { o.Log = lines.logger() })
			if test.change != nil {
				test.change(&o)
			}
			got, err := load(o)
			if err != nil {
				t.Fatal(err)
			}
			spec := got.Tenant.Spec
			if *spec.RateLimit.RequestsPerSecond != test.rate || *spec.RateLimit.Burst != v1alpha1.DefaultBurst || spec.Retention.ProvisioningLog.Duration != test.log {
				t.Errorf("got %d/s, %d at once and a log of %s", *spec.RateLimit.RequestsPerSecond, *spec.RateLimit.Burst, spec.Retention.ProvisioningLog.Duration)
			}
			if spec.Storage.Type != v1alpha1.StorageSQLite {
				t.Errorf("the class moved the directory to %s", spec.Storage.Type)
			}
			if told := lines.count(`"class"=`); test.told == "" && told > 0 || test.told != "" && (told != 1 || lines.count(test.told) != 1) {
				t.Errorf("the log has %d lines of a class, want %s", told, test.told)
			}
		})
	}
}

func TestAClassThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ class, want string }{
		"an unknown field": {strings.Replace(standard, "bounds", "bound", 1), `ProvisioningTenantClass standard: unknown field "spec.bound"`},
		"a rate of nobody": {strings.Replace(standard, "50", "0", 1), "ProvisioningTenantClass standard for ProvisioningTenant contoso: spec.rateLimit.requestsPerSecond"},
		"twice":            {join(standard, standard), "ProvisioningTenantClass standard: is also in"},
	} {
		if _, err := load(options(t, map[string]string{"a.yaml": join(contoso, test.class)})); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}
