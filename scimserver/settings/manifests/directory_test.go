package manifests

import (
	"strings"
	"testing"
)

func TestTheDirectoryIsKnownAtTheNextStartInItsPlace(t *testing.T) {
	const url = "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: database, namespace: customers}, stringData: {url: postgres://db/scim}}\n"
	inPostgres := strings.Replace(contoso, "spec:", "spec:\n  storage: {type: PostgreSQL, postgresql: {connectionSecretRef: {name: database}}}", 1) + url
	o := options(t, map[string]string{"a.yaml": contoso})
	source := New(o)
	known := func(content string, change ...func(*Options)) string {
		t.Helper()
		write(t, o.Dir, map[string]string{"a.yaml": content})
		changed := o
		for _, change := range change {
			change(&changed)
		}
		s, err := load(changed)
		if err != nil {
			t.Fatal(err)
		}
		if s.Tenant.Status.Directory == nil {
			return ""
		}
		return s.Tenant.Status.Directory.ID
	}
	byFlag := func(o *Options) { o.StorageByFlag = true }
	if got := known(contoso); got != "" {
		t.Errorf("before the first start: %q", got)
	}
	if err := source.Load(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := source.KeepDirectory("directory-1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, got, want string }{
		{"the next start", known(contoso), "directory-1"},
		{"a file from a cluster", known(strings.Replace(contoso, "metadata: {", "metadata: {uid: 8b1c3f0e-0a52-4a5b-9b61-3f2f6f6d2c11, ", 1) + "\nstatus: {directory: {id: other}}\n"), "directory-1"},
		{"another tenant", known(strings.ReplaceAll(contoso, "contoso", "fabrikam")), ""},
		{"another namespace", known(strings.ReplaceAll(contoso, "customers", "guests")), ""},
		{"another engine", known(inPostgres), ""},
		{"a database by flag", known(contoso, byFlag), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	write(t, o.Dir, map[string]string{"a.yaml": contoso})
	write(t, o.DataDir, map[string]string{directoryFile: "{"})
	if _, err := load(o); err == nil || !strings.Contains(err.Error(), "which directory the tenant has") {
		t.Errorf("a damaged file: %v", err)
	}
}
