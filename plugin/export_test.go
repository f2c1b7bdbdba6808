package plugin

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/tenantry/tenantry/scimserver/transfer"
)

func TestExportWritesTheDirectoryAsTheServerSendsIt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	s.user("anna")
	s.user("bob")
	for _, log := range []bool{false, true} {
		var want bytes.Buffer
		if _, err := transfer.Export(t.Context(), s.store, &want, transfer.Options{Log: log}); err != nil {
			t.Fatal(err)
		}
		said, flags := "2 users, 0 groups and 0 memberships", []string{"export", "contoso"}
		if log {
			said, flags = said+", with 2 entries of the provisioning log", append(flags, "--log")
		}
		code, out, errOut := p.run(Options{Forward: p.forward}, flags...)
		if code != ExitFine || out != want.String() || errOut != "exported "+said+"\n" {
			t.Errorf("to standard output: exit %d\n%s%s", code, out, errOut)
		}
		file := filepath.Join(t.TempDir(), "contoso.jsonl")
		if err := os.WriteFile(file, []byte("the one before"), 0o644); err != nil {
			t.Fatal(err)
		}
		code, out, errOut = p.run(Options{Forward: p.forward}, append(flags, "-o", file)...)
		if code != ExitFine || out != "exported "+said+" to "+file+"\n" || errOut != "" {
			t.Errorf("to a file: exit %d\n%s%s", code, out, errOut)
		}
		wantFiles(t, file, want.String())
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file has %v, %v", info.Mode(), err)
		}
	}
}

// wantFiles wants a file with this content to be alone in its folder.
func wantFiles(t *testing.T, file, content string) {
	t.Helper()
	there, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(there) != 1 {
		t.Errorf("the folder has %v, %v", there, err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != content {
		t.Errorf("the file has %q, %v", got, err)
	}
}

func TestAnExportThatIsNotWholeLeavesTheFileBeforeAsItWas(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.user("anna")
	var sent bytes.Buffer
	if _, err := transfer.Export(t.Context(), s.store, &sent, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	whole := sent.String()
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct {
		answer string
		cut    bool
		status int
		want   string
	}{
		"the connection broke":     {answer: lines[0] + lines[1], cut: true, want: "this is no whole export: the connection ended after line 2: unexpected EOF"},
		"its last line is missing": {answer: lines[0] + lines[1], want: "this is no whole export: it was cut off after line 2, its last line is missing"},
		"its last line is not whole": {answer: strings.TrimSuffix(whole, "\n"),
			want: "this is no whole export: it was cut off after line 2, its last line is missing"},
		"a value was changed":    {answer: strings.Replace(whole, "anna", "anne", 1), want: "this is no whole export: the checksum in its last line is another"},
		"a line is missing":      {answer: lines[0] + lines[2], want: "this is no whole export: the checksum in its last line is another"},
		"something follows":      {answer: whole + "{}\n", want: "this is no whole export: something follows its last line"},
		"nothing at all is sent": {want: "this is no whole export: it was cut off after line 0, its last line is missing"},
		"another export runs": {status: 429, answer: "there are 1 already who export: try again later",
			want: "the tenant's server answers 429 Too Many Requests: there are 1 already who export: try again later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
			p.start(pod("contoso-scim-1", time.Hour), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				fmt.Fprint(w, c.answer)
				if c.cut {
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
			}))
			file := filepath.Join(t.TempDir(), "contoso.jsonl")
			if err := os.WriteFile(file, []byte("the one before"), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errOut := p.run(Options{Forward: p.forward}, "export", "contoso", "-o", file)
			if code != ExitWrong || out != "" || errOut != "error: "+c.want+"\n" {
				t.Errorf("to a file: exit %d\n%s%swant\n%s", code, out, errOut, c.want)
			}
			wantFiles(t, file, "the one before")
			code, _, errOut = p.run(Options{Forward: p.forward}, "export", "contoso")
			if code != ExitWrong || errOut != "error: "+c.want+"; what was written is not the whole directory\n" {
				t.Errorf("to standard output: exit %d\n%s", code, errOut)
			}
		})
	}
}

func TestWhatKeepsAnExportFromBeginning(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	folder := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a reader's token": {[]string{"--token-file", "-", "-o", filepath.Join(folder, "a")},
			"the tenant's server answers 403 Forbidden: this takes a credential that provisions: the tenant's Secret Token, or an access token of its provisioning client"},
		"a folder that is none":      {[]string{"-o", "/no/such/file"}, "write a file in /no/such: no such file or directory"},
		"a folder in a file's place": {[]string{"-o", folder}, folder + " is no file that could be replaced"},
	} {
		in := Options{IOStreams: genericiooptions.IOStreams{In: strings.NewReader(s.reader)}, Forward: p.forward}
		code, out, errOut := p.run(in, append([]string{"export", "contoso"}, c.args...)...)
		if code != ExitWrong || out != "" || errOut != "error: "+c.want+"\n" {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, errOut)
		}
	}
	if there, err := os.ReadDir(folder); err != nil || len(there) > 0 {
		t.Errorf("the folder has %v, %v", there, err)
	}
}
