package storage

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestAConnectionSecretCountsAsThereWhileNothingSaysOtherwise(t *testing.T) {
	t.Parallel()
	const arrived, onVolume = true, false
	was := func(ready, inEffect string, available metav1.ConditionStatus) tenantChange {
		return func(tenant *v1alpha1.ProvisioningTenant) {
			tenant.Generation = 7
			tenant.Status.Conditions = []metav1.Condition{
				{Type: v1alpha1.ConditionStorageReady, Reason: ready, ObservedGeneration: 7},
				{Type: v1alpha1.ConditionStorageInEffect, Reason: inEffect, ObservedGeneration: 7},
				{Type: v1alpha1.ConditionServerAvailable, Status: available, ObservedGeneration: 7},
			}
		}
	}
	good, moving := was("Configured", "InEffect", metav1.ConditionTrue), was("Moving", "InEffect", metav1.ConditionFalse)
	edited := func(tenant *v1alpha1.ProvisioningTenant) { tenant.Generation = 8 }
	due := Connection{"contoso-database/url", noon.Add(time.Second)}
	for name, test := range map[string]struct {
		known   Connection
		status  []tenantChange
		arrived bool
		want    bool
	}{
		"nobody has looked":                             {Connection{}, nil, arrived, false},
		"an operator that has just started":             {Connection{}, []tenantChange{good}, arrived, true},
		"it was found":                                  {due, []tenantChange{good}, arrived, true},
		"it was found a while ago":                      {Connection{due.Name, noon}, []tenantChange{good}, arrived, false},
		"another was found":                             {Connection{"other/url", due.Due}, []tenantChange{good}, arrived, false},
		"the spec has changed":                          {due, []tenantChange{good, edited}, arrived, false},
		"it was missing":                                {due, []tenantChange{was("Configured", "ConnectionSecretMissing", metav1.ConditionTrue)}, arrived, false},
		"no server is available":                        {due, []tenantChange{was("Configured", "InEffect", metav1.ConditionFalse)}, arrived, false},
		"nobody knows of a server":                      {due, []tenantChange{was("Configured", "InEffect", metav1.ConditionUnknown)}, arrived, false},
		"it keeps the tenant from its storage":          {due, []tenantChange{was("ConnectionSecretMissing", "InEffect", metav1.ConditionTrue)}, arrived, false},
		"the directory has a volume":                    {due, []tenantChange{was("Bound", "InEffect", metav1.ConditionTrue)}, onVolume, false},
		"the directory moves":                           {Connection{}, []tenantChange{moving}, onVolume, true},
		"the directory moves, and the spec has changed": {Connection{}, []tenantChange{moving, edited}, onVolume, false},
		"the directory has moved":                       {Connection{}, []tenantChange{moving}, arrived, false},
		"a volume came back":                            {Connection{}, []tenantChange{good}, onVolume, true},
	} {
		if got := test.known.Counts(contoso(append([]tenantChange{inDatabase}, test.status...)...), test.arrived, noon); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAMissingConnectionURLIsToldBySecretAndKey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		exists, hasKey bool
		want           string
	}{
		{false, false, "Secret contoso-database in spec.storage.postgresql.connectionSecretRef does not exist: create it with the connection URL under the key url."},
		{true, false, "Secret contoso-database in spec.storage.postgresql.connectionSecretRef has no key url: put the connection URL there."},
		{true, true, ""},
	} {
		err := ConnectionMissing(contoso(inDatabase), test.exists, test.hasKey, 30*time.Second)
		if test.want == "" {
			if err != nil {
				t.Errorf("it is there, and missing: %v", err)
			}
			continue
		}
		if err == nil || err.Error() != test.want || told(err) != "waiting StorageReady ConnectionSecretMissing 30s" {
			t.Errorf("got %s: %v\nwant %s", told(err), err, test.want)
		}
	}
}
