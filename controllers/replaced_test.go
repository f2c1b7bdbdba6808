package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
)

// A token is put back by hand, in the place of one that a client uses or not.
func TestATokenThatIsPutInThePlaceOfOneThatAClientUsesIsToldOf(t *testing.T) {
	t.Parallel()
	used := &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: &metav1.Time{Time: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)}}}
	for name, test := range map[string]struct {
		activity *v1alpha1.ActivityStatus
		deleted  bool // the Secret, and made again by hand
		want     string
	}{
		"no client was let in":                        {want: "CredentialsReady=True/Issued"},
		"no client was let in, into a Secret by hand": {deleted: true, want: "CredentialsReady=True/Issued"},
		"a client was":                                {activity: used, want: "CredentialsReady=True/TokenReplaced"},
		"a client was, into a Secret by hand":         {activity: used, deleted: true, want: "CredentialsReady=True/TokenReplaced"},
	} {
		w := watch(t)
		tenant, ended := w.tenant(), w.handed()["token"]
		tenant.Status.Activity = test.activity
		w.must(w.Status().Update(t.Context(), tenant))
		w.pass(time.Hour)
		if test.deleted {
			w.delete(credentialsSecret)
			w.byHand(credentialsSecret, "token", "")
		}
		secret := w.secret(credentialsSecret)
		secret.Labels, secret.Data["token"] = desired.Labels("contoso"), []byte(newToken(t))
		w.must(w.WithWatch.Update(t.Context(), secret, client.FieldOwner("kubectl-edit")))
		w.turn()
		w.expect(test.want)
		if told := strings.Contains(w.told(), token.Fingerprint(ended)); told != (test.activity != nil) {
			t.Errorf("%s: the message is %q", name, w.told())
		}
	}
}

func TestOnlyCredentialsThatWereIssuedAreToldToBeLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forget       func(*v1alpha1.ProvisioningTenantStatus)
		told, untold []string
	}{
		"the status is there":  {func(*v1alpha1.ProvisioningTenantStatus) {}, []string{"The Secret Token was lost", "reader.payroll was lost"}, []string{"reader.pay "}},
		"a part of it is gone": {func(s *v1alpha1.ProvisioningTenantStatus) { s.Credentials = nil }, []string{"The Secret Token was lost"}, nil},
		"more of it is gone": {
			func(s *v1alpha1.ProvisioningTenantStatus) {
				s.Credentials, s.Conditions = nil, nil
				s.Activity = &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: &metav1.Time{Time: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)}}}
			}, []string{"The Secret Token was lost"}, nil,
		},
	} {
		w := watch(t)
		w.denied = map[string]bool{"contoso-reader.pay": true}
		w.read("payroll", "pay")
		if issued := w.tenant().Status.Credentials.Issued; len(issued) != 3 || issued[2].Key != "reader.payroll" {
			t.Fatalf("%s: issued are %+v", name, issued)
		}
		tenant := w.tenant()
		test.forget(&tenant.Status)
		w.must(w.Status().Update(t.Context(), tenant))
		for _, secret := range []string{credentialsSecret, payrollSecret, verifierSecret} {
			w.must(w.WithWatch.Delete(t.Context(), w.secret(secret)))
		}
		w.denied = nil
		w.turn()
		w.expect("CredentialsReady=True/TokenLost", "Ready=True/Ready")
		for _, want := range test.told {
			if !strings.Contains(w.told(), want) {
				t.Errorf("%s: the message is %q", name, w.told())
			}
		}
		for _, not := range test.untold {
			if strings.Contains(w.told(), not) {
				t.Errorf("%s: the message tells of %s: %q", name, not, w.told())
			}
		}
		w.accepts("clientSecret", "reader.pay", "reader.payroll", "token")
	}
}
