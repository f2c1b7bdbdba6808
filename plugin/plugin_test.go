package plugin

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.Time{Time: now.Add(-d)} }

func condition(kind, status, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message, ObservedGeneration: 2,
		LastTransitionTime: ago(3 * time.Hour),
	}
}

// contoso is a tenant that is well.
func contoso() *v1alpha1.ProvisioningTenant {
	issued, asked := ago(72*time.Hour), ago(5*time.Minute)
	return &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "contoso", Generation: 2, CreationTimestamp: ago(72 * time.Hour)},
		Spec: v1alpha1.ProvisioningTenantSpec{
			DisplayName:  "Contoso Ltd",
			Provisioning: v1alpha1.Provisioning{State: v1alpha1.StateActive}, Access: v1alpha1.Access{State: v1alpha1.StateActive},
		},
		Status: v1alpha1.ProvisioningTenantStatus{
			ObservedGeneration: 2,
			TenantURL:          "https://contoso.scim.example.com/scim/v2",
			Credentials: &v1alpha1.CredentialsStatus{
				SecretName: "contoso-credentials", Fingerprint: "5c1fa7de81c3", IssuedAt: &issued,
				Issued: []v1alpha1.IssuedCredential{{Key: "token", Fingerprint: "5c1fa7de81c3", IssuedAt: &issued}},
			},
			Directory: &v1alpha1.DirectoryStatus{ObservedTime: new(ago(12 * time.Second)), Users: 500, ActiveUsers: 498, Groups: 40, Memberships: 1200},
			Activity: &v1alpha1.ActivityStatus{
				LastRequestTime: &asked, LastCycle: &v1alpha1.CycleStatus{Requests: 418, Creates: 12, Updates: 31, Failures: 1},
			},
			Conditions: []metav1.Condition{
				condition("Accepted", "True", "Accepted", "The spec makes sense."),
				condition("Exposed", "True", "IngressReady", "Ingress contoso-scim serves the host."),
				condition("Ready", "True", "Ready", ""),
			},
		},
	}
}

// The server tells the minute in which the last request came, so of its seconds nothing is known.
func TestTheLastRequestIsToldAsExactlyAsItIsKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		created, asked time.Duration
		want           string
	}{
		"none":                       {time.Hour, -1, "<none>"},
		"of this minute":             {time.Hour, 20 * time.Second, "20s"},
		"of the minute before":       {time.Hour, 64 * time.Second, "64s"},
		"of a tenant that is young":  {15 * time.Second, 64 * time.Second, "15s"},
		"of one that was made again": {15 * time.Second, 72 * time.Hour, "15s"},
		"long ago":                   {72 * time.Hour, 2 * time.Hour, "120m"},
	} {
		tenant := contoso()
		tenant.CreationTimestamp, tenant.Status.Activity.LastRequestTime = ago(c.created), nil
		if c.asked >= 0 {
			tenant.Status.Activity.LastRequestTime = new(ago(c.asked))
		}
		if got := lastRequest(tenant, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// rotated is contoso while two tokens are valid.
func rotated() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	end, previousEnd := ago(-4000*time.Hour), ago(-96*time.Hour)
	tenant.Status.Credentials.ExpiresAt, tenant.Status.Credentials.PreviousExpiresAt = &end, &previousEnd
	tenant.Status.Conditions = append(tenant.Status.Conditions,
		condition("CredentialsReady", "True", "Rotated", "The token before is valid until 2026-11-30T12:00:00Z."))
	return tenant
}

// renamed is contoso while it is reached by its host before, and by one that it is going to have.
func renamed() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Status.AdditionalURLs = []string{"https://contoso.example.org/scim/v2", "https://contoso-scim.example.com/scim/v2"}
	return tenant
}

// suspended is contoso while clients of both kinds are held back.
func suspended() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Spec.Provisioning.State, tenant.Spec.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	tenant.Status.Conditions[2] = condition("Ready", "True", "Suspended", "Provisioning and access are suspended.")
	tenant.Status.Conditions = append(tenant.Status.Conditions, condition("ProvisioningHealthy", "Unknown", "ProvisioningSuspended", ""))
	return tenant
}

// fabrikam is a tenant whose host another one has.
func fabrikam() *v1alpha1.ProvisioningTenant {
	taken := `Host "contoso.scim.example.com" belongs to tenant customers/contoso.`
	return &v1alpha1.ProvisioningTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "partners", Name: "fabrikam", Generation: 3, CreationTimestamp: ago(90 * time.Second)},
		Status: v1alpha1.ProvisioningTenantStatus{
			ObservedGeneration: 2,
			Conditions: []metav1.Condition{
				condition("Accepted", "False", "HostTaken", taken),
				condition("EntraTenantVerified", "Unknown", "AuthorityUnreachable", "The login authority did not answer."),
				condition("Ready", "False", "HostTaken", taken),
				condition("Stalled", "True", "HostTaken", taken),
			},
		},
	}
}

// paused is contoso while the operator keeps its hands off it, and its spec was changed since.
func paused() *v1alpha1.ProvisioningTenant {
	tenant := contoso()
	tenant.Generation = tenant.Status.ObservedGeneration + 1
	tenant.Annotations = map[string]string{v1alpha1.ReconcileAnnotation: v1alpha1.ReconcileDisabled}
	tenant.Status.Conditions[2] = condition("Ready", "Unknown", "ReconcileDisabled", "An annotation keeps the operator from this tenant.")
	tenant.Status.Conditions = append(tenant.Status.Conditions, condition("RequestsObeyed", "Unknown", "ReconcileDisabled", "A credential that leaked stays valid."))
	return tenant
}

// unseen is a tenant that no operator has seen yet.
func unseen() *v1alpha1.ProvisioningTenant {
	return &v1alpha1.ProvisioningTenant{ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: "new", Generation: 1, CreationTimestamp: ago(0)}}
}

func sales() v1alpha1.UserDefaults {
	return v1alpha1.UserDefaults{
		ObjectMeta: metav1.ObjectMeta{Namespace: "partners", Name: "sales", Generation: 1},
		Status: v1alpha1.UserDefaultsStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
			condition("Accepted", "False", "UnknownRole", `Role "seller" is not in the catalog of tenant fabrikam.`),
			condition("Ready", "False", "UnknownRole", `Role "seller" is not in the catalog of tenant fabrikam.`),
		}},
	}
}

func TestTablesAndDescriptionsAreThoseInTheGoldenFiles(t *testing.T) {
	t.Parallel()
	all := &v1alpha1.ProvisioningTenantList{Items: []v1alpha1.ProvisioningTenant{*contoso(), *suspended(), *unseen(), *fabrikam()}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"list": func(out *bytes.Buffer) error {
			return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(tenantTable(all, now), out)
		},
		"list-wide": func(out *bytes.Buffer) error {
			return printers.NewTablePrinter(printers.PrintOptions{Wide: true, WithNamespace: true}).PrintObj(tenantTable(all, now), out)
		},
		"describe-ready":   func(out *bytes.Buffer) error { return (&describedTenant{tenant: contoso()}).write(printing{out}, now) },
		"describe-rotated": func(out *bytes.Buffer) error { return (&describedTenant{tenant: rotated()}).write(printing{out}, now) },
		"describe-renamed": func(out *bytes.Buffer) error { return (&describedTenant{tenant: renamed()}).write(printing{out}, now) },
		"describe-wrong": func(out *bytes.Buffer) error {
			return (&describedTenant{tenant: fabrikam(), defaults: []v1alpha1.UserDefaults{sales()}}).write(out, now)
		},
		"describe-suspended": func(out *bytes.Buffer) error {
			return (&describedTenant{tenant: suspended()}).write(printing{out}, now)
		},
		"describe-paused": func(out *bytes.Buffer) error { return (&describedTenant{tenant: paused()}).write(printing{out}, now) },
		"describe-unseen": func(out *bytes.Buffer) error { return (&describedTenant{tenant: unseen()}).write(printing{out}, now) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			golden(t, name, out.String())
		})
	}
}

// A condition may have the words of another controller, and a display name those of whoever made the tenant.
func TestNobodysWordsSteerTheTerminal(t *testing.T) {
	tenant := fabrikam()
	tenant.Spec.DisplayName = "Fabrikam\x1b[2J\u202e\r"
	for i := range tenant.Status.Conditions {
		tenant.Status.Conditions[i].Message = "the gateway says \x1b]0;x\a\u202eno"
	}
	var out bytes.Buffer
	if err := (&describedTenant{tenant: tenant}).write(printing{&out}, now); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.ContainsAny(got, "\x1b\u202e\r\a") || !strings.Contains(got, "Fabrikam") || !strings.Contains(got, "the gateway says") {
		t.Errorf("%q", got)
	}
}

func TestTheHelpOfEveryCommandIsThatInTheGoldenFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var write func(*cobra.Command)
	write = func(command *cobra.Command) {
		if command.Name() == "help" {
			return
		}
		out.WriteString("$ " + command.CommandPath() + " --help\n")
		command.SetOut(&out)
		if err := command.Help(); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
		for _, verb := range command.Commands() {
			write(verb)
		}
	}
	root := New(options(&out, &out))
	root.PersistentFlags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = true }) // these are kubectl's own
	write(root)
	golden(t, "help", out.String())
}

func TestACommandLineThatMakesNoSenseIsRefusedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"no such verb": {"destroy contoso", "error: there is no command \"destroy\"\nSee 'kubectl tenantry --help'.\n"},
		"no such flag": {"list --everything", "error: unknown flag: --everything\nSee 'kubectl tenantry list --help'.\n"},
		"no tenant":    {"url", "error: kubectl tenantry url takes the name of one tenant\nSee 'kubectl tenantry url --help'.\n"},
		"two tenants":  {"token a b", "error: kubectl tenantry token takes the name of one tenant\nSee 'kubectl tenantry token --help'.\n"},
		"nothing to describe": {"describe", "error: kubectl tenantry describe takes the name of one tenant, userdefaults/NAME or class/NAME\n" +
			"See 'kubectl tenantry describe --help'.\n"},
		"a kind that describe does not know": {"describe pod/a",
			"error: kubectl tenantry describe takes the name of one tenant, userdefaults/NAME or class/NAME\nSee 'kubectl tenantry describe --help'.\n"},
		"a kind without a name": {"describe class/",
			"error: kubectl tenantry describe takes the name of one tenant, userdefaults/NAME or class/NAME\nSee 'kubectl tenantry describe --help'.\n"},
		"an argument to list": {"list contoso", "error: kubectl tenantry list takes no arguments\nSee 'kubectl tenantry list --help'.\n"},
		"a format of list": {"list -o xml",
			"error: --output must be table, wide, json, yaml or name, not \"xml\"\nSee 'kubectl tenantry list --help'.\n"},
		"a format of describe": {"describe a -o wide",
			"error: --output must be text, json or yaml, not \"wide\"\nSee 'kubectl tenantry describe --help'.\n"},
		"nobody to rotate": {"rotate", "error: kubectl tenantry rotate takes the names of tenants, or --selector\nSee 'kubectl tenantry rotate --help'.\n"},
		"all to rotate": {"rotate -A", "error: --all-namespaces is for the tenants with the labels of --selector, and not for all that there are\n" +
			"See 'kubectl tenantry rotate --help'.\n"},
		"names and labels": {"revoke a -l b=c", "error: kubectl tenantry revoke takes names of tenants or --selector and --all-namespaces, not both\n" +
			"See 'kubectl tenantry revoke --help'.\n"},
		"an overlap before now": {"rotate a --overlap -1h",
			"error: --overlap must be 0s or more, not -1h0m0s\nSee 'kubectl tenantry rotate --help'.\n"},
		"an overlap that is none": {"rotate a --overlap week",
			"error: invalid argument \"week\" for \"--overlap\" flag: time: invalid duration \"week\"\nSee 'kubectl tenantry rotate --help'.\n"},
		"an overlap of access tokens": {"rotate a --credential accessTokens --overlap 1h",
			"error: --overlap is not for access tokens: they end at once\nSee 'kubectl tenantry rotate --help'.\n"},
		"a URL to check that is none": {"check a --url contoso.example.com",
			"error: --url must be like https://contoso.scim.example.com/scim/v2\nSee 'kubectl tenantry check --help'.\n"},
		"a URL with a password": {"check a --url https://anna:secret@contoso.example.com",
			"error: --url must be like https://contoso.scim.example.com/scim/v2\nSee 'kubectl tenantry check --help'.\n"},
		"a URL that all can read": {"check a --url http://contoso.example.com/scim/v2",
			"error: --url must begin with https://, or the token could be read on the way; http:// is for localhost\nSee 'kubectl tenantry check --help'.\n"},
		"a URL for several": {"check -l a=b --url https://contoso.example.com/scim/v2",
			"error: --url, --token-file and $TENANTRY_TOKEN are for one tenant\nSee 'kubectl tenantry check --help'.\n"},
		"nobody to check": {"check", "error: kubectl tenantry check takes the names of tenants, or --selector\nSee 'kubectl tenantry check --help'.\n"},
		"no time to answer": {"check a --timeout 0s",
			"error: --timeout must be more than 0s, not 0s\nSee 'kubectl tenantry check --help'.\n"},
		"two tokens": {"check a --credential reader.payroll --token-file -",
			"error: --credential names a token of the Secret and --token-file holds one: give one of the two\nSee 'kubectl tenantry check --help'.\n"},
		"what is no token": {"check a --credential clientSecret",
			"error: --credential must be token, or reader. and the name of a reader, not \"clientSecret\"\nSee 'kubectl tenantry check --help'.\n"},
		"a time that is none": {"log a --since yesterday",
			"error: --since must be a duration such as 2h or a time such as 2026-11-25T06:00:00Z, not \"yesterday\"\nSee 'kubectl tenantry log --help'.\n"},
		"a time to come": {"log a --until -2h",
			"error: --until must be a duration such as 2h or a time such as 2026-11-25T06:00:00Z, not \"-2h\"\nSee 'kubectl tenantry log --help'.\n"},
		"no entries": {"log a --limit 0", "error: --limit must be 1 or more, not 0\nSee 'kubectl tenantry log --help'.\n"},
		"a format of log": {"log a -o wide",
			"error: --output must be text, json or yaml, not \"wide\"\nSee 'kubectl tenantry log --help'.\n"},
		"no file": {"import a", "error: name the file to import with -f, or - for standard input\nSee 'kubectl tenantry import --help'.\n"},
		"two things from standard input": {"import a -f - --token-file -",
			"error: standard input cannot be both the file to import and the token\nSee 'kubectl tenantry import --help'.\n"},
		"the token of kubectl": {"list --token x", "error: unknown flag: --token\nSee 'kubectl tenantry list --help'.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			// There is no cluster: a command that asked one would end with another error.
			code := Run(t.Context(), append(strings.Fields(c.args), "--kubeconfig", filepath.Join(t.TempDir(), "none")), options(&out, &errOut))
			if code != ExitUsage || errOut.String() != c.want || out.Len() > 0 {
				t.Errorf("exit %d, output %q, errors\n%s\nwant exit %d and\n%s", code, out.String(), errOut.String(), ExitUsage, c.want)
			}
		})
	}
}

func options(out, errOut *bytes.Buffer) Options {
	return Options{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: errOut},
		Clock:     clocktesting.NewFakeClock(now),
	}
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not what stands in %s; if that is meant, run go test -update.\n%s", path, got)
	}
}

func TestAReaderThatIsAServiceAccountIsToldWhoIssuesItsToken(t *testing.T) {
	t.Parallel()
	tenant := contoso()
	tenant.Status.TenantURL = "https://contoso.scim.example.com/scim/v2"
	tenant.Spec.Authentication.Readers = []v1alpha1.Reader{
		{Name: "portal", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "portal-app", Namespace: "apps"}},
		{Name: "jobs", ServiceAccount: &v1alpha1.ServiceAccountReference{Name: "jobs"}},
	}
	unpublished := tenant.DeepCopy()
	unpublished.Status.TenantURL = ""
	for _, c := range []struct {
		tenant    *v1alpha1.ProvisioningTenant
		key, want string
	}{
		{tenant, "reader.portal", `reader portal of tenant "contoso" is a ServiceAccount, whose tokens Kubernetes issues: ` +
			`'kubectl create token portal-app --namespace apps --audience https://contoso.scim.example.com/scim/v2' prints one`},
		{unpublished, "reader.jobs", `reader jobs of tenant "contoso" is a ServiceAccount, whose tokens Kubernetes issues: ` +
			`'kubectl create token jobs --namespace customers --audience http://contoso-scim.customers.svc/scim/v2' prints one`},
		{tenant, "reader.audit", `tenant "contoso" has no credential "reader.audit": its spec.authentication asks for token`},
	} {
		if err := hasCredential(c.tenant, c.key); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want\n%s", c.key, err, c.want)
		}
	}
}

// Words that two conditions share, and those of the table above, stand there once.
func TestADescriptionSaysEachThingOnce(t *testing.T) {
	t.Parallel()
	tenant := contoso()
	const missing = "There is no host and the operator has no base domain."
	tenant.Status.Activity.LastCycle = &v1alpha1.CycleStatus{Requests: 1, Creates: 1}
	tenant.Status.Conditions = []metav1.Condition{
		condition("Accepted", "False", "HostMissing", missing), condition("Exposed", "False", "HostMissing", missing),
		condition("EntraTenantVerified", "Unknown", "NotConfigured", "spec.identityProvider.entra is not given, so there is nothing to verify."),
		condition("Ready", "False", "HostMissing", missing), condition("Stalled", "True", "HostMissing", missing),
	}
	var out bytes.Buffer
	if err := (&describedTenant{tenant: tenant}).write(printing{&out}, now); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		missing: 1, "Accepted and Exposed are False: HostMissing": 1, "nothing to verify": 1, "Set spec.exposure.host.": 1,
		"1 request: 1 create, 0 updates": 1,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%q stands there %d times, want %d:\n%s", text, got, want, &out)
		}
	}
}
