package clustertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

func reading(names ...string) func(*v1alpha1.ProvisioningTenant) {
	return func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = nil
		for _, name := range names {
			p.Spec.Authentication.Readers = append(p.Spec.Authentication.Readers, v1alpha1.Reader{Name: name})
		}
	}
}

// untilIssued waits until the server takes this many credentials, and the credentials Secret has these keys; it returns the Secret's data.
func (w *world) untilIssued(ids int, keys ...string) map[string][]byte {
	w.Helper()
	return w.untilHanded("contoso-credentials", ids, keys...)
}

// untilReader waits until the server takes this many credentials, and the Secret of a reader has these keys beside those that each of them has.
func (w *world) untilReader(name string, ids int, more ...string) map[string][]byte {
	w.Helper()
	keys := append([]string{"entraTenantID", "token", "type", "uri"}, more...)
	slices.Sort(keys)
	return w.untilHanded("contoso-reader."+name, ids, keys...)
}

func (w *world) untilHanded(name string, ids int, keys ...string) map[string][]byte {
	w.Helper()
	var data map[string][]byte
	w.eventually("the credentials are as the spec says", func() string {
		var handed, verifier corev1.Secret
		// The verifiers first: they are written after what is handed out.
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-verifier"}, &verifier); err != nil {
			return err.Error()
		}
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, &handed); err != nil {
			return err.Error()
		}
		data = handed.Data
		set, err := token.Decode(verifier.Data[v1alpha1.VerifierKey])
		if err != nil {
			return err.Error()
		}
		if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, keys) || len(set.Verifiers) != ids {
			return fmt.Sprintf("Secret %s has %v and the server takes %d", name, got, len(set.Verifiers))
		}
		return ""
	})
	return data
}

func TestAReaderThatIsAddedGetsASecretWhoseTokenEndsWhenItIsRenamedOrRemoved(t *testing.T) {
	race.Meets(t) // readers
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	plaintext := w.plaintext()

	edit(w, tenant, reading("payroll", "audit"))
	payroll, audit := w.untilReader("payroll", 3), w.untilReader("audit", 3)
	for name, data := range map[string]map[string][]byte{"payroll": payroll, "audit": audit} {
		if v, ok := w.verifiers().Find(string(data["token"])); !ok || v.Role != token.RoleReader || v.ID != "reader-"+name {
			t.Errorf("the server takes the token of %s for %+v", name, v)
		}
		if string(data["uri"]) != "https://"+w.namespace+".example.com/scim/v2" || string(data["entraTenantID"]) != knownEntraTenant || string(data["type"]) != "scim" {
			t.Errorf("the Secret of %s does not say where to read: %q", name, data)
		}
	}
	// A reader's Secret has no other credential, and the credentials Secret has no reader's.
	w.untilIssued(3, "tenantURL", "token")

	edit(w, tenant, reading("accounts", "audit"))
	accounts := w.untilReader("accounts", 3)
	if string(w.untilReader("audit", 3)["token"]) != string(audit["token"]) {
		t.Error("the token of the reader that stays changed")
	}
	if string(accounts["token"]) == string(payroll["token"]) {
		t.Error("the renamed reader has the old token")
	}
	if _, ok := w.verifiers().Find(string(payroll["token"])); ok {
		t.Error("the server still takes the token of the old name")
	}
	w.untilHanded("contoso-reader.payroll", 3)

	edit(w, tenant, reading())
	w.untilIssued(1, "tenantURL", "token")
	w.untilHanded("contoso-reader.accounts", 1)
	w.untilHanded("contoso-reader.audit", 1)
	if _, ok := w.verifiers().Find(plaintext); !ok || w.plaintext() != plaintext {
		t.Error("the Secret Token changed with the readers")
	}
	w.until(tenant, ready)

	// A name that comes back gets another token, in the Secret that was left.
	edit(w, tenant, reading("payroll"))
	if again := w.untilReader("payroll", 2); string(again["token"]) == string(payroll["token"]) {
		t.Error("a reader that came back has the old token")
	}
}

func TestAReadersSecretFollowsWhatItTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(authenticating(v1alpha1.Authentication{Readers: []v1alpha1.Reader{
		{Name: "payroll", Rotation: v1alpha1.Rotation{RotationInterval: &metav1.Duration{Duration: 720 * time.Hour}, Overlap: &metav1.Duration{Duration: 24 * time.Hour}}},
	}})))
	w.until(tenant, ready)
	before := w.untilReader("payroll", 2, "expiresAt")
	ends, err := time.Parse(time.RFC3339, string(before["expiresAt"]))
	if err != nil || !ends.Equal(w.verifiers().Verifiers[1].IssuedAt.Add(744*time.Hour)) {
		t.Errorf("the token ends at %q (%v)", before["expiresAt"], err)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers[0].Rotation = v1alpha1.Rotation{}
		p.Spec.Exposure.Host = w.namespace + ".other.example.com"
		p.Spec.IdentityProvider = nil
	})
	var after map[string][]byte
	w.eventually("the Secret tells of the new host, and of no Entra tenant and end", func() string {
		after = get(w, &corev1.Secret{}, "contoso-reader.payroll").Data
		if got := slices.Sorted(maps.Keys(after)); !slices.Equal(got, []string{"token", "type", "uri"}) || string(after["uri"]) != "https://"+w.namespace+".other.example.com/scim/v2" {
			return fmt.Sprintf("%v, %s", got, after["uri"])
		}
		return ""
	})
	if string(after["token"]) != string(before["token"]) {
		t.Error("the token changed")
	}
	w.until(tenant, ready)
	w.settled()
}

func TestAReadersSecretMayBeDeletedAfterCopyingAndOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll", "audit")))
	w.until(tenant, ready)
	payroll, audit := w.untilReader("payroll", 3), w.untilReader("audit", 3)
	w.deleteSecret("contoso-reader.payroll")
	w.settled()
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-reader.payroll"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Secret that was deleted is there again: %v", err)
	}
	edit(w, tenant, reading("payroll", "audit", "portal"))
	portal := w.untilReader("portal", 4)
	for name, data := range map[string]map[string][]byte{"payroll": payroll, "audit": audit, "portal": portal} {
		if _, ok := w.verifiers().Find(string(data["token"])); !ok {
			t.Errorf("the server does not take the token of %s", name)
		}
	}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-reader.payroll"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("another reader made it again: %v", err)
	}
	// A rotation hands over a new one.
	annotate(w, tenant, rotatePayroll, asked(0))
	if next := w.untilReader("payroll", 5); string(next["token"]) == string(payroll["token"]) {
		t.Error("the token was not replaced")
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
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "contoso-reader.payroll"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Errorf("there is a Secret for it: %v", err)
	}

	become := func(reader v1alpha1.Reader) {
		edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.Readers = []v1alpha1.Reader{reader} })
	}
	become(byToken)
	before := w.untilReader("payroll", 2)
	become(byAccount)
	w.untilHanded("contoso-reader.payroll", 1)
	if _, ok := w.verifiers().Find(string(before["token"])); ok {
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

func TestAClientThatIsAddedAfterTheCredentialsSecretWasDeletedIsAloneInTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	before, payroll := w.untilIssued(2, "tenantURL", "token"), w.untilReader("payroll", 2)
	w.deleteSecret("contoso-credentials")
	w.until(tenant, "CredentialsReady=True/Copied")

	// A reader has a Secret of its own, so that of the others stays as it is.
	edit(w, tenant, reading("payroll", "audit"))
	audit := w.untilReader("audit", 3)
	w.until(tenant, "CredentialsReady=True/Copied", ready)

	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Authentication.OAuth = &v1alpha1.OAuth{} })
	w.untilIssued(4, "clientID", "clientSecret", "tenantURL", "tokenURL")
	w.until(tenant, "CredentialsReady=True/Issued", ready)
	for _, data := range []map[string][]byte{before, payroll, audit} {
		if _, ok := w.verifiers().Find(string(data["token"])); !ok {
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
		readers = append(readers, v1alpha1.Reader{Name: fmt.Sprintf("%d-%s", i, strings.Repeat("a", 55-len(fmt.Sprint(i))))})
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
	const entra = "spec: Invalid value: identityProvider must be specified where authentication has workloadIdentity, entraToken or userToken: its login authority signs those tokens"
	lifetime := func(d time.Duration) func(*v1alpha1.ProvisioningTenant) {
		return authenticating(v1alpha1.Authentication{OAuth: &v1alpha1.OAuth{AccessTokenLifetime: &metav1.Duration{Duration: d}}})
	}
	withoutEntra := func(a v1alpha1.Authentication) func(*v1alpha1.ProvisioningTenant) {
		return func(p *v1alpha1.ProvisioningTenant) { p.Spec.IdentityProvider, p.Spec.Authentication = nil, a }
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
		"a reader with a long name":                 {reading(strings.Repeat("a", 57)), path + "readers[0].name: Too long: may not be more than 56 bytes"},
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
