package manifests

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/settings"
)

func TestATokenThatIsMissingIsCreatedOnceForItsOwnerOnly(t *testing.T) {
	log := &log{}
	o := options(t, map[string]string{"a.yaml": contoso}, func(o *Options) { o.Log = log.logger() })
	first, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.DataDir, "contoso.token")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secretToken := strings.TrimSpace(string(data))
	second, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*settings.Snapshot{first, second} {
		if v, ok := s.Verifiers.Find(secretToken); !ok || v.Role != token.RoleProvisioner || len(s.Verifiers.Verifiers) != 1 {
			t.Errorf("the token in the file is not let in: %+v", s.Verifiers)
		}
	}
	if log.count(path) != 2 || log.count(secretToken) != 0 {
		t.Error("the log must have the path and not the token")
	}
}

func TestAccessTokensEndWhereTheTenantsAnnotationsAskForIt(t *testing.T) {
	asked := func(annotation string) string {
		return strings.Replace(contoso, "namespace: customers}",
			"namespace: customers, annotations: {rotate.provisioning.tenantry.dev/"+annotation+"}}", 1)
	}
	for manifest, want := range map[string]struct {
		epoch   string
		ended   int
		unheard string
	}{
		contoso: {},
		asked(`accessTokens: "2026-11-23T12:00:00Z"`):      {epoch: "2026-11-23T12:00:00Z", ended: 1},
		asked(`accessTokens: "2026-11-23T13:00:00+01:00"`): {epoch: "2026-11-23T12:00:00Z", ended: 1},
		asked(`clientSecret: "2026-11-23T12:00:00Z"`):      {unheard: "rotate.provisioning.tenantry.dev/clientSecret]"},
		asked(`accesTokens: "2026-11-23T12:00:00Z"`):       {unheard: "rotate.provisioning.tenantry.dev/accesTokens]"},
		asked(`accessTokens: yesterday`):                   {unheard: "rotate.provisioning.tenantry.dev/accessTokens], because"},
	} {
		var l log
		o := options(t, map[string]string{"a.yaml": contoso}, func(o *Options) { o.Log = l.logger() })
		source := New(o)
		if err := source.Load(); err != nil {
			t.Fatal(err)
		}
		write(t, o.Dir, map[string]string{"a.yaml": manifest})
		if err := source.Load(); err != nil {
			t.Fatal(err)
		}
		if got := source.Current().Verifiers.Epoch(); got != want.epoch {
			t.Errorf("the epoch is %q, want %q by\n%s", got, want.epoch, manifest)
		}
		if got := l.count("have ended"); got != want.ended {
			t.Errorf("the log says %d times that the tokens have ended, by\n%s", got, manifest)
		}
		if got := l.count("metadata.annotations[" + want.unheard); (got == 1) != (want.unheard != "") {
			t.Errorf("the log says %d times that %q has no effect, by\n%s", got, want.unheard, manifest)
		}
	}
}

func TestATokenThatIsGivenIsNotCreated(t *testing.T) {
	given, other := newToken(t), newToken(t)
	set := token.Set{Verifiers: []token.Verifier{token.NewVerifier(given, token.RoleProvisioner, time.Unix(0, 0))}}
	encoded, err := set.Encode()
	if err != nil {
		t.Fatal(err)
	}
	secret := func(name, field, value string) string {
		return "\napiVersion: v1\nkind: Secret\nmetadata: {name: " + name + ", namespace: customers}\n" + field + ": " + value + "\n"
	}
	base64Of := base64.StdEncoding.EncodeToString
	for name, manifest := range map[string]string{
		"stringData of the credentials":            secret("contoso-credentials", "stringData", "{token: "+given+", tenantURL: x}"),
		"data of the credentials":                  secret("contoso-credentials", "data", "{token: "+base64Of([]byte(given))+"}"),
		"a block of text":                          secret("contoso-credentials", "stringData", "\n  token: |\n    "+given),
		"data of the verifiers":                    secret("contoso-verifier", "data", "{verifiers.json: "+base64Of(encoded)+"}"),
		"stringData of the verifiers":              secret("contoso-verifier", "stringData", "{verifiers.json: '"+string(encoded)+"'}"),
		"verifiers go before credentials":          join(secret("contoso-credentials", "stringData", "{token: "+other+"}"), secret("contoso-verifier", "data", "{verifiers.json: "+base64Of(encoded)+"}")),
		"another tenant's Secret is not looked at": join(secret("contoso-credentials", "stringData", "{token: "+given+"}"), secret("fabrikam-verifier", "strange", "{}")),
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, map[string]string{"a.yaml": join(contoso, manifest)})
			s, err := load(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.Verifiers.Find(given); !ok || len(s.Verifiers.Verifiers) != 1 {
				t.Errorf("verifiers %+v", s.Verifiers)
			}
			if entries, err := os.ReadDir(o.DataDir); err != nil || len(entries) != 0 {
				t.Errorf("the data folder has %v (%v)", entries, err)
			}
		})
	}
}

func TestATokenThatIsNoneIsRefusedAndNeverShown(t *testing.T) {
	given := newToken(t)
	mistyped := given[:len(given)-1] + "?"
	head := "\napiVersion: v1\nkind: Secret\nmetadata: {name: contoso-credentials, namespace: customers}\n"
	malformed := "not a Tenantry token: expected tnt_ followed by 49 letters and digits with a matching checksum"
	for name, test := range map[string]struct{ manifest, file, want string }{
		"mistyped":         {head + "stringData: {token: '" + mistyped + "'}", "", "a.yaml, document 2: Secret contoso-credentials: key token: " + malformed + "; leave the Secret out and a token is created"},
		"in another key":   {head + "stringData: {Token: " + given + "}", "", "a.yaml, document 2: Secret contoso-credentials: key token: " + malformed + "; leave the Secret out and a token is created"},
		"not in base64":    {head + "data: {token: '" + given + "'}", "", "a.yaml, document 2: Secret contoso-credentials: illegal base64 data at input byte 3"},
		"in another field": {head + "token: " + given, "", `a.yaml, document 2: Secret contoso-credentials: unknown field "token"`},
		"not a map":        {head + "stringData: " + given, "", "a.yaml, document 2: Secret contoso-credentials: stringData: must be map, not string"},
		"twice":            {head + "stringData: {token: " + given + ", token: " + given + "}", "", `a.yaml, document 2: yaml: line 11: key "token" already set in map`},
		"no YAML":          {head + "stringData: {token: " + given, "", "a.yaml, document 2: yaml: line 11: did not find expected ',' or '}'"},
		"verifiers":        {strings.Replace(head, "credentials", "verifier", 1) + "stringData: {verifiers.json: '" + given + "'}", "", "a.yaml, document 2: Secret contoso-verifier: key verifiers.json: read verifiers: invalid character 'n' in literal true (expecting 'r')"},
		"a damaged file":   {"", mistyped, malformed + "; delete the file and a token is created"},
		"a truncated file": {"", "", malformed + "; delete the file and a token is created"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, map[string]string{"a.yaml": join(contoso, test.manifest)})
			want := o.Dir + ": " + test.want
			if test.manifest == "" {
				write(t, o.DataDir, map[string]string{"contoso.token": test.file})
				want = o.Dir + ": " + filepath.Join(o.DataDir, "contoso.token") + ": " + test.want
			}
			_, err := load(o)
			if err == nil {
				t.Fatal("it was taken")
			}
			if err.Error() != want {
				t.Errorf("the error is\n%s\nwant\n%s", err, want)
			}
			if strings.Contains(err.Error(), given[10:30]) {
				t.Errorf("the token is in the error: %s", err)
			}
		})
	}
}

const contosoWithMore = `
apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec: {authentication: {oauth: {}, readers: [{name: payroll}, {name: audit}]}}
`

func TestReadersAndTheOAuthClientGetCredentialsOfTheirOwn(t *testing.T) {
	log := &log{}
	o := options(t, map[string]string{"a.yaml": contosoWithMore}, func(o *Options) { o.Log = log.logger() })
	s, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Verifiers.Verifiers) != 4 {
		t.Fatalf("verifiers %+v", s.Verifiers)
	}
	read := func(name string) string {
		t.Helper()
		path := filepath.Join(o.DataDir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info, err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if plaintext := strings.TrimSpace(string(data)); log.count(path) != 1 || log.count(plaintext) != 0 {
			t.Errorf("the log must have %s and not what is in it", path)
		}
		return strings.TrimSpace(string(data))
	}
	for file, want := range map[string]token.Verifier{
		"contoso.token":                {Role: token.RoleProvisioner},
		"contoso.reader-payroll.token": {Role: token.RoleReader, ID: "reader-payroll"},
		"contoso.reader-audit.token":   {Role: token.RoleReader, ID: "reader-audit"},
	} {
		if v, ok := s.Verifiers.Find(read(file)); !ok || v.Role != want.Role || want.ID != "" && v.ID != want.ID {
			t.Errorf("%s: %+v", file, v)
		}
	}
	if _, ok := s.Verifiers.FindClient("contoso", read("contoso.client-secret")); !ok {
		t.Error("the client secret is not that of client contoso")
	}
	payroll := read("contoso.reader-payroll.token")
	write(t, o.Dir, map[string]string{"a.yaml": contoso})
	if s, err = load(o); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Verifiers.Find(payroll); ok || len(s.Verifiers.Verifiers) != 1 {
		t.Errorf("a reader that was taken out is still let in: %+v", s.Verifiers)
	}
}

func TestSecretsMayHandOutThoseOfReadersAndClientToo(t *testing.T) {
	secretToken, payroll, client := newToken(t), newToken(t), newToken(t)
	manifest := "\napiVersion: v1\nkind: Secret\nmetadata: {name: contoso-credentials, namespace: customers}\n" +
		"stringData: {token: " + secretToken + ", clientSecret: " + client + "}\n---\n" +
		"apiVersion: v1\nkind: Secret\nmetadata: {name: contoso-reader.payroll, namespace: customers}\nstringData: {token: " + payroll + "}\n"
	o := options(t, map[string]string{"a.yaml": join(contosoWithMore, manifest)})
	s, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Verifiers.Find(payroll); !ok || v.ID != "reader-payroll" {
		t.Errorf("the reader's token is not let in: %+v", s.Verifiers)
	}
	if _, ok := s.Verifiers.FindClient("contoso", client); !ok {
		t.Errorf("the client's secret is not let in: %+v", s.Verifiers)
	}
	entries, err := os.ReadDir(o.DataDir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "contoso.reader-audit.token" {
		t.Errorf("only the token that the Secret lacks is created; there are %v (%v)", entries, err)
	}
	broken := strings.Replace(manifest, payroll, "tnt_x", 1)
	write(t, o.Dir, map[string]string{"a.yaml": join(contosoWithMore, broken)})
	if _, err := load(o); err == nil || !strings.Contains(err.Error(), "Secret contoso-reader.payroll: key token: not a Tenantry token") {
		t.Errorf("got %v", err)
	}
}

func TestAReaderThatIsAServiceAccountGetsNoTokenAndItIsSaidThatNobodyIsLetIn(t *testing.T) {
	var l log
	tenant := strings.Replace(contoso, "spec:\n", "spec:\n  authentication: {readers: [{name: payroll, serviceAccount: {name: payroll}}, {name: audit}]}\n", 1)
	o := options(t, map[string]string{"a.yaml": tenant}, func(o *Options) { o.Log = l.logger() })
	source, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	if l.count(`"These readers cannot be let in`) != 1 || l.count(`"readers"=["payroll"]`) != 1 {
		t.Errorf("nobody is told:\n%s", strings.Join(l.lines, "\n"))
	}
	var ids []string
	for _, v := range source.Verifiers.Verifiers {
		ids = append(ids, v.ID)
	}
	if len(ids) != 2 || ids[1] != "reader-audit" {
		t.Errorf("there are credentials %v, want the Secret Token and that of audit", ids)
	}
}
