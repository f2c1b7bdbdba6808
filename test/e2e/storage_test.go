package e2e

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/store/postgres/testenv"
)

// The manifests name the database, as they do in a cluster, and no flag does.
func TestADirectoryIsKeptWhereTheManifestsSay(t *testing.T) {
	c := newTenant(t)
	namespace := "test-" + strings.ToLower(rand.Text()[:12])
	schema := v1alpha1.DatabaseSchema(namespace, "contoso")
	t.Cleanup(func() { testenv.Execute(t, `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`) })
	path := filepath.Join(c.manifests, "contoso.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tenant := strings.ReplaceAll(string(content), "namespace: customers", "namespace: "+namespace)
	tenant = strings.Replace(tenant, "  displayName:", "  storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: contoso-database}}}\n  displayName:", 1)
	put := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(path, tenant)

	// Without the Secret there is no directory, in SQLite least of all.
	_, complaint, err := scimserver(t, nil, "--manifests", c.manifests, "--data", c.data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(complaint, "Secret "+namespace+"/contoso-database is not among the manifests: add it") {
		t.Fatalf("without the Secret: %v\n%s", err, complaint)
	}

	url, err := testenv.URL()
	if err != nil {
		t.Fatal(err)
	}
	mark := namespace + "-" // of the connections, by which the database knows what Secret they come from
	secret := filepath.Join(c.manifests, "secret.yaml")
	connect := func(as string) {
		t.Helper()
		put(secret, "apiVersion: v1\nkind: Secret\nmetadata: {name: contoso-database, namespace: "+namespace+"}\nstringData: {url: \""+
			with(url, "application_name="+mark+as)+"\"}\n")
	}
	connect("one")
	p := c.start()
	anna := p.mustSend("POST", "/Users", `{"userName":"anna@contoso.test"}`, 201)["id"].(string)
	if n := count(t, url, `SELECT count(*) FROM "`+schema+`".resources`); n != 1 {
		t.Errorf("the schema %s has %d resources, want the user", schema, n)
	}
	if _, err := os.Stat(filepath.Join(c.data, "directory.db")); err == nil {
		t.Error("there is a directory in SQLite, too")
	}

	// Another Secret is followed with the next readiness probe.
	connect("two")
	connections := func(as string) int {
		return count(t, url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = '"+mark+as+"'")
	}
	p.until("the connections are those of the new Secret", func() bool { return connections("one") == 0 && connections("two") > 0 })
	p.mustSend("GET", "/Users/"+anna, "", 200)
	p.kill()

	// A flag says where the directory is, whatever the manifests say.
	file := filepath.Join(t.TempDir(), "url")
	put(file, testenv.Schema(t))
	c.flags = []string{"--database-url-file", file}
	p = c.start()
	p.mustSend("GET", "/Users/"+anna, "", 404)
	if !strings.Contains(p.log.String(), "spec.storage") {
		t.Errorf("nobody is told that spec.storage is not followed:\n%s", p.log)
	}
}

// with is a connection URL with one more parameter.
func with(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

func count(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// until asks the server whether it is ready, as a kubelet does, until something holds.
func (p *process) until(wish string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(60 * time.Second); !holds(); {
		if response, err := http.Get(p.admin + v1alpha1.ReadyPath); err == nil {
			_ = response.Body.Close()
		}
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatalf("waited in vain until %s:\n%s", wish, p.log)
		}
	}
}
