package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/auth/authtest"
	"github.com/tenantry/tenantry/test/entra"
	"github.com/tenantry/tenantry/test/entra/company"
	"github.com/tenantry/tenantry/test/entra/job"
)

// memoryLimit is that of a pod, and what the operator tells the Go runtime of it (controllers/desired).
const memoryLimit = 256 << 20

const attackedManifest = `apiVersion: provisioning.tenantry.dev/v1alpha1
kind: ProvisioningTenant
metadata: {name: contoso, namespace: customers}
spec:
  displayName: Contoso Ltd
  identityProvider: {entra: {tenantID: ` + authtest.TenantID + `}}
  authentication:
    oauth: {accessTokenLifetime: 1h}
    workloadIdentity: {audiences: [api://tenantry], subjects: [5e2f7c1d-91c4-4f0e-8a49-5d3b6b1f9e10]}
    userToken: {audiences: [` + applicationID + `]}
    readers: [%s]
%s---
apiVersion: v1
kind: Secret
metadata: {name: contoso-credentials, namespace: customers}
stringData: {token: %s, clientID: contoso, clientSecret: %s}
%s`

const applicationID = "api://the-application"

// attacked is a tenant with every way of signing in, a directory that is worth an attack, and nothing set that has a default.
type attacked struct {
	t         *testing.T
	tenant    *tenant
	process   *process
	authority *authtest.Issuer
	readers   []string // tokens
	group     string   // the id of the group that everybody is in
}

// Sizes of the directory: what a customer of some size has.
const (
	manyUsers = 20_000
	bigUsers  = 600 // of them have 8 KB each
	// manyReaders conspire: what one of them cannot have, each of the others could ask for.
	manyReaders = 8
)

func newAttacked(t *testing.T, c *tenant) *attacked {
	t.Helper()
	a := &attacked{t: t, tenant: c, authority: authtest.New(t)}
	var names, secrets string
	for n := range manyReaders {
		a.readers = append(a.readers, newTenant(t).token)
		names += fmt.Sprintf("{name: reader%d}, ", n)
		secrets += fmt.Sprintf(readerSecret, fmt.Sprintf("reader%d", n), a.readers[n])
	}
	clientSecret := newTenant(t).token
	certificate := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(certificate, a.authority.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.binary = released
	c.env = []string{"GOMEMLIMIT=" + strconv.Itoa(memoryLimit/10*9), "SSL_CERT_FILE=" + certificate}
	c.flags = append(c.flags, "--entra-authority", a.authority.URL())
	configure := func(limits string) {
		manifest := fmt.Sprintf(attackedManifest, names, limits, c.token, clientSecret, secrets)
		if err := os.WriteFile(filepath.Join(c.manifests, "contoso.yaml"), []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("  rateLimit: {requestsPerSecond: 100000, burst: 100000}\n")
	a.process = c.start()
	a.fill()
	a.process.kill()
	configure("")
	a.process = c.start()
	for _, secret := range a.readers { // an attacker who is not let in proves nothing
		(&process{t: t, url: a.process.url, token: secret}).mustSend("GET", "/ServiceProviderConfig", "", 200)
	}
	return a
}

// fill makes the directory.
func (a *attacked) fill() {
	a.t.Helper()
	var ids []string
	for len(ids) < manyUsers {
		var operations []string
		size := 500
		for n := len(ids); n < len(ids)+size; n++ {
			title := "Engineer"
			if n < bigUsers {
				title = strings.Repeat("long ", 1600)
			}
			operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":{"userName":"u%d@contoso.test","displayName":"User %d","title":%q}}`,
				n, n, n, title))
			if n+1 == bigUsers {
				size = n + 1 - len(ids)
			}
		}
		for i := 0; i < len(operations); i += 250 {
			answer := a.process.mustSend("POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+
				strings.Join(operations[i:min(i+250, len(operations))], ",")+`]}`, 200)
			for _, o := range answer["Operations"].([]any) {
				location := o.(map[string]any)["location"].(string)
				ids = append(ids, location[strings.LastIndexByte(location, '/')+1:])
			}
		}
	}
	a.group = a.process.mustSend("POST", "/Groups", `{"displayName":"Everybody"}`, 201)["id"].(string)
	for part := range slices.Chunk(ids, 5000) {
		a.process.mustSend("PATCH", "/Groups/"+a.group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"`+
			strings.Join(part, `"},{"value":"`)+`"}]}]}`, 204)
	}
}

// patient sends the requests of the provisioning client: it waits where it is told to for its own pace, and counts what else was in its way.
type patient struct {
	refused, waited atomic.Int64
	next            http.RoundTripper
}

func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		response, err := p.next.RoundTrip(r)
		switch {
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusServiceUnavailable:
			p.refused.Add(1)
			return response, nil
		case response.StatusCode != http.StatusTooManyRequests:
			return response, nil
		}
		p.waited.Add(1)
		_ = response.Body.Close()
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil {
			return nil, fmt.Errorf("a 429 whose Retry-After is no number of seconds: %w", err)
		}
		again := time.NewTimer(time.Duration(seconds) * time.Second)
		select {
		case <-again.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// everyEngine is for make attack: an attack takes half a minute of both cores, and what is attacked is nearly all before the store.
var everyEngine = flag.Bool("every-engine", false, "attack a tenant in PostgreSQL, too")

// Bad day: everybody who holds a credential but the provisioning client, and strangers, do their worst at the same time.
func TestAProvisioningClientFinishesItsCycleUnderEveryAttackAtOnce(t *testing.T) {
	run := func(t *testing.T, test func(*testing.T, *tenant)) { t.Helper(); test(t, newTenant(t)) }
	if *everyEngine {
		run = eachEngine
	}
	run(t, func(t *testing.T, c *tenant) {
		t.Helper()
		a := newAttacked(t, c)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		var attacks sync.WaitGroup
		tallies := make([]*tally, len(everyAttack))
		for i, attack := range everyAttack {
			tallies[i] = &tally{name: attack.name, statuses: map[string]int{}}
			for n := range attack.times {
				attacks.Go(func() {
					for ctx.Err() == nil {
						attack.once(ctx, attacker{a, n, tallies[i]})
					}
				})
			}
		}
		unready := a.watchReadiness(ctx, &attacks)

		clients := &patient{next: &http.Transport{MaxIdleConnsPerHost: 64}}
		company := company.Generate(company.Size{Seed: 11, Users: 150, Groups: 10})
		service, err := entra.New(
			job.Job{TenantURL: a.process.url + "/", SecretToken: c.token, Concurrency: 5}, entra.Options{HTTP: &http.Client{Transport: clients}})
		if err != nil {
			t.Fatal(err)
		}
		report, err := service.RunCycle(ctx, company)
		if err != nil {
			t.Fatal(err)
		}
		lost := a.failureOfTheProvisioner()
		end()
		attacks.Wait()
		for _, tally := range tallies {
			t.Log(tally)
		}
		if !report.OK() || clients.refused.Load() > 0 {
			t.Errorf("the cycle failed in parts: %v; %d requests were answered 503", report.Failed, clients.refused.Load())
		}
		if n := unready.Load(); n > 0 {
			t.Errorf("/readyz said %d times that the pod must leave its Service", n)
		}
		if most := a.process.peak(); most > memoryLimit {
			t.Errorf("the server took %d MiB at most, its pod has %d", most>>20, memoryLimit>>20)
		} else {
			t.Logf("the server took %d MiB at most", most>>20)
		}
		if lines := strings.Count(a.process.log.String(), "\n"); lines > 200 {
			t.Errorf("the server logged %d lines, such as\n%.2000s", lines, a.process.log)
		}
		a.findFailure(lost)
	})
}

// watchReadiness asks as a kubelet does, and counts what is not 200.
func (a *attacked) watchReadiness(ctx context.Context, group *sync.WaitGroup) *atomic.Int64 {
	unready := &atomic.Int64{}
	group.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.process.admin+v1alpha1.ReadyPath, http.NoBody)
			if err != nil {
				a.t.Error(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if ctx.Err() == nil && (err != nil || response.StatusCode != http.StatusOK) {
				unready.Add(1)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return unready
}

// failureOfTheProvisioner is the request ID of one, which an administrator will look for.
func (a *attacked) failureOfTheProvisioner() string {
	a.t.Helper()
	const gone = "/Users/3f1e6a2b-9c4d-4e8f-a1b2-000000000000"
	request, err := http.NewRequest(http.MethodDelete, a.process.url+gone, http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.tenant.token)
	for {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			a.t.Fatal(err)
		}
		_ = response.Body.Close()
		switch response.StatusCode {
		case http.StatusNotFound:
			return response.Header.Get("X-Request-Id")
		case http.StatusTooManyRequests: // after its own cycle
		default:
			a.t.Fatalf("DELETE %s = %d", gone, response.StatusCode)
		}
	}
}

// findFailure looks for it in the provisioning log, as soon as it is written there.
func (a *attacked) findFailure(id string) {
	a.t.Helper()
	status, line := a.process.administer("/log?follow=true&limit=1&requestId=" + id)
	if status != http.StatusOK || !strings.Contains(line, `"outcome":"notFound"`) || !strings.Contains(line, token.Fingerprint(a.tenant.token)) {
		a.t.Errorf("the provisioning log has of a failed request of the provisioning client: %d %s", status, line)
	}
}

// peak is the most that the process had in memory, in bytes.
func (p *process) peak() int64 {
	p.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}
