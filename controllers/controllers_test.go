package controllers

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

func TestUserDefaultsAreAcceptedOnlyIfTheyFitTheTenant(t *testing.T) {
	tenant := &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Name: "contoso"},
		Spec:       v1alpha1.ProvisioningTenantSpec{Catalog: v1alpha1.Catalog{Companies: []string{"Contoso AB"}, Roles: []string{"approver"}}},
	}
	refuse := func(v1alpha1.Schema, string) error { return errors.New("the parser's words") }
	options := Options{
		CheckFilter:    func(v1alpha1.Schema, string) error { return nil },
		CheckAttribute: func(v1alpha1.Schema, string, string) error { return nil },
	}
	for name, test := range map[string]struct {
		spec    v1alpha1.UserDefaultsSpec
		options Options
		reason  string
		message string
	}{
		"all is well":       {v1alpha1.UserDefaultsSpec{Companies: []string{"Contoso AB"}, Roles: []string{"approver"}}, options, "", ""},
		"unknown company":   {v1alpha1.UserDefaultsSpec{Companies: []string{"contoso ab"}}, options, "UnknownCompany", `spec.companies: "contoso ab" must be in spec.catalog.companies of ProvisioningTenant contoso.`},
		"unknown role":      {v1alpha1.UserDefaultsSpec{Companies: []string{"Contoso AB"}, Roles: []string{"boss"}}, options, "UnknownRole", `spec.roles: "boss" must be in spec.catalog.roles of ProvisioningTenant contoso.`},
		"invalid filter":    {v1alpha1.UserDefaultsSpec{Filter: "("}, Options{CheckFilter: refuse}, "InvalidFilter", "spec.filter must be a SCIM filter over users: the parser's words."},
		"invalid attribute": {v1alpha1.UserDefaultsSpec{Attributes: []v1alpha1.AttributeDefault{{Path: "emails", Value: "x"}}}, Options{CheckAttribute: func(v1alpha1.Schema, string, string) error { return errors.New("has several values") }}, "InvalidAttribute", `spec.attributes["emails"]: has several values.`},
		"unknown time zone": {v1alpha1.UserDefaultsSpec{Timezone: "Mars/Base"}, Options{CheckAttribute: func(_ v1alpha1.Schema, path, value string) error { return errors.New(path + " is not " + value) }}, "InvalidAttribute", `spec.timezone: timezone is not Mars/Base.`},
		"several mistakes": {
			v1alpha1.UserDefaultsSpec{Companies: []string{"X", "Contoso AB"}, Roles: []string{"boss"}, Filter: "(", Locale: "xx"},
			Options{CheckFilter: refuse, CheckAttribute: func(v1alpha1.Schema, string, string) error { return errors.New("wrong") }}, "UnknownCompany",
			`spec.companies: "X" must be in spec.catalog.companies of ProvisioningTenant contoso. spec.roles: "boss" must be in spec.catalog.roles of ` +
				`ProvisioningTenant contoso. spec.filter must be a SCIM filter over users: the parser's words. spec.locale: wrong.`,
		},
		// bug class 10: an unknown enum value taken for the default.
		"apply of a newer version": {v1alpha1.UserDefaultsSpec{Apply: "Sometimes"}, options, "Unsupported", `spec.apply "Sometimes" is of a newer version: upgrade the operator or choose OnCreate or Always.`},
	} {
		t.Run(name, func(t *testing.T) {
			got := accept(&v1alpha1.UserDefaults{Spec: test.spec}, tenant, test.options)
			switch {
			case got == nil && test.reason != "":
				t.Errorf("accepted, want %s", test.reason)
			case got != nil && (got.Reason != test.reason || got.Message != test.message):
				t.Errorf("got %s: %s\nwant %s: %s", got.Reason, got.Message, test.reason, test.message)
			}
		})
	}
}

func TestErrorsAreSortedIntoThoseOfAPersonThoseThatPassAndOurOwn(t *testing.T) {
	resource := schema.GroupResource{Resource: "deployments"}
	kind := schema.GroupKind{Kind: "Deployment"}
	terminating := apierrors.NewForbidden(resource, "x", errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		err      error
		reason   string
		gone     bool
		outdated bool
		failed   bool
		requeue  bool
	}{
		"a stranger's object":      {err: &apply.NotOursError{Kind: "Service", Name: "x"}, reason: "NameConflict", requeue: true},
		"an object on its way out": {err: &apply.GoingError{Kind: "Service", Name: "x", Finalizers: []string{"example.com/hold"}}, reason: "Progressing", requeue: true},
		"invalid":                  {err: apierrors.NewInvalid(kind, "x", nil), reason: "Rejected"},
		"forbidden":                {err: apierrors.NewForbidden(resource, "x", errors.New("quota")), reason: "Rejected", requeue: true},
		// bug class 13: creates fail while the namespace goes, and that is no error.
		"the namespace is going": {err: terminating, gone: true},
		// bug class 18: a conflict is no failure.
		"a conflict":            {err: fmt.Errorf("apply it: %w", apierrors.NewConflict(resource, "x", errors.New("old"))), outdated: true},
		"it was made meanwhile": {err: apierrors.NewAlreadyExists(resource, "x"), outdated: true},
		"the API server failed": {err: apierrors.NewInternalError(errors.New("etcd")), failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scope{}
			// A wrapped error is sorted like a bare one.
			s.fail(problem.Classify(errors.Join(test.err), v1alpha1.ConditionServerAvailable, v1alpha1.ReasonRejected))
			if s.outcome.gone != test.gone || s.outcome.onlyOutdated() != test.outdated || (len(s.outcome.failed) > 0) != test.failed {
				t.Errorf("got %+v", s.outcome)
			}
			if test.reason != "" && (len(s.conditions) != 1 || s.conditions[0].Reason != test.reason) {
				t.Errorf("got the conditions %+v, want reason %s", s.conditions, test.reason)
			}
			result, err := s.outcome.result()
			if (result.RequeueAfter > 0) != test.requeue {
				t.Errorf("requeue after %v, want one: %v", result.RequeueAfter, test.requeue)
			}
			if (err != nil) != test.failed {
				t.Errorf("got the error %v, want one only where the operator failed: it is logged, counted and alerted of", err)
			}
		})
	}
}
