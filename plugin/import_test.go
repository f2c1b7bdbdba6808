package plugin

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/transfer"
)

// exported is a file of a directory with two users, and what it holds.
func exported(t *testing.T) (file, content string) {
	t.Helper()
	s := newServer(t)
	s.user("anna")
	s.user("bob")
	var out bytes.Buffer
	if _, err := transfer.Export(t.Context(), s.store, &out, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "contoso.jsonl")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, out.String()
}

const imported = "imported 2 users, 0 groups and 0 memberships into tenant contoso\n" +
	"See with 'kubectl tenantry describe contoso -n customers' in half a minute whether its schemas fit, then let the provisioning client in again:\n" +
	"  kubectl patch provisioningtenant contoso -n customers --type=merge -p '{\"spec\":{\"provisioning\":{\"state\":\"Active\"}}}'\n"

func TestImportFillsTheDirectoryWithWhatExportWrote(t *testing.T) {
	t.Parallel()
	file, content := exported(t)
	for name, from := range map[string]string{"a file": file, "standard input": "-"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended
			p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
			p.start(pod("contoso-scim-1", time.Hour), s.admin)
			in := genericiooptions.IOStreams{In: strings.NewReader(content)}
			code, out, errOut := p.run(Options{IOStreams: in, Forward: p.forward}, "import", "contoso", "-f", from)
			if code != ExitFine || out != imported || errOut != "" {
				t.Errorf("exit %d\n%s%swant\n%s", code, out, errOut, imported)
			}
			var again bytes.Buffer
			if _, err := transfer.Export(t.Context(), s.store, &again, transfer.Options{}); err != nil || again.String() != content {
				t.Errorf("%v, the directory is\n%swant\n%s", err, &again, content)
			}
			code, out, errOut = p.run(Options{Forward: p.forward}, "import", "contoso", "-f", file)
			want := "error: the tenant's server answers 409 Conflict: import: the directory is not empty: import only into a new one; nothing was imported\n"
			if code != ExitWrong || out != "" || errOut != want {
				t.Errorf("a second time: exit %d\n%s%swant\n%s", code, out, errOut, want)
			}
		})
	}
}

// The documents have an administrator suspend both. A command that ends one of them would leave readers outside.
func TestTheWayBackAfterAnImportEndsBothSuspensions(t *testing.T) {
	t.Parallel()
	file, _ := exported(t)
	s := newServer(t)
	s.tenant.Spec.Provisioning.State, s.tenant.Spec.Access.State = v1alpha1.StateSuspended, v1alpha1.StateSuspended
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	const want = "imported 2 users, 0 groups and 0 memberships into tenant contoso\n" +
		"See with 'kubectl tenantry describe contoso -n customers' in half a minute whether its schemas fit, then let its clients in again:\n" +
		"  kubectl patch provisioningtenant contoso -n customers --type=merge " +
		"-p '{\"spec\":{\"provisioning\":{\"state\":\"Active\"},\"access\":{\"state\":\"Active\"}}}'\n"
	if code, out, errOut := p.run(Options{Forward: p.forward}, "import", "contoso", "-f", file); code != ExitFine || out != want || errOut != "" {
		t.Errorf("exit %d\n%s%swant\n%s", code, out, errOut, want)
	}
}

func TestWhatKeepsAnImportFromBeginningIsSaidBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	file, content := exported(t)
	broken := filepath.Join(t.TempDir(), "half.jsonl")
	if err := os.WriteFile(broken, []byte(content[:len(content)-9]), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		state v1alpha1.State
		file  string
		want  string
	}{
		"provisioning is active": {"Active", file, "provisioning of tenant \"contoso\" is not suspended, and no client may write while its directory is filled. " +
			"Suspend it, and run this again:\n" +
			"  kubectl patch provisioningtenant contoso -n customers --type=merge -p '{\"spec\":{\"provisioning\":{\"state\":\"Suspended\"}}}'"},
		"no such file":      {"Suspended", "/no/such/file", "open /no/such/file: no such file or directory"},
		"half a file":       {"Suspended", broken, broken + ": this is no whole export: it was cut off after line 3, its last line is missing"},
		"a folder":          {"Suspended", filepath.Dir(file), filepath.Dir(file) + ": this is a folder"},
		"a file of no kind": {"Suspended", os.DevNull + "/x", "open /dev/null/x: not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.tenant.Spec.Provisioning.State = c.state
			p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
			p.start(pod("contoso-scim-1", time.Hour), s.admin)
			code, out, errOut := p.run(Options{Forward: p.forward}, "import", "contoso", "-f", c.file)
			if code != ExitWrong || out != "" || errOut != "error: "+c.want+"\n" {
				t.Errorf("exit %d\n%s%swant\n%s", code, out, errOut, c.want)
			}
			if len(p.asked) > 0 {
				t.Error("the server was asked")
			}
		})
	}
}

func TestAnImportThatTheServerDoesNotTakeSaysWhy(t *testing.T) {
	t.Parallel()
	file, content := exported(t)
	const again = ". All was imported or nothing: run this again, which a directory that is not empty refuses"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an older version": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
			"the server of tenant \"contoso\" has no import yet: upgrade Tenantry first"},
		"a full disk": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 10)
			http.Error(w, "import: line 7: the directory's storage is unavailable: database or disk is full; nothing was imported", http.StatusServiceUnavailable)
		}, "the tenant's server answers 503 Service Unavailable: import: line 7: the directory's storage is unavailable: database or disk is full; nothing was imported"},
		"a pod that is killed": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 10)
			panic(http.ErrAbortHandler)
		}, "ask pod contoso-scim-1: …" + again},
		"an answer that is cut off": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "the answer of the server was cut off: unexpected EOF" + again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended
			p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
			p.start(pod("contoso-scim-1", time.Hour), c.answer)
			code, out, errOut := p.run(Options{Forward: p.forward}, "import", "contoso", "-f", file)
			begin, end, _ := strings.Cut("error: "+c.want+"\n", "…") // net/http has several words for it
			if code != ExitWrong || out != "" || !strings.HasPrefix(errOut, begin) || !strings.HasSuffix(errOut, end) {
				t.Errorf("exit %d\n%s%swant\n%s", code, out, errOut, c.want)
			}
		})
	}
	s := newServer(t)
	s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	in := genericiooptions.IOStreams{In: strings.NewReader(strings.Replace(content, "anna", "anne", 1))}
	const changed = "error: the tenant's server answers 422 Unprocessable Entity: import: line 4: this is no whole export: " +
		"the SHA-256 of the lines before it is another: the file was changed after it was written; nothing was imported\n"
	if code, out, errOut := p.run(Options{IOStreams: in, Forward: p.forward}, "import", "contoso", "-f", "-"); code != ExitWrong || out != "" || errOut != changed {
		t.Errorf("a file that was changed: exit %d\n%s%swant\n%s", code, out, errOut, changed)
	}
	// The server answers, and hangs up, long before all of it was sent.
	in = genericiooptions.IOStreams{In: io.MultiReader(strings.NewReader(strings.Replace(content, "anna", "", 1)), bytes.NewReader(make([]byte, 16<<20)))}
	const early = "error: the tenant's server answers 422 Unprocessable Entity: import: line 2: this is no whole export: User "
	if code, out, errOut := p.run(Options{IOStreams: in, Forward: p.forward}, "import", "contoso", "-f", "-"); code != ExitWrong || out != "" || !strings.HasPrefix(errOut, early) {
		t.Errorf("a file that is large: exit %d\n%s%swant\n%s", code, out, errOut, early)
	}
	reader := genericiooptions.IOStreams{In: strings.NewReader(s.reader)}
	const forbidden = "error: the tenant's server answers 403 Forbidden: this takes a credential that provisions: the tenant's Secret Token, or an access token of its provisioning client\n"
	if code, out, errOut := p.run(Options{IOStreams: reader, Forward: p.forward}, "import", "contoso", "-f", file, "--token-file", "-"); code != ExitWrong || out != "" || errOut != forbidden {
		t.Errorf("a reader's token: exit %d\n%s%swant\n%s", code, out, errOut, forbidden)
	}
}

func TestAnImportThatTakesLongTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	for name, c := range map[string]struct {
		size int64
		want string
	}{
		"a file":         {size, "sent 1 of 3 MiB\nsent 2 of 3 MiB\nsent all of it, and the server makes it final\n"},
		"standard input": {-1, "sent 1 MiB\nsent 2 MiB\nsent 3 MiB\n"},
	} {
		clock := clocktesting.NewFakeClock(now)
		var told bytes.Buffer
		u := &upload{ReadCloser: io.NopCloser(bytes.NewReader(make([]byte, size))), size: c.size, out: &told, clock: clock, told: clock.Now()}
		read := func(n int64) {
			if _, err := io.CopyN(io.Discard, u, n); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			read(1<<20 - 1)
			clock.Step(2 * time.Second)
			read(1)
		}
		u.end()
		clock.Step(time.Minute)
		_, _ = u.Read(nil)
		if told.String() != c.want {
			t.Errorf("%s: told\n%swant\n%s", name, &told, c.want)
		}
	}
}
