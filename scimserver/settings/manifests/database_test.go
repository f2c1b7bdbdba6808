package manifests

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/test/race"
)

const (
	inDatabase = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec: {storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: contoso-database}}}}
`
	connection = `
apiVersion: v1
kind: Secret
metadata: {name: contoso-database, namespace: customers}
stringData:
  url: postgres://scim:s3cr3t@db:5432/database?sslmode=verify-full&sslrootcert=/database/ca.crt&sslcert=%2Fdatabase%2Ftls.crt
  dsn: host=db password=s3cr3t sslrootcert='/database/ca.crt' sslcert=/database/tls.crt
  ca.crt: CA
data: {tls.crt: Q0VSVA==}
`
	readable = "postgres://"
)

// checkURL stands for the engine's.
func checkURL(url string) error {
	if !strings.HasPrefix(url, readable) {
		return errors.New("the connection URL cannot be read")
	}
	return nil
}

func TestTheConnectionURLIsTheSecretsWithItsCertificatesAsFiles(t *testing.T) {
	o := options(t, map[string]string{"a.yaml": join(inDatabase, connection)}, func(o *Options) { o.CheckURL = checkURL })
	source := New(o)
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(o.DataDir, "database")
	want := "postgres://scim:s3cr3t@db:5432/database?sslmode=verify-full&sslrootcert=" + escaped(files) + "%2Fca.crt&sslcert=" + escaped(files) + "%2Ftls.crt"
	if url, err := source.DatabaseURL(); err != nil || url != want {
		t.Errorf("%s, %v, want\n%s", url, err, want)
	}
	for name, want := range map[string]string{"ca.crt": "CA", "tls.crt": "CERT"} {
		got, err := os.ReadFile(filepath.Join(files, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if info, err := os.Stat(filepath.Join(files, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if got := source.Current().Tenant.Spec.Storage.Type; got != v1alpha1.StoragePostgreSQL {
		t.Errorf("storage %s", got)
	}
}

func TestAConnectionOfKeysAndValuesNamesFilesToo(t *testing.T) {
	tenant := strings.Replace(inDatabase, "name: contoso-database", "name: contoso-database, key: dsn", 1)
	o := options(t, map[string]string{"a.yaml": join(tenant, connection)})
	source := New(o)
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(o.DataDir, "database")
	want := "host=db password=s3cr3t sslrootcert='" + files + "/ca.crt' sslcert=" + files + "/tls.crt"
	if got, err := source.DatabaseURL(); err != nil || got != want {
		t.Errorf("%s, %v, want\n%s", got, err, want)
	}
}

func escaped(path string) string { return strings.ReplaceAll(path, "/", "%2F") }

func TestAConnectionSecretThatIsNoneIsSaidWithWhatToDo(t *testing.T) {
	const tenant = "a.yaml, document 1: ProvisioningTenant contoso: spec.storage.postgresql.connectionSecretRef: "
	secret := func(rest string) string {
		return "\napiVersion: v1\nkind: Secret\nmetadata: {name: contoso-database, namespace: customers}\n" + rest + "\n"
	}
	for name, c := range map[string]struct{ files, want string }{
		"no Secret": {inDatabase, "Secret customers/contoso-database is not among the manifests: add it, with the connection URL under its key url," +
			" or say where the directory is kept with --database-url-file"},
		"a Secret of another namespace": {join(inDatabase, strings.Replace(connection, "namespace: customers", "namespace: others", 1)), "Secret customers/contoso-database is not among the manifests"},
		"no key":                        {join(inDatabase, secret("stringData: {uri: postgres://db}")), "a.yaml, document 2: Secret contoso-database: key url: must be the connection URL, as in postgres://USER:PASSWORD@HOST:5432/DATABASE"},
		"an empty key":                  {join(inDatabase, secret("stringData: {url: ' '}")), "a.yaml, document 2: Secret contoso-database: key url: must be the connection URL"},
		"another key": {join(strings.Replace(inDatabase, "name: contoso-database", "name: contoso-database, key: uri", 1), connection),
			"a.yaml, document 2: Secret contoso-database: key uri: must be the connection URL"},
		"no URL":                   {join(inDatabase, secret("stringData: {url: s3cr3t}")), "a.yaml, document 2: Secret contoso-database: key url: the connection URL cannot be read"},
		"no base64":                {join(inDatabase, secret("data: {url: s3cr3t!}")), "a.yaml, document 2: Secret contoso-database: "},
		"a certificate that lacks": {join(inDatabase, strings.Replace(connection, "ca.crt: CA", "other: CA", 1)), "a.yaml, document 2: Secret contoso-database: key ca.crt: the connection URL names it as /database/ca.crt, so it must be there"},
	} {
		t.Run(name, func(t *testing.T) {
			source := New(options(t, map[string]string{"a.yaml": c.files}, func(o *Options) { o.CheckURL = checkURL }))
			err := source.Load()
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v, want %s", err, c.want)
			}
			if name == "no Secret" && !strings.Contains(err.Error(), tenant[strings.Index(tenant, "ProvisioningTenant"):]) {
				t.Errorf("%v, want %s", err, tenant)
			}
			if _, err := source.DatabaseURL(); err == nil {
				t.Error("there is a connection URL nevertheless")
			}
		})
	}
}

func TestAFlagThatSaysWhereTheDirectoryIsKeptWins(t *testing.T) {
	var l log
	o := options(t, map[string]string{"a.yaml": inDatabase}, func(o *Options) { o.StorageByFlag, o.Log = true, l.logger() })
	source := New(o)
	if err := source.Load(); err != nil { // though there is no Secret
		t.Fatal(err)
	}
	if _, err := source.DatabaseURL(); err == nil {
		t.Error("there is a connection URL nevertheless")
	}
	if l.count(`"spec.storage"`) != 1 {
		t.Errorf("nobody is told that spec.storage is not followed: %v", l.lines)
	}
}

func TestAChangedConnectionSecretIsFollowedAndABrokenOneIsNot(t *testing.T) {
	race.Meets(t) // a source runs beside
	var l log
	o := options(t, map[string]string{"tenant.yaml": inDatabase, "secret.yaml": connection}, func(o *Options) { o.CheckURL, o.Log = checkURL, l.logger() })
	source := start(t, o)
	before, err := source.DatabaseURL()
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]map[string]string{
		"unreadable":     {"secret.yaml": strings.Replace(connection, "url: postgres", "url: mysql", 1)},
		"another engine": {"tenant.yaml": strings.Replace(inDatabase, "{storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: contoso-database}}}}", "{}", 1)},
	} {
		told := l.count("The changed manifests are not good")
		write(t, o.Dir, broken)
		until(t, name+" is told", func() bool { return l.count("The changed manifests are not good") > told })
		if url, err := source.DatabaseURL(); err != nil || url != before {
			t.Errorf("%s: the URL is another, %v", name, err)
		}
		until(t, name+" is a problem", func() bool { return strings.HasPrefix(source.Problem(), "The changed manifests are not good") })
		if strings.Contains(source.Problem(), "s3cr3t") {
			t.Errorf("%s: a password is shown: %s", name, source.Problem())
		}
		write(t, o.Dir, map[string]string{"tenant.yaml": inDatabase, "secret.yaml": connection})
		until(t, name+" is over", func() bool { return source.Problem() == "" })
	}
	if l.count("spec.storage.type must stay PostgreSQL while the server runs") == 0 {
		t.Errorf("nobody is told that the engine stays: %v", l.lines)
	}
	write(t, o.Dir, map[string]string{"secret.yaml": strings.Replace(connection, "s3cr3t", "n3xt", 1)})
	until(t, "the new password", func() bool {
		url, err := source.DatabaseURL()
		return err == nil && strings.Contains(url, "n3xt")
	})
	if l.count("s3cr3t")+l.count("n3xt") > 0 {
		t.Errorf("the log has a password: %v", l.lines)
	}
}

func TestWhatOnlyTheOperatorFollowsIsSaidAtStart(t *testing.T) {
	var l log
	tenant := strings.Replace(contoso, "spec:\n", `spec:
  exposure: {host: contoso.example.com}
  storage: {sqlite: {size: 2Gi}}
  server: {replicas: 2}
  deletionPolicy: Retain
  authentication: {secretToken: {rotationInterval: 24h}}
`, 1)
	if _, err := load(options(t, map[string]string{"a.yaml": tenant}, func(o *Options) { o.Log = l.logger() })); err != nil {
		t.Fatal(err)
	}
	const want = `"fields"=["spec.authentication.secretToken" "spec.deletionPolicy" "spec.exposure" "spec.server" "spec.storage.sqlite"]`
	if l.count(want) != 1 {
		t.Errorf("no line has %s:\n%s", want, strings.Join(l.lines, "\n"))
	}
	var quiet log
	if _, err := load(options(t, map[string]string{"a.yaml": contoso}, func(o *Options) { o.Log = quiet.logger() })); err != nil {
		t.Fatal(err)
	}
	if quiet.count("fields") > 0 {
		t.Errorf("fields that are not there have no effect: %v", quiet.lines)
	}
}

// A field of the spec that is new is followed, or its owner is told that it is not.
func TestEachFieldOfTheSpecIsFollowedOrTheOperatorsAlone(t *testing.T) {
	followed := []string{"className", "displayName", "identityProvider", "provisioning", "access", "catalog", "authentication", "storage", "retention", "rateLimit", "schema"}
	alone := []string{"exposure", "server", "deletionPolicy"}
	for field := range reflect.TypeFor[v1alpha1.ProvisioningTenantSpec]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if slices.Contains(followed, name) == slices.Contains(alone, name) {
			t.Errorf("spec.%s is neither followed nor said to be the operator's alone", name)
		}
	}
}

func TestALoadedSourceRunsOnFromThere(t *testing.T) {
	source := New(options(t, map[string]string{"a.yaml": contoso}))
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	loaded, changed := source.Current(), source.Changed()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := source.Run(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Error("the same settings were published a second time")
	default:
	}
	if source.Current() != loaded {
		t.Error("the settings are others")
	}
}
