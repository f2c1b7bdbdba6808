package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

const guid = "8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11"

// created runs create, which must be fine, and returns what it wrote.
func created(t *testing.T, args ...string) (out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := Run(t.Context(), append([]string{"create"}, args...), options(&o, &e)); code != ExitFine {
		t.Fatalf("create %q: exit %d\n%s", args, code, &e)
	}
	return o.String(), e.String()
}

func TestANewTenantHasWhatTheFlagsSayAndNoDefault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a name alone": {[]string{"contoso"}, `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata:
  name: contoso
`},
		"everything on a volume": {[]string{
			"contoso", "-n", "customers", "--display-name", "Contoso Ltd", "--entra-tenant-id", guid, "--cloud", "China", "--host", "contoso.scim.example.com",
			"--ingress-class", "nginx", "--storage-class", "fast", "--storage-size", "10Gi",
			"--companies", "Contoso AB,Contoso Oy", "--companies", `"Contoso, Inc."`, "--roles", "approver,viewer",
		}, `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata:
  name: contoso
  namespace: customers
spec:
  catalog:
    companies:
    - Contoso AB
    - Contoso Oy
    - Contoso, Inc.
    roles:
    - approver
    - viewer
  displayName: Contoso Ltd
  exposure:
    host: contoso.scim.example.com
    ingress:
      className: nginx
  identityProvider:
    entra:
      cloud: China
      tenantID: ` + guid + `
  storage:
    sqlite:
      size: 10Gi
      storageClassName: fast
`},
		"in a database": {[]string{"contoso", "--postgresql-secret", "contoso-database"}, `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata:
  name: contoso
spec:
  storage:
    postgresql:
      connectionSecretRef:
        name: contoso-database
    type: PostgreSQL
`},
		"a size, which is asked for also where it is the default": {[]string{"contoso", "--storage-size", "1024Mi"}, `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata:
  name: contoso
spec:
  storage:
    sqlite:
      size: 1Gi
`},
		"what is the default anyway": {[]string{
			"contoso", "--display-name", "contoso", "--entra-tenant-id", guid, "--cloud", "Public",
		}, `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata:
  name: contoso
spec:
  identityProvider:
    entra:
      tenantID: ` + guid + `
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := created(t, c.args...)
			if got != c.want {
				t.Errorf("%s\nwant\n%s", got, c.want)
			}
			if err := yaml.UnmarshalStrict([]byte(got), &v1alpha1.ProvisioningTenant{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// YAML has words and figures that are no strings, and characters that steer it.
func TestANewTenantHasEachTextAsItWasGiven(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"no", "null", "~", "0123", "1e3", "1_000", "12:30", "2026-11-30", "=", "- a", "a: b", "a #b", "'", `"`, "|", "&a", "*a", "!a", "%a", "@a", "\u2028",
		"\u00a0", "\ufeff", "Ångström 株式会社 🏢", "{{ a }}", "$HOME", "\u202e", "---", "...", " Contoso ", strings.Repeat("é", 256),
	} {
		out, _ := created(t, "contoso", "--display-name", text)
		var got v1alpha1.ProvisioningTenant
		if err := yaml.UnmarshalStrict([]byte(out), &got); err != nil || got.Spec.DisplayName != text {
			t.Errorf("%q became %q (%v)\n%s", text, got.Spec.DisplayName, err, out)
		}
	}
}

func TestANewTenantIsAppliedToTheNamespaceThatWasMeant(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config")
	const content = `{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","namespace":"partners"}}],` +
		`"clusters":[{"name":"a","cluster":{"server":"https://127.0.0.1:1"}}]}`
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const hint = "Nothing was applied. Save it as contoso.yaml, then: kubectl apply -f contoso.yaml"
	for name, c := range map[string]struct{ args, want string }{
		"the flag":        {"--kubeconfig " + config + " -n customers", " -n customers\n"},
		"the context":     {"--kubeconfig " + config, " -n partners\n"},
		"no kubeconfig":   {"--kubeconfig " + config + ".none", "\n"},
		"no such context": {"--kubeconfig " + config + " --context b -n customers", " -n customers\n"},
	} {
		if _, got := created(t, append([]string{"contoso"}, strings.Fields(c.args)...)...); got != hint+c.want {
			t.Errorf("%s: %q, want %q", name, got, hint+c.want)
		}
	}
}

func TestATenantThatTheAPIServerWouldRefuseIsNotWritten(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":                {nil, "kubectl tenantry create takes the name of the new tenant"},
		"two names":              {[]string{"a", "b"}, "kubectl tenantry create takes the name of the new tenant"},
		"an empty name":          {[]string{""}, "the tenant's name " + nameMessage},
		"a name in upper case":   {[]string{"Contoso"}, "the tenant's name " + nameMessage},
		"a name with a dot":      {[]string{"contoso.se"}, "the tenant's name " + nameMessage},
		"a name with a figure":   {[]string{"3m"}, "the tenant's name " + nameMessage},
		"a name and a line":      {[]string{"contoso\n"}, "the tenant's name " + nameMessage},
		"a long name":            {[]string{long[:53]}, "the tenant's name " + nameTooLong},
		"a namespace":            {[]string{"a", "-n", "A"}, `--namespace must be the name of a namespace, not "A"`},
		"no namespace":           {[]string{"a", "-n", ""}, "--namespace is empty"},
		"no display name":        {[]string{"a", "--display-name", ""}, "--display-name is empty"},
		"a long display name":    {[]string{"a", "--display-name", long}, `--display-name must have at most 256 characters: "` + long + `"`},
		"a broken display name":  {[]string{"a", "--display-name", "\xff"}, `--display-name must be UTF-8, not "\xff"`},
		"a line break":           {[]string{"a", "--display-name", "a\nb"}, `--display-name must have no control characters, not "a\nb"`},
		"a control character":    {[]string{"a", "--companies", "a\u0085b"}, `--companies must have no control characters, not "a\u0085b"`},
		"an Entra tenant's name": {[]string{"a", "--entra-tenant-id", "contoso.com"}, "--entra-tenant-id " + entraTenantIDMessage},
		"a GUID in braces":       {[]string{"a", "--entra-tenant-id", "{" + guid + "}"}, "--entra-tenant-id " + entraTenantIDMessage},
		"no Entra tenant":        {[]string{"a", "--entra-tenant-id="}, "--entra-tenant-id is empty"},
		"a cloud": {[]string{"a", "--entra-tenant-id", guid, "--cloud", "public"},
			`--cloud must be Public, USGovernment or China, not "public"`},
		"a cloud alone":        {[]string{"a", "--cloud", "China"}, "--cloud is that of an Entra tenant: give --entra-tenant-id too"},
		"a URL for a host":     {[]string{"a", "--host", "https://a.example.com"}, "--host " + hostMessage},
		"a host in upper case": {[]string{"a", "--host", "A.example.com"}, "--host " + hostMessage},
		"a host with a port":   {[]string{"a", "--host", "a.example.com:443"}, "--host " + hostMessage},
		"a long host":          {[]string{"a", "--host", strings.Repeat("a.", 127) + "a"}, "--host must have at most 253 characters"},
		"a class of Ingresses": {[]string{"a", "--ingress-class", "a/b"}, `--ingress-class must be the name of an IngressClass, not "a/b"`},
		"a class of volumes":   {[]string{"a", "--storage-class", "Fast"}, `--storage-class must be the name of a StorageClass, not "Fast"`},
		"a size without unit":  {[]string{"a", "--storage-size", "10"}, `--storage-size must be an amount such as 2Gi, at least 16Mi, not "10"`},
		"a size of bytes":      {[]string{"a", "--storage-size", "10GB"}, `--storage-size must be an amount such as 2Gi, at least 16Mi, not "10GB"`},
		"a small size":         {[]string{"a", "--storage-size", "16383Ki"}, `--storage-size must be an amount such as 2Gi, at least 16Mi, not "16383Ki"`},
		"a negative size":      {[]string{"a", "--storage-size", "-1Gi"}, `--storage-size must be an amount such as 2Gi, at least 16Mi, not "-1Gi"`},
		"a Secret":             {[]string{"a", "--postgresql-secret", "postgres://a"}, `--postgresql-secret must be the name of a Secret, not "postgres://a"`},
		"a volume and a database": {[]string{"a", "--postgresql-secret", "a", "--storage-size", "1Gi"},
			"--storage-class and --storage-size are of a volume, which a directory in PostgreSQL does not have: leave them out, or --postgresql-secret"},
		"no companies":     {[]string{"a", "--companies", ""}, "--companies is empty"},
		"an empty company": {[]string{"a", "--companies", "A,,B"}, "--companies has an empty name"},
		"a long company":   {[]string{"a", "--companies", long}, `--companies must have at most 256 characters: "` + long + `"`},
		"a company twice":  {[]string{"a", "--companies", "A,B", "--companies", "A"}, `--companies has "A" twice`},
		"a role twice":     {[]string{"a", "--roles", "A,A"}, `--roles has "A" twice`},
		"many roles":       {[]string{"a", "--roles", strings.Repeat("a,", 1000) + "a"}, "--roles must have at most 1000 names"},
		"a company's comma": {[]string{"a", "--companies", "Fabrikam, Inc."},
			`--companies has " Inc.", with a blank around it; write a name with a comma in double quotes within the argument, as in '"Fabrikam, Inc.",Contoso'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			code := Run(t.Context(), append([]string{"create"}, c.args...), options(&out, &errOut))
			want := "error: " + c.want + "\nSee 'kubectl tenantry create --help'.\n"
			if code != ExitUsage || errOut.String() != want || out.Len() > 0 {
				t.Errorf("exit %d, output %q, errors\n%s\nwant exit %d and\n%s", code, out.String(), errOut.String(), ExitUsage, want)
			}
		})
	}
}

// The plugin says what the API server would, and knows it from nowhere but its own text.
func TestWhatIsSaidOfANewTenantIsWhatTheCRDSays(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../config/crd/bases/provisioning.tenantry.dev_provisioningtenants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		t.Fatal(err)
	}
	schema := *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	at := func(path ...string) apiextensionsv1.JSONSchemaProps {
		found := schema
		for _, name := range path {
			found = found.Properties[name]
		}
		return found
	}
	says := func(what, rule, message string, path ...string) {
		t.Helper()
		for _, v := range at(path...).XValidations {
			if strings.Contains(v.Rule, rule) && strings.HasSuffix(v.Message, message) {
				return
			}
		}
		t.Errorf("the CRD does not say of %s by %s that it %s", what, rule, message)
	}
	matches := func(shape *regexp.Regexp) string { return ".matches('" + shape.String() + "')" }
	says("a name", "size() <= 52", nameTooLong)
	says("a name", matches(nameShape), nameMessage)
	says("an Entra tenant", matches(entraTenantIDShape), entraTenantIDMessage, "spec", "identityProvider", "entra", "tenantID")
	says("a host", matches(hostShape), hostMessage, "spec", "exposure", "host")
	says("a size", "quantity('"+leastSize+"')", "at least "+leastSize, "spec", "storage", "sqlite", "size")
	var empty v1alpha1.ProvisioningTenantSpec
	if empty.SetDefaults(); empty.Storage.SQLite.Size.String() != defaultSize {
		t.Errorf("the default size is %s", &empty.Storage.SQLite.Size)
	}
	for field, bounds := range map[string][2]*int64{
		"displayName": {at("spec", "displayName").MaxLength, new(int64(longestText))},
		"host":        {at("spec", "exposure", "host").MaxLength, new(int64(longestHost))},
		"companies":   {at("spec", "catalog", "companies").MaxItems, new(int64(mostInCatalog))},
		"roles":       {at("spec", "catalog", "roles").MaxItems, new(int64(mostInCatalog))},
		"a company":   {at("spec", "catalog", "companies").Items.Schema.MaxLength, new(int64(longestText))},
		"a role":      {at("spec", "catalog", "roles").Items.Schema.MaxLength, new(int64(longestText))},
	} {
		if *bounds[0] != *bounds[1] {
			t.Errorf("%s has the bound %d, and the plugin takes %d", field, *bounds[0], *bounds[1])
		}
	}
}
