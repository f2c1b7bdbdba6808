package clustertest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/plugin"
	"github.com/tenantry/tenantry/test/race"
)

// kubectl is kubectl tenantry for the namespace of a test. Everything that it writes but the output of token is searched
// for tokens.
type kubectl struct {
	*world
	kubeconfig string
	forward    plugin.Forward
}

func newKubectl(w *world) *kubectl {
	w.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: cluster.Config.Host, CertificateAuthorityData: cluster.Config.CAData}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: cluster.Config.CertData, ClientKeyData: cluster.Config.KeyData}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "admin", Namespace: w.namespace}
	config.CurrentContext = "test"
	k := &kubectl{world: w, kubeconfig: filepath.Join(w.TempDir(), "kubeconfig")}
	if err := clientcmd.WriteToFile(*config, k.kubeconfig); err != nil {
		w.Fatal(err)
	}
	return k
}

// run runs kubectl tenantry and returns what it wrote.
func (k *kubectl) run(args ...string) (code int, out, errOut string) {
	k.Helper()
	var o, e bytes.Buffer
	if args[0] != cobra.ShellCompRequestCmd { // its last argument is the word to complete
		args = append(args, "--kubeconfig", k.kubeconfig)
	}
	code = plugin.Run(k.Context(), args, plugin.Options{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &o, ErrOut: &e}, Clock: clock.RealClock{}, Forward: k.forward,
	})
	if strings.Contains(e.String(), token.Prefix) || args[0] != "token" && strings.Contains(o.String(), token.Prefix) {
		k.Errorf("kubectl tenantry %s wrote a token", strings.Join(args, " "))
	}
	return code, o.String(), e.String()
}

// want runs a command that must end well and returns its output.
func (k *kubectl) want(args ...string) string {
	k.Helper()
	code, out, errOut := k.run(args...)
	if code != plugin.ExitFine || errOut != "" {
		k.Fatalf("kubectl tenantry %s: exit %d\n%s", strings.Join(args, " "), code, errOut)
	}
	return out
}

// refused runs a command that must end with exit code 1 and this error.
func (k *kubectl) refused(message string, args ...string) {
	k.Helper()
	code, out, errOut := k.run(args...)
	if code != plugin.ExitWrong || errOut != "error: "+message+"\n" || out != "" {
		k.Errorf("kubectl tenantry %s: exit %d\n%s%swant exit 1 and\nerror: %s", strings.Join(args, " "), code, out, errOut, message)
	}
}

func TestThePluginTellsWhatToPasteIntoEntraAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	host := w.namespace + ".example.com"

	if code, out, errOut := k.run("list"); code != 0 || out != "" ||
		errOut != `There is no tenant in namespace "`+w.namespace+`"; -A lists those of all namespaces.`+"\n" {
		t.Errorf("list of nothing: exit %d %q %q", code, out, errOut)
	}
	for _, verb := range []string{"url", "token", "describe", "rotate", "revoke", "check", "log", "export", "import -f -"} {
		k.refused(`there is no tenant "contoso" in namespace "`+w.namespace+`"; 'kubectl tenantry list -A' shows those of all namespaces`,
			append(strings.Fields(verb), "contoso")...)
	}

	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	if got := k.want("url", "contoso"); got != "https://"+host+"/scim/v2\n" {
		t.Errorf("url is %q", got)
	}
	secret := get(w, &corev1.Secret{}, "contoso-credentials")
	if got := k.want("token", "contoso"); got != string(secret.Data["token"])+"\n" || token.Check(strings.TrimSpace(got)) != nil {
		t.Error("token is not what the Secret holds")
	}
	if got := k.want("list", "-o", "name"); got != "provisioningtenant.provisioning.tenantry.dev/contoso\n" {
		t.Errorf("list -o name is %q", got)
	}
	if got := k.want("list", "-A", "-o", "wide"); !strings.Contains(got, w.namespace+" ") || !strings.Contains(got, tenant.Status.Credentials.Fingerprint) {
		t.Errorf("list -A -o wide is\n%s", got)
	}
	var listed v1alpha1.ProvisioningTenantList
	if err := yaml.UnmarshalStrict([]byte(k.want("list", "-o", "yaml")), &listed); err != nil {
		t.Errorf("list -o yaml: %v", err)
	}
	if len(listed.Items) != 1 || listed.Items[0].Kind != "ProvisioningTenant" || listed.Items[0].Status.TenantURL != tenant.Status.TenantURL {
		t.Errorf("list -o yaml has %+v", listed.Items)
	}
	const first = "\n  ProvisioningHealthy is Unknown: NoRequests\n" +
		"    The tenant's server waits for the first request.\n" +
		"    → Paste the Tenant URL and the Secret Token into Microsoft Entra ID, if that was not done yet.\n"
	if got := k.want("describe", "contoso"); !strings.HasSuffix(got, "What there is to know and to do:\n"+first) {
		t.Errorf("describe is\n%s", got)
	}
	w.seen(tenant, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{Requests: 1}})
	w.until(tenant, "ProvisioningHealthy=True/Healthy")
	if got := k.want("describe", "contoso"); !strings.HasSuffix(got, "\nNothing is wrong.\n") {
		t.Errorf("describe is\n%s", got)
	}
	k.refused(`tenant "contoso" has no token URL: its spec.authentication has neither oauth nor workloadIdentity`, "url", "contoso", "--token-url")
	k.refused(`tenant "contoso" has no credential "reader.payroll": its spec.authentication asks for token`,
		"token", "contoso", "--credential", "reader.payroll")

	// Copied and deleted.
	if err := w.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "CredentialsReady=True/Copied")
	k.refused("Secret contoso-credentials does not hold token any more: it was deleted, as one may after copying. "+
		"What was copied stays valid; if nobody has it, 'kubectl tenantry rotate contoso -n "+w.namespace+"' issues a new one", "token", "contoso")

	// Another tenant wants the same host, and one of its UserDefaults names a role that it does not have.
	younger := create(w, w.tenant(named("fabrikam"), withHost(host)))
	w.until(younger, "Ready=False/HostTaken")
	defaults := create(w, w.defaults("sales", func(d *v1alpha1.UserDefaults) { d.Spec.TenantRef.Name, d.Spec.Roles = "fabrikam", []string{"seller"} }))
	w.untilDefaults(defaults, "Ready=False/UnknownRole")
	got := k.want("describe", "fabrikam")
	for _, line := range []string{
		"\n    → Choose another host, or wait. The platform team sees in the operator's Lease for the host who has it.\n",
		"\n  UserDefaults sales: Accepted is False: UnknownRole\n",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("describe lacks %q:\n%s", line, got)
		}
	}
	if got := k.want("describe", "fabrikam", "-o", "json"); !strings.Contains(got, `"action": "Choose another host, or wait. The platform team sees in the operator's Lease for the host who has it."`) {
		t.Errorf("describe -o json is\n%s", got)
	}
	if code, out, errOut := k.run("url", "fabrikam"); code != 1 || out != "" || !strings.HasPrefix(errOut, `error: tenant "fabrikam" has no Tenant URL yet: HostTaken: `) {
		t.Errorf("url of a tenant without: exit %d %q %q", code, out, errOut)
	}
}

func TestThePluginRotatesAndRevokesTheSecretToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant())
	w.until(tenant, ready)
	nothing := `there is nothing to revoke: tenant "contoso" has one valid Secret Token. To end that one, 'kubectl tenantry rotate contoso -n ` + w.namespace + ` --overlap 0s'`
	k.refused(nothing, "revoke", "contoso")
	k.refused(`tenant "contoso" has no credential "clientSecret": its spec.authentication asks for token`, "rotate", "contoso", "--credential", "clientSecret")

	old := k.want("token", "contoso")
	said := k.want("rotate", "contoso", "--overlap", "24h")
	fresh := k.want("token", "contoso")
	if fresh == old || !strings.Contains(said, "fingerprint "+token.Fingerprint(strings.TrimSpace(fresh))+"; the one before is valid until ") {
		t.Errorf("rotate says %q", said)
	}
	if len(w.verifiers().Verifiers) != 2 {
		t.Error("the token before is not valid any more")
	}
	if got := k.want("describe", "contoso"); !strings.Contains(got, "the one before is valid for 2") {
		t.Errorf("describe does not tell of the token before:\n%s", got)
	}
	if got := k.want("revoke", "contoso"); got != "only the newest Secret Token of tenant contoso is valid\n" {
		t.Errorf("revoke says %q", got)
	}
	if got := w.verifiers(); len(got.Verifiers) != 1 || k.want("token", "contoso") != fresh {
		t.Errorf("the server takes %+v", got.Verifiers)
	}
	k.refused(nothing, "revoke", "contoso")

	// The overlap of the last rotation does not count for the next, and a request that was made by a clock which is ahead holds up none.
	annotate(w, tenant, rotateToken, asked(23*3600)+",overlap=0s")
	ahead := w.untilAnother(strings.TrimSpace(fresh))
	w.eventually("the status tells of it", func() string {
		if got := get(w, &v1alpha1.ProvisioningTenant{}, "contoso").Status.Credentials.Fingerprint; got != token.Fingerprint(ahead) {
			return got
		}
		return ""
	})
	k.want("rotate", "contoso")
	if _, ok := w.verifiers().Find(ahead); !ok || w.plaintext() == ahead {
		t.Error("rotate after a rotation without overlap ends the token before")
	}
}

func TestThePluginRotatesAndRevokesAnotherCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	secretToken, old := k.want("token", "contoso"), k.want("token", "contoso", "--credential", "reader.payroll")
	said := k.want("rotate", "contoso", "--credential", "reader.payroll")
	var ends time.Time
	for _, v := range w.verifiers().Verifiers {
		if !v.NotAfter.IsZero() {
			ends = v.NotAfter
		}
	}
	if want := "tenant contoso has a new reader.payroll; the one before is valid until " + ends.UTC().Format(time.RFC3339) +
		"\nprint it with 'kubectl tenantry token contoso -n " + w.namespace + " --credential reader.payroll'\n"; said != want {
		t.Errorf("rotate says %q, want %q", said, want)
	}
	if k.want("token", "contoso", "--credential", "reader.payroll") == old || k.want("token", "contoso") != secretToken {
		t.Error("another credential was rotated than the one that was named")
	}
	if len(w.verifiers().Verifiers) != 3 {
		t.Error("the reader's token before is not valid any more")
	}
	if got := k.want("revoke", "contoso", "--credential", "reader.payroll"); got != "only the newest reader.payroll of tenant contoso is valid\n" {
		t.Errorf("revoke says %q", got)
	}
	if got := w.verifiers().Verifiers; len(got) != 2 {
		t.Errorf("the server takes %+v", got)
	}
}

// What the server answers is looked at in the tests of package plugin; here it is whom check asks, and with which token.
func TestThePluginChecksWithTheCredentialThatTheOperatorIssued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	tokens := map[string]string{"token": w.plaintext(), "reader.payroll": string(w.untilReader("payroll", 2)["token"])}
	known := func(r *http.Request, key string) bool {
		return r.Header.Get("Authorization") == "Bearer "+tokens[key]
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case known(r, "token"):
			w.WriteHeader(http.StatusConflict)
		case known(r, "reader.payroll"):
			w.WriteHeader(http.StatusTeapot)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	for key, want := range map[string]string{"token": "409 Conflict", "reader.payroll": "418 I'm a teapot"} {
		code, out, errOut := k.run("check", "contoso", "--url", server.URL, "--credential", key)
		if code != plugin.ExitWrong || !strings.Contains(out, "passed   wrong token            is refused with 401\nfailed   Test Connection        "+want+"\n") ||
			errOut != "error: tenant \"contoso\" fails 1 of 16 steps\n" {
			t.Errorf("check with %s: exit %d\n%s%s", key, code, out, errOut)
		}
	}
}

func TestTheShellCompletesTenantsNamespacesAndCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
		p.Spec.Authentication.OAuth = &v1alpha1.OAuth{}
	}))
	w.until(tenant, ready)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a tenant":         {[]string{"url", ""}, "contoso\n:4\n"},
		"no second tenant": {[]string{"url", "contoso", ""}, ":4\n"},
		"a namespace":      {[]string{"url", "--namespace", ""}, w.namespace + "\n"},
		"a credential":     {[]string{"token", "contoso", "--credential", ""}, "token\nclientSecret\nreader.payroll\n:4\n"},
		"a token":          {[]string{"check", "contoso", "--credential", ""}, "token\nreader.payroll\n:4\n"},
		"a format":         {[]string{"list", "-o", ""}, "table\nwide\njson\nyaml\nname\n:4\n"},
	} {
		code, out, _ := k.run(append([]string{cobra.ShellCompRequestCmd, c.args[0], "--kubeconfig", k.kubeconfig}, c.args[1:]...)...)
		if code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, %q", name, code, out)
		}
	}
}

func TestThePluginSaysWhereTheClusterHasNoTenantry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	k.kubeconfig = filepath.Join(t.TempDir(), "none")
	if code, _, errOut := k.run("list"); code != plugin.ExitWrong || !strings.HasPrefix(errOut, "error: ") {
		t.Errorf("without a cluster: exit %d %q", code, errOut)
	}
}

func TestThePluginPausesAndResumesTenantsByNameAndLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	staged := func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{"stage": "test"} }
	create(w, w.tenant(staged))
	create(w, w.tenant(named("fabrikam"), staged, withHost(w.namespace+".fabrikam.example.com")))
	create(w, w.tenant(named("northwind"), withHost(w.namespace+".northwind.example.com")))
	paused := func(want ...string) {
		t.Helper()
		var got []string
		for _, name := range []string{"contoso", "fabrikam", "northwind"} {
			if get(w, &v1alpha1.ProvisioningTenant{}, name).Annotations[v1alpha1.ReconcileAnnotation] == v1alpha1.ReconcileDisabled {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("paused are %q, want %q", got, want)
		}
	}
	k.want("pause", "northwind")
	paused("northwind")
	if got := k.want("pause", "-l", "stage=test"); strings.Count(got, "is paused until 'kubectl tenantry resume ") != 2 {
		t.Errorf("pause says\n%s", got)
	}
	paused("contoso", "fabrikam", "northwind")
	k.want("resume", "contoso", "northwind")
	paused("fabrikam")
	k.refused(`there is no tenant with labels stage=live in namespace "`+w.namespace+`"; -A lists those of all namespaces.`, "pause", "-l", "stage=live")
	if got := k.want("list", "-l", "stage!=test", "-o", "name"); got != "provisioningtenant.provisioning.tenantry.dev/northwind\n" {
		t.Errorf("list with a selector is %q", got)
	}
}

// A leaked token is not ended during a pause, and a wait for it would end only when somebody resumes the tenant.
func TestThePluginSaysAtOnceThatATenantIsPausedAndNothingIsRotatedOrRevoked(t *testing.T) {
	t.Parallel()
	race.Meets(t) // one waits while another pauses
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(reading("payroll")))
	w.until(tenant, ready)
	k.want("rotate", "contoso", "--overlap", "24h")
	leaked := w.plaintext()
	k.want("pause", "contoso")
	w.until(tenant, "RequestsObeyed=Unknown/ReconcileDisabled")
	before := get(w, tenant, "contoso").Annotations
	resume := "'kubectl tenantry resume contoso -n " + w.namespace + "'"
	for _, line := range []string{
		"rotate contoso --overlap 0s", "rotate contoso --credential reader.payroll", "rotate contoso --credential accessTokens", "revoke contoso",
		"revoke contoso --credential reader.payroll",
	} {
		k.refused(`tenant "contoso" is paused, so nothing was asked for: the operator does nothing of that before `+resume+
			". Resume it and run this again; or with --wait=false it is asked for now, and done then", strings.Fields(line)...)
	}
	if after := get(w, tenant, "contoso").Annotations; !maps.Equal(after, before) {
		t.Errorf("it says that nothing was asked for, and the annotations were\n%v\nand are\n%v", before, after)
	}
	if code, out, errOut := k.run("rotate", "contoso", "--overlap", "0s", "--wait=false"); code != plugin.ExitFine ||
		out != "asked for a new Secret Token of tenant contoso\n" || errOut != "Tenant contoso is paused: it is done once "+resume+" was run.\n" {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	k.want("resume", "contoso")
	w.until(tenant, "RequestsObeyed=True/Obeyed")
	if _, ok := w.verifiers().Find(leaked); ok {
		t.Error("what was asked for during the pause was not done after it")
	}

	// Somebody pauses the tenant while another waits.
	webhook := w.failing("", "secrets", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}})
	k.refused(`wait for the Secret Token of tenant "contoso": the operator has not done it within 1s, and may yet; 'kubectl tenantry describe contoso -n `+
		w.namespace+`' says how the tenant is`, "rotate", "contoso", "--timeout", "1s")
	for _, line := range []string{"rotate contoso", "rotate contoso --credential reader.payroll"} {
		ended := make(chan string, 1)
		go func() {
			code, out, errOut := k.run(append(strings.Fields(line), "--timeout", "30s")...)
			ended <- fmt.Sprintf("exit %d\n%s%s", code, out, errOut)
		}()
		w.until(tenant, "RequestsObeyed=False/"+v1alpha1.ReasonError)
		k.want("pause", "contoso")
		what := map[bool]string{true: "reader.payroll", false: "Secret Token"}[strings.Contains(line, "payroll")]
		if got, want := <-ended, "exit 1\nerror: wait for the "+what+` of tenant "contoso": the tenant is paused now, and it is done once `+resume+" was run\n"; got != want {
			t.Errorf("%s: %s\nwant %s", line, got, want)
		}
		k.want("resume", "contoso")
	}
	if err := w.Delete(t.Context(), webhook); err != nil {
		t.Fatal(err)
	}
	w.until(tenant, "RequestsObeyed=True/Obeyed")
}

func TestThePluginRotatesTheTenantsWithALabelOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	staged := func(p *v1alpha1.ProvisioningTenant) { p.Labels = map[string]string{"stage": "test"} }
	before := map[string]string{}
	for name, labels := range map[string]func(*v1alpha1.ProvisioningTenant){
		"contoso": staged, "fabrikam": staged, "northwind": func(*v1alpha1.ProvisioningTenant) {},
	} {
		tenant := create(w, w.tenant(named(name), labels, withHost(w.namespace+"."+name+".example.com")))
		w.until(tenant, ready)
		before[name] = tenant.Status.Credentials.Fingerprint
	}
	k.want("pause", "contoso")
	code, out, errOut := k.run("rotate", "-l", "stage=test", "--overlap", "24h")
	if code != plugin.ExitWrong || strings.Count(out, " has a new Secret Token, ") != 1 || !strings.HasPrefix(out, "tenant fabrikam has") ||
		!strings.HasPrefix(errOut, `error: tenant "contoso" is paused, so nothing was asked for: `) {
		t.Errorf("rotate: exit %d\n%s%s", code, out, errOut)
	}
	for name, fingerprint := range before {
		if now := get(w, &v1alpha1.ProvisioningTenant{}, name).Status.Credentials.Fingerprint; (now != fingerprint) != (name == "fabrikam") {
			t.Errorf("tenant %s had the token %s and has %s", name, fingerprint, now)
		}
	}
	if got := k.want("revoke", "fabrikam"); got != "only the newest Secret Token of tenant fabrikam is valid\n" {
		t.Errorf("revoke says %q", got)
	}

	// A tenant may have been rotated since the command began, while the command waited for another.
	said := strings.Split(k.want("rotate", "fabrikam", "fabrikam"), "\n")
	if now := get(w, &v1alpha1.ProvisioningTenant{}, "fabrikam").Status.Credentials.Fingerprint; len(said) != 5 || said[0] == said[2] ||
		!strings.HasPrefix(said[2], "tenant fabrikam has a new Secret Token, fingerprint "+now+";") {
		t.Errorf("the token is %s, and rotate says %q", now, said)
	}
}

// Of such a tenant no annotation is obeyed any more.
func TestThePluginSaysAtOnceThatATenantIsBeingDeletedAndNothingIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	tenant := create(w, w.tenant(func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = []string{"test/hold"} }))
	w.until(tenant, ready)
	if err := w.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--wait=true", "--wait=false"} {
		k.refused(`tenant "contoso" is being deleted, and nothing is issued, rotated or revoked for it any more`, "rotate", "contoso", flag)
	}
	edit(w, tenant, func(p *v1alpha1.ProvisioningTenant) { p.Finalizers = nil })
}

func TestTheAPIServerTakesWhatThePluginCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := newKubectl(w)
	strict := client.WithFieldValidation(w.Client, "Strict")
	const entra = "--entra-tenant-id 8B1C3F0E-0a52-4a5b-9b61-3f2f6f6d2c11 "
	for _, line := range []string{
		"contoso",
		strings.Repeat("c", 52),
		"contoso " + entra + "--cloud USGovernment --display-name Contoso,Ltd --host contoso.scim.example.com --ingress-class nginx " +
			"--storage-class fast --storage-size 16Mi --companies Contoso,Fabrikam --roles approver --roles viewer",
		"contoso " + entra + "--cloud China --storage-size 1.5Ti",
		"contoso --postgresql-secret contoso-database --host localhost",
	} {
		code, out, errOut := k.run(append([]string{"create", "-n", w.namespace}, strings.Fields(line)...)...)
		if code != plugin.ExitFine || !strings.HasSuffix(errOut, ".yaml -n "+w.namespace+"\n") {
			t.Errorf("create %s: exit %d\n%s", line, code, errOut)
			continue
		}
		objects := w.decoded(out)
		if len(objects) != 1 || objects[0].GetNamespace() != w.namespace {
			t.Errorf("create %s wrote\n%s", line, out)
			continue
		}
		if err := strict.Create(t.Context(), objects[0], client.DryRunAll); err != nil {
			t.Errorf("create %s: %v\n%s", line, err, out)
		}
	}
	var made v1alpha1.ProvisioningTenantList
	if err := w.List(t.Context(), &made, client.InNamespace(w.namespace)); err != nil || len(made.Items) > 0 {
		t.Errorf("create made %d tenants (%v)", len(made.Items), err)
	}
}
