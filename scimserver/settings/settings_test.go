package settings_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestTheBaseIsThePublishedURLElseThatOfTheHost(t *testing.T) {
	for _, test := range []struct{ url, host, want string }{
		{"https://published.example.com/scim/v2", "host.example.com", "https://published.example.com/scim/v2"},
		{"", "host.example.com", "https://host.example.com/scim/v2"},
		{"", "", ""},
	} {
		s := &settings.Snapshot{Tenant: &v1alpha1.ProvisioningTenant{
			Spec:   v1alpha1.ProvisioningTenantSpec{Exposure: v1alpha1.Exposure{Host: test.host}},
			Status: v1alpha1.ProvisioningTenantStatus{TenantURL: test.url},
		}}
		if got := s.BaseURL(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
		wantToken := strings.Replace(test.want, "/scim/v2", "/oauth2/token", 1)
		if got := s.TokenURL(); got != wantToken {
			t.Errorf("%+v: the token endpoint is %s, want %s", test, got, wantToken)
		}
	}
}

func TestARequestByAnAdditionalHostIsAnsweredWithThatHost(t *testing.T) {
	s := &settings.Snapshot{Tenant: &v1alpha1.ProvisioningTenant{Status: v1alpha1.ProvisioningTenantStatus{
		TenantURL: "https://now.example.com/scim/v2", AdditionalURLs: []string{"https://former.example.com/scim/v2"},
	}}}
	for host, want := range map[string]string{
		"now.example.com":         "https://now.example.com/scim/v2",
		"former.example.com":      "https://former.example.com/scim/v2",
		"former.example.com:443":  "https://former.example.com/scim/v2",
		"Former.Example.com":      "https://former.example.com/scim/v2",
		"former.example.com:8443": "https://now.example.com/scim/v2",
		"foreign.example.com":     "https://now.example.com/scim/v2",
		"":                        "https://now.example.com/scim/v2",
	} {
		if got := s.BaseURLAt(host); got != want {
			t.Errorf("at %q: got %s, want %s", host, got, want)
		}
	}
}

func TestOnlyDisabledSwitchesOff(t *testing.T) {
	for _, users := range []v1alpha1.Switch{v1alpha1.SwitchEnabled, v1alpha1.SwitchDisabled, ""} {
		for _, groups := range []v1alpha1.Switch{v1alpha1.SwitchEnabled, v1alpha1.SwitchDisabled, ""} {
			s := &settings.Snapshot{Tenant: &v1alpha1.ProvisioningTenant{
				Spec: v1alpha1.ProvisioningTenantSpec{Provisioning: v1alpha1.Provisioning{Users: users, Groups: groups}},
			}}
			if s.UsersEnabled() != (users != v1alpha1.SwitchDisabled) || s.GroupsEnabled() != (groups != v1alpha1.SwitchDisabled) {
				t.Errorf("users %q: %v, groups %q: %v", users, s.UsersEnabled(), groups, s.GroupsEnabled())
			}
		}
	}
}

func TestOnlySuspendedHoldsBack(t *testing.T) {
	for _, provisioning := range []v1alpha1.State{v1alpha1.StateActive, v1alpha1.StateSuspended, ""} {
		for _, access := range []v1alpha1.State{v1alpha1.StateActive, v1alpha1.StateSuspended, ""} {
			s := &settings.Snapshot{Tenant: &v1alpha1.ProvisioningTenant{Spec: v1alpha1.ProvisioningTenantSpec{
				Provisioning: v1alpha1.Provisioning{State: provisioning}, Access: v1alpha1.Access{State: access},
			}}}
			if s.ProvisioningSuspended() != (provisioning == v1alpha1.StateSuspended) || s.AccessSuspended() != (access == v1alpha1.StateSuspended) {
				t.Errorf("provisioning %q: %v, access %q: %v", provisioning, s.ProvisioningSuspended(), access, s.AccessSuspended())
			}
		}
	}
}

func TestNobodyIsPurgedWhileClientsCannotSpeakOfUsers(t *testing.T) {
	const after = 90 * 24 * time.Hour
	for name, test := range map[string]struct {
		change func(*v1alpha1.ProvisioningTenantSpec)
		want   time.Duration
	}{
		"set":                    {func(*v1alpha1.ProvisioningTenantSpec) {}, after},
		"not set":                {func(s *v1alpha1.ProvisioningTenantSpec) { s.Retention.DeactivatedUsers = nil }, 0},
		"provisioning suspended": {func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.State = v1alpha1.StateSuspended }, 0},
		"access suspended":       {func(s *v1alpha1.ProvisioningTenantSpec) { s.Access.State = v1alpha1.StateSuspended }, after},
		"users disabled":         {func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.Users = v1alpha1.SwitchDisabled }, 0},
		"groups disabled":        {func(s *v1alpha1.ProvisioningTenantSpec) { s.Provisioning.Groups = v1alpha1.SwitchDisabled }, after},
	} {
		tenant := &v1alpha1.ProvisioningTenant{}
		tenant.Spec.Retention.DeactivatedUsers = &metav1.Duration{Duration: after}
		test.change(&tenant.Spec)
		if got := (&settings.Snapshot{Tenant: tenant}).PurgeAfter(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestDefaultsAreTriedByPriorityAndThenByName(t *testing.T) {
	var all []v1alpha1.UserDefaults
	for _, d := range []struct {
		name     string
		priority int32
	}{{"b", 0}, {"low", -5}, {"a", 0}, {"z", 1000000}} {
		all = append(all, v1alpha1.UserDefaults{ObjectMeta: metav1.ObjectMeta{Name: d.name}, Spec: v1alpha1.UserDefaultsSpec{Priority: d.priority}})
	}
	settings.SortDefaults(all)
	var got string
	for _, d := range all {
		got += d.Name + " "
	}
	if want := "z a b low "; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestWhoeverTakesTheChannelFirstMissesNoSnapshot(t *testing.T) {
	var latest settings.Latest
	if latest.Current() != nil {
		t.Fatal("there is a snapshot before the first")
	}
	const readers, last = 8, 200
	snapshots := make([]*settings.Snapshot, last)
	for i := range snapshots {
		snapshots[i] = &settings.Snapshot{}
	}
	var wait sync.WaitGroup
	for range readers {
		wait.Go(func() {
			for {
				changed := latest.Changed()
				if latest.Current() == snapshots[last-1] {
					return
				}
				<-changed
			}
		})
	}
	for _, s := range snapshots {
		latest.Publish(s)
	}
	wait.Wait()
}
