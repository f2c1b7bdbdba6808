package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/scimserver/directory"
	"github.com/tenantry/tenantry/scimserver/store"
)

func TestLogShowsWhatWasChangedAndWhatFailed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	anna := s.user("anna@contoso.test")
	for range 3 {
		s.directory.Failed(directory.Failure{
			Caller: directory.Caller{Client: "token-2", RequestID: "r-2"}, Kind: store.User, Operation: "create", Outcome: "uniqueness",
		})
	}
	if _, err := s.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := s.clock.Now().Format(time.RFC3339)
	var positions []string
	for e, err := range s.directory.Log(t.Context(), directory.LogQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		positions = append(positions, directory.PositionOf(&e).String())
	}
	for output, want := range map[string]string{
		"text": `TIME                  CLIENT              OPERATION  TYPE   ID                                    OUTCOME       ATTRIBUTES
` + at + `  token-1             create     User   ` + anna + `  success       active,userName
` + at + `  token-2             create     User   <none>                                uniqueness ×3  <none>
`,
		"json": `{"sequence":1,"time":"` + at + `","client":"token-1","requestId":"r-anna@contoso.test","resourceType":"User","resourceId":"` + anna +
			`","operation":"create","attributes":["active","userName"],"outcome":"success","count":1,"position":"` + positions[0] + `"}
{"sequence":2,"time":"` + at + `","client":"token-2","requestId":"r-2","resourceType":"User","operation":"create","outcome":"uniqueness","count":3,"position":"` +
			positions[1] + `"}
`,
		"yaml": `---
attributes:
- active
- userName
client: token-1
count: 1
operation: create
outcome: success
position: ` + positions[0] + `
requestId: r-anna@contoso.test
resourceId: ` + anna + `
resourceType: User
sequence: 1
time: "` + at + `"
---
client: token-2
count: 3
operation: create
outcome: uniqueness
position: ` + positions[1] + `
requestId: r-2
resourceType: User
sequence: 2
time: "` + at + `"
`,
	} {
		code, out, errOut := p.run(Options{Forward: p.forward}, "log", "contoso", "-o", output)
		if code != ExitFine || out != want || errOut != "" {
			t.Errorf("-o %s: exit %d\n%s%swant\n%s", output, code, out, errOut, want)
		}
		if asked := <-p.asked; asked != "customers/contoso-scim-1:8081" {
			t.Errorf("-o %s asks %s", output, asked)
		}
	}
	code, out, _ := p.run(Options{Forward: p.forward}, "log", "contoso", "-o", "json", "--limit", "1", "--credential", "reader.payroll")
	if code != ExitFine || strings.Count(out, "\n") != 1 {
		t.Errorf("--limit 1 with a reader's token: exit %d\n%s", code, out)
	}
}

func TestLogAsksTheServerForWhatItsFlagsSay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	var query string
	p.start(pod("contoso-scim-1", 0), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { query = r.URL.Path + "?" + r.URL.RawQuery }))
	for args, want := range map[string]string{
		"":                                       "/log?limit=2147483647",
		"--limit 5 --after 41":                   "/log?after=41&limit=5",
		"--since 2h30m":                          "/log?limit=2147483647&since=2026-11-26T09%3A30%3A00Z",
		"--until 2026-11-26T08:00:00+01:00":      "/log?limit=2147483647&until=2026-11-26T07%3A00%3A00Z",
		"--resource-type Group --resource-id 1":  "/log?limit=2147483647&resourceId=1&resourceType=Group",
		"--operation patch --outcome notFound":   "/log?limit=2147483647&operation=patch&outcome=notFound",
		"--order descending --outcome failure":   "/log?limit=2147483647&order=descending&outcome=failure",
		"--client token-5c1fa7de81c3":            "/log?client=token-5c1fa7de81c3&limit=2147483647",
		"--request-id K5QX2M7A3B6C4D2E --since=": "/log?limit=2147483647&requestId=K5QX2M7A3B6C4D2E",
	} {
		code, out, errOut := p.run(Options{Forward: p.forward}, append([]string{"log", "contoso"}, strings.Fields(args)...)...)
		if code != ExitFine || out+errOut != "" || query != want {
			t.Errorf("%s: exit %d, asks %s, want %s\n%s%s", args, code, query, want, out, errOut)
		}
	}
}

func TestLogShowsAllThatTheServerSendsInParts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	var asked []string
	p.start(pod("contoso-scim-1", 0), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		switch r.URL.Query().Get("after") {
		case "":
			fmt.Fprintln(w, `{"next":"p20000"}`)
		case "p20000":
			fmt.Fprintln(w, `{"sequence":20001,"outcome":"success","position":"p20001"}`)
			fmt.Fprintln(w, `{"next":"p40000"}`)
		default:
			fmt.Fprintln(w, `{"sequence":40007,"outcome":"success","position":"p40007"}`)
		}
	}))
	for args, want := range map[string]struct{ out, asked string }{
		"": {
			`{"sequence":20001,"outcome":"success","position":"p20001"}` + "\n" + `{"sequence":40007,"outcome":"success","position":"p40007"}` + "\n",
			"client=a&limit=2147483647 after=p20000&client=a&limit=2147483647 after=p40000&client=a&limit=2147483646",
		},
		"--limit 1": {`{"sequence":20001,"outcome":"success","position":"p20001"}` + "\n", "client=a&limit=1 after=p20000&client=a&limit=1"},
	} {
		asked = nil
		code, out, errOut := p.run(Options{Forward: p.forward}, append([]string{"log", "contoso", "--client", "a", "-o", "json"}, strings.Fields(args)...)...)
		if code != ExitFine || out != want.out || errOut != "" || strings.Join(asked, " ") != want.asked {
			t.Errorf("%s: exit %d, asks %s\n%s%s", args, code, asked, out, errOut)
		}
	}
}

// following runs log --follow, and returns how to read its lines, how to interrupt it, and how to wait for its exit code and its errors.
func (p *pods) following(args ...string) (next func() string, interrupt func(), wait func() (int, string)) {
	ctx, cancel := context.WithCancel(p.Context())
	read, write := io.Pipe()
	var errOut bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, append([]string{"log", "contoso", "--follow", "--kubeconfig", p.kubeconfig}, args...), Options{
			IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: write, ErrOut: &errOut},
			Clock:     clocktesting.NewFakeClock(now), Forward: p.forward,
		})
		_ = write.Close()
	}()
	lines := bufio.NewReader(read)
	next = func() string {
		p.Helper()
		line, err := lines.ReadString('\n')
		if err != nil {
			p.Errorf("read the next line: %v", err)
		}
		return line
	}
	wait = func() (int, string) {
		code := <-ended
		return code, errOut.String()
	}
	p.Cleanup(cancel)
	return next, cancel, wait
}

func TestFollowGoesOnWithTheNextPodWhereTheOneBeforeWent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	s.user("anna")
	s.user("bob")
	next, interrupt, wait := p.following("-o", "json")
	wantNext := func(sequence int) {
		t.Helper()
		if got := next(); !strings.HasPrefix(got, fmt.Sprintf(`{"sequence":%d,`, sequence)) {
			t.Fatalf("the next line is %swant entry %d", got, sequence)
		}
	}
	wantNext(1)
	wantNext(2)
	s.user("cecilia")
	wantNext(3)

	// The next pod is there and not ready; meanwhile something is written.
	p.put(pod("contoso-scim-2", time.Minute, func(p *corev1.Pod) { p.Status.Conditions = nil }))
	p.end("contoso-scim-1")
	s.user("dora")
	p.start(pod("contoso-scim-2", time.Minute), s.admin)
	wantNext(4)
	s.user("eva")
	wantNext(5)
	interrupt()
	if code, errOut := wait(); code != ExitFine || errOut != "The connection to the server ended; connecting again.\n" {
		t.Errorf("exit %d\n%s", code, errOut)
	}
}

func TestFollowEndsWhereItIsNoUseToGoOn(t *testing.T) {
	t.Parallel()
	t.Run("after so many entries", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
		p.start(pod("contoso-scim-1", time.Hour), s.admin)
		s.user("anna")
		code, out, errOut := p.run(Options{Forward: p.forward}, "log", "contoso", "--follow", "--limit", "1", "-o", "json")
		if code != ExitFine || strings.Count(out, "\n") != 1 || errOut != "" {
			t.Errorf("exit %d\n%s%s", code, out, errOut)
		}
	})
	t.Run("once the token was revoked", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
		p.start(pod("contoso-scim-1", time.Hour), s.admin)
		s.user("anna")
		next, _, wait := p.following("-o", "json")
		next()
		refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the token was revoked", http.StatusUnauthorized)
		})
		p.start(pod("contoso-scim-2", time.Minute), refuse)
		p.end("contoso-scim-1")
		want := "The connection to the server ended; connecting again.\nerror: the tenant's server answers 401 Unauthorized: the token was revoked\n"
		if code, errOut := wait(); code != ExitWrong || errOut != want {
			t.Errorf("exit %d\n%s", code, errOut)
		}
	})
}

func TestWhatKeepsTheLogFromBeingShown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	answer := func(status int, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, status) })
	}
	for name, c := range map[string]struct {
		pod     *corev1.Pod
		handler http.Handler
		forward Forward
		want    string
	}{
		"no pod": {want: `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n customers' says why`},
		"a pod that is not ready": {
			pod:  pod("contoso-scim-1", 0, func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }),
			want: `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n customers' says why`,
		},
		"a pod that is going": {
			pod: pod("contoso-scim-1", 0, func(p *corev1.Pod) {
				gone := ago(0)
				p.DeletionTimestamp, p.Finalizers = &gone, []string{"test/wait"}
			}),
			want: `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n customers' says why`,
		},
		"the pod of a move": {
			pod:  pod("contoso-move-1", 0, func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job"}} }),
			want: `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n customers' says why`,
		},
		"another tenant's pod": {
			pod:  pod("contoso-scim-1", 0, func(p *corev1.Pod) { p.Labels["provisioning.tenantry.dev/tenant"] = "fabrikam" }),
			want: `no server of tenant "contoso" is ready; 'kubectl tenantry describe contoso -n customers' says why`,
		},
		"no right to forward a port": {
			pod: pod("contoso-scim-1", 0),
			forward: func(context.Context, *rest.Config, client.ObjectKey, int) (string, error) {
				return "", errors.New(`forward a port to pod contoso-scim-1: pods "contoso-scim-1" is forbidden`)
			},
			want: `forward a port to pod contoso-scim-1: pods "contoso-scim-1" is forbidden`,
		},
		"a token that ended": {
			pod: pod("contoso-scim-1", 0), handler: answer(401, "the bearer token is not valid for this tenant"),
			want: "the tenant's server answers 401 Unauthorized: the bearer token is not valid for this tenant",
		},
		"a server that is busy": {
			pod: pod("contoso-scim-1", 0), handler: answer(429, "there are 8 already who follow the log: try again later"),
			want: "the tenant's server answers 429 Too Many Requests: there are 8 already who follow the log: try again later",
		},
		"something else": {
			pod: pod("contoso-scim-1", 0), handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>") }),
			want: "show the provisioning log: the server sent something else: invalid character '<' looking for beginning of value",
		},
		"an entry that was cut off": {
			pod: pod("contoso-scim-1", 0), handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"sequence":1}`) }),
			want: "the connection to the server ended: EOF",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPods(newCluster(t, s.tenant, s.credentials(), s.readerSecret()))
			if c.pod != nil {
				p.start(c.pod, c.handler)
			}
			forward := p.forward
			if c.forward != nil {
				forward = c.forward
			}
			code, out, errOut := p.run(Options{Forward: forward}, "log", "contoso")
			if code != ExitWrong || out != "" || errOut != "error: "+c.want+"\n" {
				t.Errorf("exit %d\n%s%swant\nerror: %s", code, out, errOut, c.want)
			}
		})
	}
}

// The end of the log that a follower began at must not be another one each time it connects.
func TestLogGoesOnFromTheEndThatItBeganAtThoughNothingCameBeforeTheConnectionEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for newest, want := range map[string]string{`{"sequence":7,"outcome":"success","position":"p7"}`: "p7", "": "0"} {
		p := newPods(newCluster(t, s.tenant, s.credentials()))
		var after []string
		p.start(pod("contoso-scim-1", 0), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if query := r.URL.Query(); query.Get("follow") == "" {
				fmt.Fprint(w, newest)
			} else if after = append(after, query.Get("after")); len(after) == 2 {
				fmt.Fprintln(w, `{"sequence":8,"outcome":"success","position":"p8"}`)
			}
		}))
		code, out, _ := p.run(Options{Forward: p.forward}, "log", "contoso", "--follow", "--after", "latest", "--limit", "1", "-o", "json")
		if code != ExitFine || !strings.Contains(out, `"sequence":8`) || !slices.Equal(after, []string{want, want}) {
			t.Errorf("exit %d, asks for what is after %q, want %s both times\n%s", code, after, want, out)
		}
	}
}

func TestLogShowsTheLastFailureFirstAndHowManyMembersChanged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	p := newPods(newCluster(t, s.tenant, s.credentials()))
	p.start(pod("contoso-scim-1", time.Hour), s.admin)
	anna := s.user("anna@contoso.test")
	caller := directory.Caller{Client: "token-1", RequestID: "r"}
	group, err := s.directory.Create(t.Context(), caller, store.Group, map[string]any{"displayName": "all", "members": []any{map[string]any{"value": anna}}})
	if err != nil {
		t.Fatal(err)
	}
	s.directory.Failed(directory.Failure{Caller: caller, Kind: store.User, Operation: "create", Outcome: "invalidValue", Attribute: "emails.value"})
	if _, err := s.directory.WriteFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := s.clock.Now().Format(time.RFC3339)
	for args, want := range map[string]string{
		"--order descending --resource-type Group": at + `  token-1             create     Group  ` + group.ID + `  success       displayName,members (+1 -0)
`,
		"--order descending --limit 1": at + `  token-1             create     User   <none>                                invalidValue  emails.value
`,
		"--outcome failure": at + `  token-1             create     User   <none>                                invalidValue  emails.value
`,
	} {
		code, out, errOut := p.run(Options{Forward: p.forward}, append([]string{"log", "contoso"}, strings.Fields(args)...)...)
		if _, entries, _ := strings.Cut(out, "\n"); code != ExitFine || entries != want || errOut != "" {
			t.Errorf("%s: exit %d\n%s%swant\n%s", args, code, out, errOut, want)
		}
	}
}

// A word that is completed is one that the server knows, and the other way round.
func TestLogCompletesTheWordsThatTheServerKnows(t *testing.T) {
	t.Parallel()
	command, _, err := New(Options{}).Find([]string{"log"})
	if err != nil {
		t.Fatal(err)
	}
	for flag, words := range map[string][]string{
		"operation": directory.Operations(), "outcome": append(directory.Outcomes(), directory.OutcomeFailure),
	} {
		slices.Sort(words)
		complete, known := command.GetFlagCompletionFunc(flag)
		if !known {
			t.Fatalf("--%s is not completed", flag)
		}
		if got, _ := complete(command, nil, ""); !slices.Equal(got, words) {
			t.Errorf("--%s is completed by %q, want %q", flag, got, words)
		}
	}
}
