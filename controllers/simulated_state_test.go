package controllers

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/internal/statuscheck"
)

func (s *simulated) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *simulated) tenant() *v1alpha1.ProvisioningTenant {
	s.Helper()
	var tenant v1alpha1.ProvisioningTenant
	s.must(s.WithWatch.Get(s.Context(), client.ObjectKey{Namespace: "customers", Name: "contoso"}, &tenant))
	return &tenant
}

// secret returns an empty Secret for one that does not exist.
func (s *simulated) secret(name string) *corev1.Secret {
	s.Helper()
	var secret corev1.Secret
	s.must(client.IgnoreNotFound(s.WithWatch.Get(context.Background(), client.ObjectKey{Namespace: "customers", Name: name}, &secret)))
	return &secret
}

// verifiers are what the server takes.
func (s *simulated) verifiers() token.Set {
	s.Helper()
	data := s.secret("contoso-verifier").Data[v1alpha1.VerifierKey]
	if data == nil {
		return token.Set{}
	}
	set, err := token.Decode(data)
	s.must(err)
	return set
}

// state is everything in the namespace without what may differ between two ways to the same end.
func (s *simulated) state() string {
	s.Helper()
	var hidden []string
	for key, plaintexts := range s.tokens {
		for _, plaintext := range plaintexts {
			verifier := token.NewVerifier(plaintext, token.RoleProvisioner, s.now.Now())
			hidden = append(hidden, plaintext, "TOKEN "+key, verifier.SHA256, "HASH "+key, verifier.Fingerprint(), "FINGERPRINT "+key)
		}
	}
	var all bytes.Buffer
	for _, list := range append(controlledLists(), &corev1.SecretList{}, &corev1.PersistentVolumeClaimList{}, &v1alpha1.ProvisioningTenantList{}) {
		s.must(s.List(s.Context(), list))
		items, err := meta.ExtractList(list)
		s.must(err)
		for _, item := range items {
			object, _ := item.(client.Object)
			object.SetResourceVersion("")
			object.SetManagedFields(nil)
			if tenant, ok := object.(*v1alpha1.ProvisioningTenant); ok {
				for i := range tenant.Status.Conditions {
					tenant.Status.Conditions[i].LastTransitionTime = metav1.Time{}
				}
			}
			if secret, ok := object.(*corev1.Secret); ok {
				secret.StringData = map[string]string{}
				for key, value := range secret.Data {
					secret.StringData[key] = string(value)
				}
				secret.Data = nil
			}
			text, err := yaml.Marshal(object)
			s.must(err)
			fmt.Fprintf(&all, "--- %T\n%s", object, text)
		}
	}
	return strings.NewReplacer(hidden...).Replace(all.String())
}

// check asserts what must be true of every settled tenant.
func (s *simulated) check() {
	s.Helper()
	for _, problem := range statuscheck.Tenant(s.tenant()) {
		s.Error("status: ", problem)
	}
	if !meta.IsStatusConditionTrue(s.tenant().Status.Conditions, v1alpha1.ConditionReady) {
		s.Errorf("the settled tenant is not ready: %+v", s.tenant().Status.Conditions)
	}
	set, wanted := s.verifiers(), token.Wanted(s.tenant())
	if len(set.Verifiers) != len(wanted) {
		s.Errorf("the server takes %d credentials, the spec asks for %d", len(set.Verifiers), len(wanted))
	}
	for key, plaintext := range s.handed() {
		if !slices.ContainsFunc(set.Verifiers, func(v token.Verifier) bool { return v.Fingerprint() == token.Fingerprint(plaintext) }) {
			s.Errorf("a Secret still holds %s, which nobody takes", key)
		}
	}
	for _, credential := range wanted {
		given := s.tokens[credential.Key]
		if len(given) != 1 {
			s.Errorf("%d different values of %s were stored; what someone may have copied must stay", len(given), credential.Key)
			continue
		}
		_, bearer := set.Find(given[0])
		_, buyer := set.FindClient("contoso", given[0])
		if bearer != (credential.ClientID == "") || buyer != (credential.ClientID != "") {
			s.Errorf("the server takes %s as a bearer's: %v, as a client's: %v", credential.Key, bearer, buyer)
		}
	}
}

func contoso(change ...func(*v1alpha1.ProvisioningTenant)) *v1alpha1.ProvisioningTenant {
	tenant := &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", UID: "uid-contoso", Generation: 1},
		Spec: v1alpha1.ProvisioningTenantSpec{
			Exposure: v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "contoso.example.com"},
			Storage:  v1alpha1.Storage{Type: v1alpha1.StorageSQLite, SQLite: v1alpha1.SQLiteStorage{Size: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(tenant)
	}
	return tenant
}
