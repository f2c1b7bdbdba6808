package manifests

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/settings"
	"github.com/tenantry/tenantry/test/race"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 30 * time.Second

	contoso = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec:
  catalog: {companies: [Contoso AB, Contoso Oy], roles: [approver]}
`
	finance = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: UserDefaults
metadata: {name: finance, namespace: customers}
spec:
  tenantRef: {name: contoso}
  priority: 100
  companies: [Contoso AB]
  roles: [approver]
`
	fallback = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: UserDefaults
metadata: {name: everyone, namespace: customers}
spec: {tenantRef: {name: contoso}, companies: [Contoso Oy], apply: Always}
`
)

// join puts documents into one file.
func join(documents ...string) string { return strings.Join(documents, "---") }

// write puts files into a folder, each at once, because a source of these tests looks more often than one can write.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		whole := filepath.Join(dir, ".whole")
		if err := os.WriteFile(whole, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(whole, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// log collects the lines of the process log.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) logger() logr.Logger {
	return funcr.New(func(prefix, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, prefix+" "+args)
	}, funcr.Options{Verbosity: 9})
}

func (l *log) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(l.lines), func(line string) bool { return !strings.Contains(line, text) }))
}

// options of a source over a new folder.
func options(t *testing.T, files map[string]string, change ...func(*Options)) Options {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	o := Options{Dir: dir, DataDir: t.TempDir(), Listen: "127.0.0.1:8080", Log: logr.Discard()}
	for _, change := range change {
		change(&o)
	}
	return o
}

// load returns what a source makes of its folder when it starts.
func load(options Options) (*settings.Snapshot, error) {
	source := New(options)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := source.Run(ctx)
	return source.Current(), err
}

// start runs a source that looks often.
func start(t *testing.T, options Options) *Source {
	t.Helper()
	source := New(options)
	source.interval = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	changed := source.Changed()
	go func() { done <- source.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	await(t, changed)
	return source
}

func await(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(patience):
		t.Fatal("nothing was published")
	}
}

func until(t *testing.T, wish string, fulfilled func() bool) {
	t.Helper()
	late := time.After(patience)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case <-tick.C:
			if fulfilled() {
				tick.Stop()
				return
			}
		case <-late:
			t.Fatalf("waited in vain until %s", wish)
		}
	}
}

func names(s *settings.Snapshot) string {
	var names []string
	for _, d := range s.Defaults {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

func newToken(t *testing.T) string {
	t.Helper()
	secretToken, err := token.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return secretToken
}

func TestAFolderMakesASnapshot(t *testing.T) {
	s, err := load(options(t, map[string]string{
		"a.yaml": join("# the customer\n", contoso, finance),
		"b.yml":  join("", "\n# nothing here\n", fallback, "\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {what: ever}}\n"),
		"c.json": `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"provisioning.tenantry.dev/v1alpha1","kind":"UserDefaults",
			"metadata":{"name":"alpha","namespace":"customers"},"spec":{"tenantRef":{"name":"contoso"},"priority":100,"companies":["Contoso AB"]}}]}`,
		"notes.txt":    "no: [yaml",
		".swap.yaml":   "no: [yaml",
		"another.yaml": strings.NewReplacer("contoso", "fabrikam", "finance", "other").Replace(join(contoso, finance)),
		"foreign.yaml": strings.ReplaceAll(join(contoso, finance), "customers", "elsewhere"),
	}, func(o *Options) { o.Namespace, o.Tenant = "customers", "contoso" }))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(s), "alpha finance everyone"; got != want {
		t.Errorf("defaults are %q, want %q", got, want)
	}
	if s.Tenant.Namespace != "customers" || !s.UsersEnabled() || !s.GroupsEnabled() {
		t.Errorf("tenant %+v", s.Tenant)
	}
	if one, all := s.Defaults[1].Spec.Apply, s.Defaults[2].Spec.Apply; one != v1alpha1.ApplyOnCreate || all != v1alpha1.ApplyAlways {
		t.Errorf("apply is %s and %s", one, all)
	}
}

func TestTheBaseIsWhereTheServerListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/scim/v2",
		"[::1]:80":       "http://[::1]:80/scim/v2",
		"[::]:8080":      "http://localhost:8080/scim/v2",
		"0.0.0.0:8080":   "http://localhost:8080/scim/v2",
		":8080":          "http://localhost:8080/scim/v2",
	} {
		s, err := load(options(t, map[string]string{"a.yaml": contoso}, func(o *Options) { o.Listen = listen }))
		if err != nil || s.BaseURL() != want {
			t.Errorf("%s: %v, %v", listen, s, err)
		}
	}
}

func TestWhatIsWrongIsSaidWithFileDocumentAndField(t *testing.T) {
	tenantWith := func(spec string) string {
		return "apiVersion: provisioning.tenantry.dev/v1alpha1\nkind: ProvisioningTenant\nmetadata: {name: contoso}\nspec: " + spec + "\n"
	}
	with := func(from, to string) string { return strings.Replace(finance, from, to, 1) }
	long := strings.Repeat("x", 257)
	for name, test := range map[string]struct{ manifest, want string }{
		"an empty folder":       {"", "there is no ProvisioningTenant"},
		"only foreign kinds":    {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", "there is no ProvisioningTenant"},
		"YAML that is none":     {join(contoso, "\nkind: [UserDefaults\n"), "a.yaml, document 2: yaml: line 8: did not find expected ',' or ']'"},
		"a key that repeats":    {join(contoso, "\nkind: A\nkind: B\n"), "a.yaml, document 2: yaml: line 9: key \"kind\" already set in map"},
		"a text":                {join(contoso, "\nhello\n"), "a.yaml, document 2: is no Kubernetes object: must be struct, not string"},
		"no kind":               {"metadata: {name: contoso}", "a.yaml, document 1: apiVersion and kind are required"},
		"no name":               {"{apiVersion: provisioning.tenantry.dev/v1alpha1, kind: UserDefaults}", "a.yaml, document 1: UserDefaults: metadata.name is required"},
		"a misspelt kind":       {with("UserDefaults", "UserDefault"), "a.yaml, document 1: UserDefault of provisioning.tenantry.dev/v1alpha1 is not known, only ProvisioningTenant, UserDefaults and ProvisioningTenantClass of provisioning.tenantry.dev/v1alpha1 are"},
		"another version":       {with("v1alpha1", "v1"), "a.yaml, document 1: UserDefaults of provisioning.tenantry.dev/v1 is not known, only ProvisioningTenant, UserDefaults and ProvisioningTenantClass of provisioning.tenantry.dev/v1alpha1 are"},
		"an unknown field":      {tenantWith("{catalog: {companys: [A]}}"), `a.yaml, document 1: ProvisioningTenant contoso: unknown field "spec.catalog.companys"`},
		"a field in other case": {join(contoso, with("priority", "Priority")), `a.yaml, document 2: UserDefaults finance: unknown field "spec.Priority"`},
		"another type":          {join(contoso, with("100", "high")), "a.yaml, document 2: UserDefaults finance: spec.priority: must be int32, not string"},
		"a name with a dot":     {strings.Replace(contoso, "name: contoso", "name: contoso.com", 1), `a.yaml, document 1: ProvisioningTenant contoso.com: metadata.name: Invalid value: "contoso.com": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`},
		"a long name":           {strings.Replace(contoso, "name: contoso", "name: "+strings.Repeat("c", 53), 1), "a.yaml, document 1: ProvisioningTenant " + strings.Repeat("c", 53) + ": metadata.name: Too long: may not be more than 52 characters"},
		"a switch":              {tenantWith("{provisioning: {users: On}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.provisioning.users: must be string, not bool`},
		"another switch":        {tenantWith("{provisioning: {groups: Closed}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.provisioning.groups: Unsupported value: "Closed": supported values: "Enabled", "Disabled"`},
		"a state":               {tenantWith("{provisioning: {state: Stopped}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.provisioning.state: Unsupported value: "Stopped": supported values: "Active", "Suspended"`},
		"another state":         {tenantWith("{access: {state: Disabled}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.access.state: Unsupported value: "Disabled": supported values: "Active", "Suspended"`},
		"a company twice":       {tenantWith("{catalog: {companies: [A, B, A]}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.catalog.companies[2]: Duplicate value: "A"`},
		"a role without a name": {tenantWith("{catalog: {roles: ['']}}"), `a.yaml, document 1: ProvisioningTenant contoso: spec.catalog.roles[0]: Required value`},
		"no tenant named":       {join(contoso, with("tenantRef: {name: contoso}", "tenantRef: {}")), "a.yaml, document 2: UserDefaults finance: spec.tenantRef.name: Required value"},
		"a tenant misspelt":     {join(contoso, with("{name: contoso}", "{name: contosso}")), `a.yaml, document 2: UserDefaults finance: spec.tenantRef.name: Not found: "contosso"`},
		"a high priority":       {join(contoso, with("100", "1000001")), "a.yaml, document 2: UserDefaults finance: spec.priority: Invalid value: 1000001: must be from -1000000 to 1000000"},
		"a long filter":         {join(contoso, with("priority", "configurationFilter: "+long+"\n  priority")), "a.yaml, document 2: UserDefaults finance: spec.configurationFilter: Too long: may not be more than 256 characters"},
		"no such apply":         {join(contoso, with("priority", "apply: Sometimes\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.apply: Unsupported value: "Sometimes": supported values: "OnCreate", "Always"`},
		"a locale":              {join(contoso, with("priority", "locale: Swedish (Sweden)\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.locale: Invalid value: "Swedish (Sweden)": must be a language tag such as sv-SE`},
		"a time zone":           {join(contoso, with("priority", "timezone: UTC+01:00\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.timezone: Invalid value: "UTC+01:00": must be a name of the IANA time zone database such as Europe/Stockholm`},
		"an attribute twice":    {join(contoso, with("priority", "attributes: [{path: title, value: a}, {path: title, value: b}]\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.attributes[1].path: Duplicate value: "title"`},
		"an attribute's value":  {join(contoso, with("priority", "attributes: [{path: title}]\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.attributes[0].value: Required value`},
		"the client's own":      {join(contoso, with("priority", "attributes: [{path: userName, value: a}]\n  priority")), `a.yaml, document 2: UserDefaults finance: spec.attributes[0].path: Invalid value: "userName": must not be id, meta, schemas, userName, externalId, active, password or groups: these are the client's or the server's`},
		"an unknown company":    {join(contoso, with("[Contoso AB]", "[Contoso Inc]")), `a.yaml, document 2: UserDefaults finance: spec.companies[0]: Invalid value: "Contoso Inc": is not in the tenant's spec.catalog.companies`},
		"an unknown role":       {join(contoso, with("[approver]", "[boss]")), `a.yaml, document 2: UserDefaults finance: spec.roles[0]: Invalid value: "boss": is not in the tenant's spec.catalog.roles`},
		"everything at once":    {join(tenantWith("{x: 1}"), "\n{}\n", finance, finance), "a.yaml, document 2: apiVersion and kind are required\na.yaml, document 1: ProvisioningTenant contoso: unknown field \"spec.x\"\na.yaml, document 4: UserDefaults finance: is also in a.yaml, document 3"},
		"in a list":             {"apiVersion: v1\nkind: List\nitems: [{apiVersion: provisioning.tenantry.dev/v1alpha1, kind: UserDefaults, metadata: {name: a}, spec: {z: 1}}]", `a.yaml, document 1, item 1: UserDefaults a: unknown field "spec.z"`},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, map[string]string{"a.yaml": test.manifest})
			s, err := load(o)
			if err == nil {
				t.Fatalf("a snapshot was published: %+v", s)
			}
			if got, want := err.Error(), o.Dir+": "+test.want; got != want {
				t.Errorf("the error is\n%s\nwant\n%s", got, want)
			}
			if s != nil {
				t.Error("something was published")
			}
		})
	}
}

func TestTheTenantIsChosenByNameAndNamespace(t *testing.T) {
	fabrikam := strings.ReplaceAll(contoso, "contoso", "fabrikam")
	elsewhere := strings.ReplaceAll(contoso, "customers", "elsewhere")
	nowhere := strings.ReplaceAll(contoso, ", namespace: customers", "")
	for _, test := range []struct{ manifest, tenant, namespace, want, failure string }{
		{contoso, "", "", "customers/contoso", ""},
		{nowhere, "", "", "default/contoso", ""},
		{nowhere, "", "customers", "customers/contoso", ""},
		{join(contoso, fabrikam), "fabrikam", "", "customers/fabrikam", ""},
		{join(contoso, fabrikam), "", "", "", "there are several tenants, choose one with --tenant: customers/contoso, customers/fabrikam"},
		{join(contoso, fabrikam), "northwind", "", "", "there is no ProvisioningTenant northwind, only customers/contoso, customers/fabrikam"},
		{join(contoso, elsewhere), "", "elsewhere", "elsewhere/contoso", ""},
		{join(contoso, elsewhere, nowhere), "contoso", "default", "default/contoso", ""},
		{join(contoso, elsewhere, nowhere), "contoso", "", "", "there are several tenants of this name, choose one with --namespace: customers/contoso, elsewhere/contoso, default/contoso"},
		{contoso, "contoso", "elsewhere", "", "there is no ProvisioningTenant"},
	} {
		s, err := load(options(t, map[string]string{"a.yaml": test.manifest}, func(o *Options) { o.Tenant, o.Namespace = test.tenant, test.namespace }))
		switch {
		case test.failure != "":
			if err == nil || !strings.HasSuffix(err.Error(), ": "+test.failure) {
				t.Errorf("%q: %v", test.failure, err)
			}
		case err != nil:
			t.Errorf("%+v: %v", test, err)
		case s.Tenant.Namespace+"/"+s.Tenant.Name != test.want:
			t.Errorf("%+v: %s/%s", test, s.Tenant.Namespace, s.Tenant.Name)
		}
	}
}

func TestAChangeIsPublishedAndABrokenEditIsNot(t *testing.T) {
	race.Meets(t) // a source runs beside
	log := &log{}
	o := options(t, map[string]string{"a.yaml": contoso}, func(o *Options) {
		o.Log = log.logger()
		o.Check = func(s *settings.Snapshot) error {
			if slices.ContainsFunc(s.Defaults, func(d v1alpha1.UserDefaults) bool { return d.Spec.Filter == "unwanted" }) {
				return errors.New("the filter is no good")
			}
			return nil
		}
	})
	source := start(t, o)
	first := source.Current()

	changed := source.Changed()
	write(t, o.Dir, map[string]string{"b.yaml": finance})
	await(t, changed)
	good := source.Current()
	if names(good) != "finance" {
		t.Errorf("defaults are %q", names(good))
	}
	if first.Verifiers.Verifiers[0] != good.Verifiers.Verifiers[0] || names(first) != "" {
		t.Error("the first snapshot was changed, or its token replaced")
	}

	for _, test := range []struct{ content, want string }{
		{finance + "  colour: red\n", `b.yaml, document 1: UserDefaults finance: unknown field \"spec.colour\"`},
		{finance + "  filter: unwanted\n", "the filter is no good"},
		{"", ""}, // an empty file is a file without objects
	} {
		changed = source.Changed()
		write(t, o.Dir, map[string]string{"b.yaml": test.content})
		if test.want == "" {
			await(t, changed)
			break
		}
		until(t, "the fault is logged", func() bool { return log.count(test.want) > 0 })
		if source.Current() != good {
			t.Error("a broken edit was published")
		}
		if log.count(test.want) != 1 {
			t.Error("the fault is logged again and again")
		}
	}
	if names(source.Current()) != "" {
		t.Errorf("defaults are %q", names(source.Current()))
	}
}

func TestAFolderThatVanishesLeavesTheSettingsInForceAndIsReadWhenItIsBack(t *testing.T) {
	race.Meets(t) // a source runs beside
	log := &log{}
	o := options(t, map[string]string{"a.yaml": contoso}, func(o *Options) { o.Log = log.logger() })
	source := start(t, o)
	before, changed := source.Current(), source.Changed()
	if err := os.Rename(o.Dir, o.Dir+"-away"); err != nil {
		t.Fatal(err)
	}
	until(t, "the loss is logged", func() bool { return log.count("The manifests cannot be read") == 1 })
	if source.Current() != before {
		t.Error("the settings were lost")
	}
	write(t, o.Dir+"-away", map[string]string{"b.yaml": finance})
	if err := os.Rename(o.Dir+"-away", o.Dir); err != nil {
		t.Fatal(err)
	}
	await(t, changed)
	if names(source.Current()) != "finance" {
		t.Errorf("defaults are %q", names(source.Current()))
	}
}

func TestTheFirstReadingMustBeGood(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no folder":      {func(o *Options) { o.Dir = missing }, "read the manifests: open " + missing + ": no such file or directory"},
		"no data folder": {func(o *Options) { o.DataDir = missing }, "the token of the tenant: write " + filepath.Join(missing, "contoso.token")},
		"no address":     {func(o *Options) { o.Listen = "8080" }, "the address to listen on: address 8080: missing port in address"},
		"the check":      {func(o *Options) { o.Check = func(*settings.Snapshot) error { return errors.New("no good") } }, ": no good"},
	} {
		s, err := load(options(t, map[string]string{"a.yaml": contoso}, test.change))
		if err == nil || !strings.Contains(err.Error(), test.want) || s != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
