package clustertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

func reading(names ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = nil
		for _, name := range names {
			p.Spec.Authentication.Readers = append(p.Spec.Authentication.Readers, v1alpha1.Reader{Name: name})
		}
	}
}

// untilIssued waits until the server takes these credentials and no others, and the credentials Secret has these keys; it
// returns the Secret's data.
func (w *world) untilIssued(ids int, keys ...string) map[string][]byte {
	w.Helper()
	var data map[string][]byte
	w.eventually("the credentials are as the spec says", func() string {
		var credentials, verifier corev1.Secret
		for name, secret := range map[string]*corev1.Secret{"contoso-credentials": &credentials, "contoso-verifier": &verifier} {
			if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, secret); err != nil {
				return err.Error()
			}
		}
		data = credentials.Data
		set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
		if err != nil {
			return err.Error()
		}
		if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, keys) || len(set.Verifiers) != ids {
			return "they are not yet"
		}
		return ""
	})
	return data
}

func TestAReaderThatIsAddedGetsATokenWhichEndsWhenItIsRenamedOrRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext := w.plaintext()

	edit(w, tenant, reading("payroll", "audit"))
	first := w.untilIssued(3, "reader.audit", "reader.payroll", "tenantURL", "token")
	for _, name := range []string{"payroll", "audit"} {
		if v, ok := w.verifiers().Find(string(first["reader."+name])); !ok || v.Role != token.RoleReader || v.ID != "reader-"+name {
			t.Errorf("the server takes the token of %s for %+v", name, v)
		}
	}

	edit(w, tenant, reading("accounts", "audit"))
	renamed := w.untilIssued(3, "reader.accounts", "reader.audit", "tenantURL", "token")
	if string(renamed["reader.audit"]) != string(first["reader.audit"]) {
		t.Error("the token of the reader that stays changed")
	}
	if string(renamed["reader.accounts"]) == string(first["reader.payroll"]) {
		t.Error("the renamed reader has the old token")
	}
	if _, ok := w.verifiers().Find(string(first["reader.payroll"])); ok {
		t.Error("the server still takes the token of the old name")
	}

	edit(w, tenant, reading())
	w.untilIssued(1, "tenantURL", "token")
	if _, ok := w.verifiers().Find(plaintext); !ok || w.plaintext() != plaintext {
		t.Error("the Secret Token changed with the readers")
	}
	w.until(tenant, ready)
}

func TestAReaderThatIsAServiceAccountHasNoTokenAndOneThatBecomesOneLosesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byToken := v1alpha1.Reader{Name: "payroll"}
	byAccount := v1alpha1.Reader{Name: "payroll", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "payroll", Namespace: "apps"}}
	tenant := create(w, w.tenant(authenticating(v1alpha1.Authentication{Readers: []v1alpha1.Reader{byAccount}})))
	w.until(tenant, ready)
	w.untilIssued(1, "tenantURL", "token")

	become := func(reader v1alpha1.Reader) {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.Readers = []v1alpha1.Reader{reader} })
	}
	become(byToken)
	before := w.untilIssued(2, "reader.payroll", "tenantURL", "token")
	become(byAccount)
	w.untilIssued(1, "tenantURL", "token")
	if _, ok := w.verifiers().Find(string(before["reader.payroll"])); ok {
		t.Error("the server still takes the token that the reader had")
	}
	w.until(tenant, ready)
}

func TestOAuthGivesAClientAndATokenURLAndTakesThemAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} }))
	w.until(tenant, ready)
	data := w.untilIssued(2, "clientID", "clientSecret", "tenantURL", "token", "tokenURL")
	url := "https://" + w.namespace + ".example.com/oauth2/token"
	if string(data["clientID"]) != "contoso" || string(data["tokenURL"]) != url || tenant.Status.TokenURL != url {
		t.Errorf("client ID %q, token URL %q and in the status %q", data["clientID"], data["tokenURL"], tenant.Status.TokenURL)
	}
	if _, ok := w.verifiers().FindClient("contoso", string(data["clientSecret"])); !ok {
		t.Error("the server does not take the client secret")
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = nil })
	w.untilIssued(1, "tenantURL", "token")
	w.until(tenant, ready)
	if tenant.Status.TokenURL != "" {
		t.Errorf("status.tokenURL is still %q", tenant.Status.TokenURL)
	}
}

func TestAReaderThatIsAddedAfterTheCredentialsSecretWasDeletedIsAloneInTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	before := w.untilIssued(2, "reader.payroll", "tenantURL", "token")
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied")

	edit(w, tenant, reading("payroll", "audit"))
	after := w.untilIssued(3, "reader.audit", "tenantURL")
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	for _, plaintext := range [][]byte{before["token"], before["reader.payroll"], after["reader.audit"]} {
		if _, ok := w.verifiers().Find(string(plaintext)); !ok {
			t.Error("the server does not take every token that was handed over")
		}
	}
	// And it may be deleted again.
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied", ready)
}

// authenticating gives a tenant these ways in, and the Entra tenant that some of them need.
func authenticating(a v1alpha1.Authentication) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication = a }
}

func TestTheAPIServerAcceptsEveryWayInUpToItsBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := func(n int) (values []string) {
		for i := range n {
			values = append(values, fmt.Sprintf("%d%s", i, strings.Repeat("x", 256-len(fmt.Sprint(i)))))
		}
		return values
	}
	var readers []v1alpha1.Reader
	for i := range 32 {
		readers = append(readers, v1alpha1.Reader{Name: fmt.Sprintf("%d-%s", i, strings.Repeat("a", 62-len(fmt.Sprint(i))))})
	}
	accounts := slices.Clone(readers)
	for i := range accounts {
		accounts[i].ServiceAccount = &v1alpha1.ServiceAccountReference{
			Name: fmt.Sprintf("%d-%s", i, strings.Repeat("a", 252-len(fmt.Sprint(i)))), Namespace: strings.Repeat("n", 63),
		}
	}
	for name, a := range map[string]v1alpha1.Authentication{
		"nothing":                      {},
		"a client with the default":    {OAuth: &v1alpha1.OAuth{}},
		"access tokens of an hour":     {OAuth: &v1alpha1.OAuth{AccessTokenLifetime: &metav1.Duration{Duration: time.Hour}}},
		"access tokens of six hours":   {OAuth: &v1alpha1.OAuth{AccessTokenLifetime: &metav1.Duration{Duration: 6 * time.Hour}}},
		"as many readers as there are": {Readers: readers},
		"a reader of one letter":       {Readers: []v1alpha1.Reader{{Name: "a"}}},
		"as many ServiceAccounts":      {Readers: accounts},
		"ServiceAccounts of one name": {Readers: []v1alpha1.Reader{
			{Name: "a", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal"}},
			{Name: "b", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal", Namespace: "apps"}},
			{Name: "c", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal", Namespace: "jobs"}},
		}},
		"workload identity":           {WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: many(16), Subjects: many(16)}},
		"Entra's own token":           {EntraToken: &v1alpha1.EntraToken{}},
		"Entra's own token, for many": {EntraToken: &v1alpha1.EntraToken{Audiences: many(16), Applications: many(16)}},
		"users' tokens":               {UserToken: &v1alpha1.UserToken{Audiences: many(16)}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.Create(t.Context(), w.tenant(named("accepted"), authenticating(a)), client.DryRunAll); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheAPIServerRefusesWaysInThatMakeNoSenseAndSaysWhatWould(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "spec.authentication."
	const duration = path + "oauth.accessTokenLifetime: Invalid value: must be a duration from 1h to 6h such as 90m"
	const label = path + "readers[0].name: Invalid value: must be a DNS label of lower-case letters, digits and '-' such as payroll"
	const entra = "spec: Invalid value: entra must be specified where authentication has workloadIdentity, entraToken or userToken: its login authority signs those tokens"
	lifetime := func(d time.Duration) func(*v1alpha1.ProvisioningTenant) {
		return authenticating(v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{AccessTokenLifetime: &metav1.Duration{Duration: d}}})
	}
	withoutEntra := func(a v1alpha1.Authentication) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) { p.Spec.Entra, p.Spec.Authentication = nil, a }
	}
	const rotated = path + "readers[0]: Invalid value: rotationInterval and overlap must not be specified where serviceAccount is: Kubernetes issues that reader's tokens and replaces them"
	const account = path + "readers[0].serviceAccount.name: Invalid value: must be the name of a ServiceAccount, of lower-case letters, digits, '-' and '.' such as payroll"
	const home = path + "readers[0].serviceAccount.namespace: Invalid value: must be the name of a namespace, a DNS label of lower-case letters, digits and '-' such as apps"
	accounts := func(references ...v1alpha1.ServiceAccountReference) func(*v1alpha1.ProvisioningTenant) {
		var readers []v1alpha1.Reader
		for i := range references {
			readers = append(readers, v1alpha1.Reader{Name: fmt.Sprint("reader-", i), ServiceAccount: &references[i]})
		}
		return authenticating(v1alpha1.Authentication{Readers: readers})
	}
	rotating := func(rotation v1alpha1.Rotation) func(*v1alpha1.ProvisioningTenant) {
		return authenticating(v1alpha1.Authentication{Readers: []v1alpha1.Reader{
			{Name: "payroll", Rotation: rotation, ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "payroll"}},
		}})
	}
	one, none, long := []string{"x"}, []string{""}, []string{strings.Repeat("x", 257)}
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprint("reader-", i))
	}
	type refusal struct {
		change func(*v1alpha1.ProvisioningTenant)
		want   string
	}
	tests := map[string]refusal{
		"access tokens of less than an hour":        {lifetime(time.Hour - time.Second), duration},
		"access tokens of more than six hours":      {lifetime(6*time.Hour + time.Second), duration},
		"access tokens of a negative time":          {lifetime(-2 * time.Hour), duration},
		"a reader without a name":                   {reading(""), path + "readers[0].name: Required value"},
		"a reader with a dot":                       {reading("pay.roll"), label},
		"a reader that ends with a dash":            {reading("payroll-"), label},
		"a reader with a long name":                 {reading(strings.Repeat("a", 64)), path + "readers[0].name: Too long: may not be more than 63 bytes"},
		"more readers than there may be":            {reading(many...), path + "readers: Too many: 33: must have at most 32 items"},
		"a reader twice":                            {reading("audit", "payroll", "audit"), path + `readers[2]: Duplicate value: {"name":"audit"}`},
		"a ServiceAccount without a name":           {accounts(v1alpha1.ServiceAccountReference{Namespace: "apps"}), path + "readers[0].serviceAccount.name: Required value"},
		"a ServiceAccount as its subject":           {accounts(v1alpha1.ServiceAccountReference{Name: "system:serviceaccount:apps:payroll"}), account},
		"a ServiceAccount in capitals":              {accounts(v1alpha1.ServiceAccountReference{Name: "Payroll"}), account},
		"a ServiceAccount with a long name":         {accounts(v1alpha1.ServiceAccountReference{Name: strings.Repeat("a", 254)}), path + "readers[0].serviceAccount.name: Too long: may not be more than 253 bytes"},
		"a namespace with a dot":                    {accounts(v1alpha1.ServiceAccountReference{Name: "payroll", Namespace: "apps.example"}), home},
		"a namespace that is too long":              {accounts(v1alpha1.ServiceAccountReference{Name: "payroll", Namespace: strings.Repeat("a", 64)}), path + "readers[0].serviceAccount.namespace: Too long: may not be more than 63 bytes"},
		"a ServiceAccount with a rotation":          {rotating(v1alpha1.Rotation{RotationInterval: &metav1.Duration{Duration: 24 * time.Hour}}), rotated},
		"a ServiceAccount with an overlap":          {rotating(v1alpha1.Rotation{Overlap: &metav1.Duration{Duration: time.Hour}}), rotated},
		"workload identity without an Entra tenant": {withoutEntra(v1alpha1.Authentication{WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: one, Subjects: one}}), entra},
		"Entra's own token without an Entra tenant": {withoutEntra(v1alpha1.Authentication{EntraToken: &v1alpha1.EntraToken{}}), entra},
		"users' tokens without an Entra tenant":     {withoutEntra(v1alpha1.Authentication{UserToken: &v1alpha1.UserToken{Audiences: one}}), entra},
	}
	// Every list has the same bounds; in EntraToken, which has defaults, none left out means these.
	for list, using := range map[string]func(values []string) v1alpha1.Authentication{
		"workloadIdentity.audiences": func(v []string) v1alpha1.Authentication {
			return v1alpha1.Authentication{WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: v, Subjects: one}}
		},
		"workloadIdentity.subjects": func(v []string) v1alpha1.Authentication {
			return v1alpha1.Authentication{WorkloadIdentity: &v1alpha1.WorkloadIdentity{Audiences: one, Subjects: v}}
		},
		"entraToken.audiences": func(v []string) v1alpha1.Authentication {
			return v1alpha1.Authentication{EntraToken: &v1alpha1.EntraToken{Audiences: v}}
		},
		"entraToken.applications": func(v []string) v1alpha1.Authentication {
			return v1alpha1.Authentication{EntraToken: &v1alpha1.EntraToken{Applications: v}}
		},
		"userToken.audiences": func(v []string) v1alpha1.Authentication {
			return v1alpha1.Authentication{UserToken: &v1alpha1.UserToken{Audiences: v}}
		},
	} {
		for what, c := range map[string]struct {
			values []string
			want   string
		}{
			"an empty value":  {none, "[0]: Invalid value: " + path + list + "[0] in body should be at least 1 chars long"},
			"a long value":    {long, "[0]: Too long: may not be more than 256 bytes"},
			"too many values": {many[:17], ": Too many: 17: must have at most 16 items"},
			"a value twice":   {[]string{"x", "y", "x"}, `[2]: Duplicate value: "x"`},
			"no value at all": {nil, ": Required value"},
		} {
			if c.values == nil && strings.HasPrefix(list, "entraToken.") {
				continue
			}
			tests[list+": "+what] = refusal{authenticating(using(c.values)), path + list + c.want}
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Create(t.Context(), w.tenant(named("refused"), test.change), client.DryRunAll), test.want)
		})
	}
}
