package plugin

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// masked is a text without what differs from run to run: ports, ids of requests, the day on which the test server's certificate ends.
func masked(text string) string {
	text = regexp.MustCompile(` \(request [A-Z2-7]+\)`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "127.0.0.1:PORT")
	return regexp.MustCompile(`until \d{4}-\d\d-\d\d`).ReplaceAllString(text, "until DATE")
}

const wellChecked = `passed   reach                  127.0.0.1:PORT answers with TLS 1.2, certificate until DATE
passed   wrong token            is refused with 401
passed   Test Connection        succeeds: a user that does not exist is not found
passed   ServiceProviderConfig  has PATCH and filters
passed   Schemas                there are 8
passed   ResourceTypes          there are 2
passed   Users, a page of one   2 users
passed   Groups, no members     0 groups
passed   application/scim+json  is taken with POST
passed   an error               comes as the server wrote it
passed   PATCH                  reaches the server
passed   PUT                    reaches the server
passed   DELETE                 reaches the server
passed   a group's members      1,000 of them reach the server
passed   a large body           of just below 4 MiB reaches the server
passed   a tag with gzip        W/"1" is understood
`

// emptyChecked is wellChecked of a directory without users.
var emptyChecked = strings.NewReplacer("2 users", "0 users",
	"passed   a tag with gzip        W/\"1\" is understood", "skipped  a tag with gzip        there is no user yet whose tag could be looked at",
).Replace(wellChecked)

// steps is how many there are.
var steps = strings.Count(wellChecked, "\n")

func TestCheckWalksThroughWhatEntraReliesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.user("anna@contoso.test")
	s.user("bob@contoso.test")
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret())
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(s.secretToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]struct {
		options Options
		args    []string
		deleted bool
	}{
		"with the Secret":                {},
		"with a reader's token":          {args: []string{"--credential", "reader.payroll"}},
		"with a file":                    {args: []string{"--token-file", tokenFile}, deleted: true},
		"with standard input":            {Options{IOStreams: genericiooptions.IOStreams{In: strings.NewReader(s.secretToken)}}, []string{"--token-file", "-"}, true},
		"with the environment":           {Options{Token: s.secretToken}, nil, true},
		"with the URL as Entra takes it": {args: []string{"--url", s.url + "/?aadOptscim062020"}},
	} {
		if how.deleted {
			c.remove(s.credentials())
		} else {
			c.put(s.credentials())
		}
		code, out, errOut := c.run(how.options, append([]string{"check", "contoso", "--ca-file", s.caFile}, how.args...)...)
		if code != ExitFine || masked(out) != wellChecked || errOut != "" {
			t.Errorf("%s: exit %d\n%s%s", name, code, masked(out), errOut)
		}
	}
}

// Nothing is asked of a cluster where the URL and the token are handed in: whoever checks from outside may reach none.
func TestCheckNeedsNoClusterWhereItHasTheURLAndTheToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.user("anna@contoso.test")
	s.user("bob@contoso.test")
	kubeconfig := filepath.Join(t.TempDir(), "config")
	away := `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","namespace":"away"}}],
		"clusters":[{"name":"c","cluster":{"server":"https://cluster.invalid"}}]}`
	for name, content := range map[string]string{"a cluster that is away": away, "no cluster": `{"apiVersion":"v1","kind":"Config"}`} {
		for _, switched := range []v1alpha1.Switch{v1alpha1.SwitchEnabled, v1alpha1.SwitchDisabled} {
			s.tenant.Spec.Provisioning.Groups = switched
			if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			want := wellChecked
			if switched == v1alpha1.SwitchDisabled {
				want = strings.NewReplacer("are 8", "are 7", "are 2", "are 1", "passed   Groups, no members     0 groups",
					"skipped  Groups, no members     the server has no groups").Replace(wellChecked)
			}
			var out, errOut bytes.Buffer
			given := options(&out, &errOut)
			given.Token = s.secretToken
			code := Run(t.Context(), []string{"check", "contoso", "--ca-file", s.caFile, "--url", s.url, "--kubeconfig", kubeconfig}, given)
			if code != ExitFine || masked(out.String()) != want || errOut.String() != "" {
				t.Errorf("%s, groups %s: exit %d\n%s%s", name, switched, code, masked(out.String()), &errOut)
			}
		}
	}
}

// Microsoft's documents have the request of Test Connection; that there is no User-Agent was seen in the field.
func TestCheckAsksAsEntraDoesAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var asked []string
	s.before = func(_ http.ResponseWriter, r *http.Request) bool {
		secret := map[string]string{"": "no token", "Bearer " + s.secretToken: "the token"}[r.Header.Get("Authorization")]
		request := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(r.Method+" "+r.RequestURI, "GUID")
		asked = append(asked, fmt.Sprintf("%s with %s%s", request, cmp.Or(secret, "another token"), r.UserAgent()))
		return false
	}
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret())
	if code, out, errOut := c.run(Options{}, "check", "contoso", "--ca-file", s.caFile); code != ExitFine {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	want := []string{
		"GET /scim/v2/ServiceProviderConfig with no token",
		"GET /scim/v2/ServiceProviderConfig with another token",
		"GET /scim/v2/Users?filter=userName+eq+%22GUID%22 with the token",
		"GET /scim/v2/ServiceProviderConfig with the token",
		"GET /scim/v2/Schemas with the token",
		"GET /scim/v2/ResourceTypes with the token",
		"GET /scim/v2/Users?startIndex=1&count=1 with the token",
		"GET /scim/v2/Groups?excludedAttributes=members&startIndex=1&count=1 with the token",
		"POST /scim/v2/Users/.search with the token",
		"GET /scim/v2/Schemas/urn:uuid:GUID with the token",
		"PATCH /scim/v2/ServiceProviderConfig with the token",
		"PUT /scim/v2/ServiceProviderConfig with the token",
		"DELETE /scim/v2/ServiceProviderConfig with the token",
		"POST /scim/v2/Users/.search with the token",
		"POST /scim/v2/Users/.search with the token",
		"GET /scim/v2/Users?startIndex=1&count=1 with the token",
	}
	if diff := gocmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestCheckTellsPrograms(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.tenant.Spec.Provisioning.Groups = v1alpha1.SwitchDisabled
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret())
	code, out, errOut := c.run(Options{}, "check", "contoso", "--ca-file", s.caFile, "-o", "json")
	var got Check
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitFine || errOut != "" {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errOut)
	}
	last := Step{Name: "Groups, no members", Outcome: StepSkipped, Found: "spec.provisioning.groups is Disabled"}
	if !got.Passed || got.Namespace != "customers" || got.Name != "contoso" || got.URL != s.url || len(got.Steps) != steps || got.Steps[7] != last {
		t.Errorf("-o json has %+v", got)
	}
	s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended
	code, out, errOut = c.run(Options{}, "check", "contoso", "--ca-file", s.caFile, "-o", "yaml")
	if code != ExitWrong || errOut != fmt.Sprintf("error: tenant \"contoso\" fails 1 of %d steps\n", steps) || !strings.Contains(out, "\npassed: false\n") ||
		!strings.Contains(out, "- action: Set spec.provisioning.state to Active.\n") {
		t.Errorf("-o yaml: exit %d\n%s%s", code, out, errOut)
	}
}

// Every answer that is no good is one line with what to do, and the steps that it decides are not asked.
func TestCheckSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	t.Parallel()
	const (
		wellReached = "passed   reach                  127.0.0.1:PORT answers with TLS 1.2, certificate until DATE\n"
		refused     = "passed   wrong token            is refused with 401\n"
	)
	skipped := func(because string, from int) string {
		var lines strings.Builder
		for _, name := range []string{
			"wrong token", "Test Connection", "ServiceProviderConfig", "Schemas", "ResourceTypes", "Users, a page of one", "Groups, no members",
			"application/scim+json", "an error", "PATCH", "PUT", "DELETE", "a group's members", "a large body", "a tag with gzip",
		}[from:] {
			fmt.Fprintf(&lines, "skipped  %-21s  because %s failed\n", name, because)
		}
		return lines.String()
	}
	plain := func(status int, body string) func(*server) {
		return func(s *server) {
			s.before = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "https://user:pw@login.example.com/path?secret=1")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
				return true
			}
		}
	}
	// instead answers one request with another body.
	instead := func(path, body string) func(*server) {
		return func(s *server) {
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasPrefix(r.RequestURI, "/scim/v2/"+path) || r.Header.Get("Authorization") != "Bearer "+s.secretToken {
					return false
				}
				w.Header().Set("Content-Type", "application/scim+json; charset=utf-8")
				fmt.Fprint(w, body)
				return true
			}
		}
	}
	foreign := "         → The answer is not the server's: see that what stands before it leads to Service contoso-scim.\n"
	notTenantry := "         → See that the URL leads to a server of Tenantry: 'kubectl tenantry url contoso -n customers' prints it.\n"
	for name, c := range map[string]struct {
		change func(*server)
		args   []string
		want   string // the output up to where it is as ever
		fails  int
	}{
		"provisioning is suspended": {
			change: func(s *server) { s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended }, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        503 Service Unavailable: provisioning of this tenant is suspended (spec.provisioning.state); nothing was changed, try again later\n" +
				"         → Set spec.provisioning.state to Active.\n" + skipped("Test Connection", 2),
		},
		"provisioning is suspended, and a reader asks": {
			change: func(s *server) { s.tenant.Spec.Provisioning.State = v1alpha1.StateSuspended }, args: []string{"--credential", "reader.payroll"}, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        a reader is answered, and a client that provisions gets 503\n" +
				"         → Set spec.provisioning.state to Active.\n" + skipped("Test Connection", 2),
		},
		"users are switched off, and a reader asks": {
			change: func(s *server) { s.tenant.Spec.Provisioning.Users = v1alpha1.SwitchDisabled }, args: []string{"--credential", "reader.payroll"}, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        a reader is answered, and a client that provisions gets 503\n" +
				"         → Set spec.provisioning.users to Enabled.\n" + skipped("Test Connection", 2),
		},
		"access is suspended, and a reader asks": {
			change: func(s *server) { s.tenant.Spec.Access.State = v1alpha1.StateSuspended }, args: []string{"--credential", "reader.payroll"}, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        503 Service Unavailable: access to this tenant is suspended (spec.access.state); try again later\n" +
				"         → Set spec.access.state to Active.\n" + skipped("Test Connection", 2),
		},
		"users are switched off": {
			change: func(s *server) { s.tenant.Spec.Provisioning.Users = v1alpha1.SwitchDisabled }, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        503 Service Unavailable: provisioning of users is disabled for this tenant (spec.provisioning.users)\n" +
				"         → Set spec.provisioning.users to Enabled.\n" + skipped("Test Connection", 2),
		},
		"the token is another tenant's": {
			args: []string{"--token-file", "-"}, fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        401 Unauthorized: the bearer token is not valid for this tenant: a client that provisions sends the tenant's current Secret Token, and a reader the current token of that reader\n" +
				"         → The token is not one of this tenant's: 'kubectl tenantry token contoso -n customers' prints the valid one.\n" + skipped("Test Connection", 2),
		},
		"nothing behind the Ingress": {
			change: plain(404, "default backend - 404"), fails: 2,
			want: wellReached + "failed   wrong token            404 Not Found\n" + foreign +
				"failed   Test Connection        404 Not Found\n" + foreign + skipped("Test Connection", 2),
		},
		"a firewall before the server": {
			change: plain(403, "<html>\x1b[31mDenied"), fails: 2,
			want: wellReached + "failed   wrong token            403 Forbidden\n" +
				"         → Something before the server refuses, such as a firewall. Entra sends no User-Agent: let that in.\n" +
				"failed   Test Connection        403 Forbidden\n" +
				"         → Something before the server refuses, such as a firewall. Entra sends no User-Agent: let that in.\n" + skipped("Test Connection", 2),
		},
		"a redirect": {
			change: plain(308, ""), fails: 2,
			want: wellReached + "failed   wrong token            308 Permanent Redirect to https://login.example.com\n" +
				"         → Give Entra a Tenant URL that answers by itself: a token is not taken to another place.\n" +
				"failed   Test Connection        308 Permanent Redirect to https://login.example.com\n" +
				"         → Give Entra a Tenant URL that answers by itself: a token is not taken to another place.\n" + skipped("Test Connection", 2),
		},
		"a server that lets everybody in": {
			change: func(s *server) {
				s.before = func(_ http.ResponseWriter, r *http.Request) bool {
					r.Header.Set("Authorization", "Bearer "+s.secretToken)
					return false
				}
			}, fails: 1,
			want: wellReached + "failed   wrong token            a token that is nobody's is answered 200: whoever finds the URL may be let in\n" +
				"         → See that the URL leads to this tenant's server, and to nothing that answers in its place.\n" +
				"passed   Test Connection        succeeds: a user that does not exist is not found\n",
		},
		"a web page": {
			change: plain(200, "<html>"), fails: 2,
			want: wellReached + "failed   wrong token            a token that is nobody's is answered 200: whoever finds the URL may be let in\n" +
				"         → See that the URL leads to this tenant's server, and to nothing that answers in its place.\n" +
				"failed   Test Connection        the answer is text/html and not application/scim+json\n" + notTenantry + skipped("Test Connection", 2),
		},
		"a list that is none": {
			change: instead("Users?filter", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":null}`), fails: 1,
			want: wellReached + refused +
				"failed   Test Connection        the ListResponse has no Resources; of an empty list they are []\n" + notTenantry + skipped("Test Connection", 2),
		},
		"everybody is found": {
			change: instead("Users?filter", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":"1","userName":"anna"}]}`),
			fails:  1,
			want: wellReached + refused +
				"failed   Test Connection        a user that does not exist is found\n" + notTenantry + skipped("Test Connection", 2),
		},
		"members that nobody asked for": {
			change: instead("Groups", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,"itemsPerPage":1,`+
				`"Resources":[{"id":"1","members":[]}]}`), fails: 1,
			want: strings.Replace(emptyChecked, "passed   Groups, no members     0 groups\n",
				"failed   Groups, no members     a group has members although they were not asked for\n"+notTenantry, 1),
		},
		"a page that is too large": {
			change: instead("Users?start", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":2,"startIndex":1,"itemsPerPage":2,`+
				`"Resources":[{"id":"1"},{"id":"2"}]}`), fails: 1,
			want: strings.NewReplacer("passed   Users, a page of one   2 users\n",
				"failed   Users, a page of one   a page of one from the first of 2 on has 2 resources, itemsPerPage 2 and startIndex 1\n"+notTenantry,
				`passed   a tag with gzip        W/"1" is understood`, "skipped  a tag with gzip        because Users, a page of one failed",
			).Replace(wellChecked),
		},
		"no PATCH": {
			change: instead("ServiceProviderConfig", `{"patch":{"supported":false},"filter":{"supported":true}}`), fails: 1,
			want: strings.Replace(emptyChecked, "passed   ServiceProviderConfig  has PATCH and filters\n",
				"failed   ServiceProviderConfig  the server says that it has no PATCH or no filter, and Entra uses both\n"+notTenantry, 1),
		},
		"no groups": {
			change: instead("ResourceTypes", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[{"id":"User"}]}`),
			fails:  1,
			want: strings.Replace(emptyChecked, "passed   ResourceTypes          there are 2\n",
				"failed   ResourceTypes          there is no Group\n"+notTenantry, 1),
		},
		"a certificate of an authority that is not trusted": {
			change: func(s *server) { s.caFile = "" }, fails: 1,
			want: "failed   reach                  the certificate is of an authority that is not trusted here\n" +
				"         → Entra takes certificates of public authorities only. For one of your own, --ca-file names it for this check.\n" + skipped("reach", 0),
		},
		"a certificate for another name": {
			change: func(s *server) { s.tenant.Status.TenantURL = strings.Replace(s.url, "127.0.0.1", "localhost", 1) }, fails: 1,
			want: "failed   reach                  the certificate is for example.com, *.example.com, not for localhost\n" +
				"         → Put a valid certificate for localhost in place: see spec.exposure.ingress.tls.\n" + skipped("reach", 0),
		},
		"no TLS": {
			change: func(s *server) {
				unencrypted := httptest.NewServer(http.NotFoundHandler())
				s.Cleanup(unencrypted.Close)
				s.tenant.Status.TenantURL = strings.Replace(unencrypted.URL, "http:", "https:", 1)
			}, fails: 1,
			want: "failed   reach                  what answers speaks no TLS\n" +
				"         → See that the Ingress controller or Gateway has TLS on this port.\n" + skipped("reach", 0),
		},
		"no TLS 1.2": {
			change: func(s *server) {
				modern := httptest.NewUnstartedServer(http.NotFoundHandler())
				modern.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
				modern.Config.ErrorLog = log.New(io.Discard, "", 0)
				modern.StartTLS()
				s.Cleanup(modern.Close)
				s.tenant.Status.TenantURL = modern.URL
			}, fails: 1,
			want: "failed   reach                  the TLS handshake was refused: tls: protocol version not supported\n" +
				"         → See that TLS 1.2 is switched on, which is what Microsoft's documents name, and that there is a certificate for 127.0.0.1.\n" +
				skipped("reach", 0),
		},
		"no such name": {
			change: func(s *server) { s.tenant.Status.TenantURL = "https://contoso.invalid/scim/v2" }, fails: 1,
			want: "failed   reach                  there is no address for contoso.invalid\n" +
				"         → Make a DNS record for it that leads to the Ingress controller or Gateway.\n" + skipped("reach", 0),
		},
		"nobody listens": {
			change: func(s *server) {
				nobody := httptest.NewServer(http.NotFoundHandler())
				nobody.Close()
				s.tenant.Status.TenantURL = strings.Replace(nobody.URL, "http:", "https:", 1)
			}, fails: 1,
			want: "failed   reach                  dial tcp 127.0.0.1:PORT: connect: connection refused\n" +
				"         → See 'kubectl tenantry describe contoso -n customers', and that 127.0.0.1 leads to the Ingress controller or Gateway and nothing keeps requests out.\n" +
				skipped("reach", 0),
		},
		"no answer": {
			args: []string{"--timeout", "1ms"}, fails: 1,
			change: func(s *server) {
				s.before = func(_ http.ResponseWriter, r *http.Request) bool {
					<-r.Context().Done()
					return true
				}
			},
			want: "failed   reach                  no answer within 1ms\n" +
				"         → See 'kubectl tenantry describe contoso -n customers', and that 127.0.0.1 leads to the Ingress controller or Gateway and nothing keeps requests out.\n" +
				skipped("reach", 0),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			if c.change != nil {
				c.change(s)
			}
			args := append([]string{"check", "contoso"}, c.args...)
			if s.caFile != "" {
				args = append(args, "--ca-file", s.caFile)
			}
			in := Options{IOStreams: genericiooptions.IOStreams{In: strings.NewReader("another-token")}}
			code, out, errOut := newCluster(t, s.tenant, s.credentials(), s.readerSecret()).run(in, args...)
			if code != ExitWrong || !strings.HasPrefix(masked(out), c.want) || errOut != fmt.Sprintf("error: tenant \"contoso\" fails %d of %d steps\n", c.fails, steps) {
				t.Errorf("exit %d\n%s%swant\n%s", code, masked(out), errOut, c.want)
			}
		})
	}
}

func TestCheckAsksTheServersOfSeveralTenants(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.user("anna@contoso.test")
	s.user("bob@contoso.test")
	staged, waits := s.tenant.DeepCopy(), unseen()
	staged.Labels, waits.Labels = map[string]string{"stage": "test"}, map[string]string{"stage": "test"}
	c := newCluster(t, staged, s.credentials(), s.readerSecret(), waits, fabrikam())
	const none = `the operator has not issued token of tenant "new" yet; 'kubectl tenantry describe new -n customers' says why`
	for _, args := range [][]string{{"-l", "stage=test"}, {"contoso", "new"}} {
		code, out, errOut := c.run(Options{}, append([]string{"check", "--ca-file", s.caFile}, args...)...)
		if code != ExitWrong || masked(out) != "tenant contoso of namespace customers\n"+wellChecked || errOut != "error: "+none+"\n" {
			t.Errorf("%v: exit %d\n%s%s", args, code, masked(out), errOut)
		}
	}
	if code, _, _ := c.run(Options{}, "check", "--ca-file", s.caFile, "-l", "stage=test", "--exit-code"); code != ExitUnknown {
		t.Errorf("with --exit-code: exit %d", code)
	}
	code, out, _ := c.run(Options{}, "check", "--ca-file", s.caFile, "-l", "stage=test", "-o", "json")
	var got []Check
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != ExitWrong || len(got) != 1 || got[0].Name != "contoso" || !got[0].Passed {
		t.Errorf("-o json: exit %d, %v\n%s", code, err, out)
	}
}

func TestWhatKeepsACheckFromBeginning(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret(), unseen())
	without := newCluster(t, s.tenant)
	for name, how := range map[string]struct {
		cluster *cluster
		token   string
		args    []string
		want    string
	}{
		"a file that holds nothing":  {c, "", []string{"contoso", "--token-file", empty}, empty + " must hold a token and nothing else"},
		"two words in the variable":  {c, "two words", []string{"contoso"}, "the environment variable TENANTRY_TOKEN must hold a token and nothing else"},
		"a token that is no ASCII":   {c, "töken", []string{"contoso"}, "the environment variable TENANTRY_TOKEN must hold a token and nothing else"},
		"a file that is none":        {c, "", []string{"contoso", "--token-file", "/no/such"}, "--token-file: open /no/such: no such file or directory"},
		"authorities that are none":  {c, "", []string{"contoso", "--ca-file", empty}, "--ca-file: " + empty + " holds no certificate in PEM"},
		"authorities without a file": {c, "", []string{"contoso", "--ca-file", "/no/such"}, "--ca-file: open /no/such: no such file or directory"},
		"a reader that is none": {c, "", []string{"contoso", "--credential", "reader.sales"},
			`tenant "contoso" has no credential "reader.sales": its spec.authentication asks for token, reader.payroll`},
		"a tenant without a URL": {c, s.secretToken, []string{"new"},
			`tenant "new" has no Tenant URL yet: no operator has looked at it; 'kubectl tenantry describe new -n customers' says what to do`},
		"the Secret was deleted": {without, "", []string{"contoso"},
			"Secret contoso-credentials does not hold token any more: it was deleted, as one may after copying. What was copied stays valid; if nobody " +
				"has it, 'kubectl tenantry rotate contoso -n customers' issues a new one. Hand in what was copied with --token-file FILE, - for standard input, or in $TENANTRY_TOKEN"},
		"a reader that waits for its Secret": {without, "", []string{"contoso", "--credential", "reader.payroll"},
			`the operator has not issued reader.payroll of tenant "contoso" yet; 'kubectl tenantry describe contoso -n customers' says why`},
	} {
		code, out, errOut := how.cluster.run(Options{Token: how.token}, append([]string{"check"}, how.args...)...)
		if code != ExitWrong || out != "" || errOut != "error: "+how.want+"\n" {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, errOut)
		}
	}
}

// Nobody provisions the tenant yet, so one rejected credential would say that Entra is not let in.
func TestACheckWithAReadersTokenIsNotTakenForAClientThatIsRejected(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newCluster(t, s.tenant, s.credentials(), s.readerSecret())
	if code, out, errOut := c.run(Options{}, "check", "contoso", "--ca-file", s.caFile, "--credential", "reader.payroll"); code != ExitFine {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if seen := s.scim.TakeActivity(); !seen.Empty() {
		t.Errorf("the server saw %+v", seen)
	}
}
