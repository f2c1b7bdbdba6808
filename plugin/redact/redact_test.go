package redact

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var found map[string]any
	if err := yaml.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestATextKeepsWordsAmountsAndKnownNames(t *testing.T) {
	t.Parallel()
	r := New()
	r.Know("contoso", "customers", "contoso-scim-abc12", "contoso.scim.example.com", "https://contoso.scim.example.com/scim/v2")
	r.Hide("correct horse battery")
	r.Hide("hunters")
	for text, want := range map[string]string{
		`Back-off restarting failed container.`:                                `Back-off restarting failed container.`,
		`Host "contoso.scim.example.com" belongs to tenant customers/contoso.`: `Host "contoso.scim.example.com" belongs to tenant customers/contoso.`,
		`Role "seller" is not in the catalog of tenant contoso.`:               `Role "[redacted]" is not in the catalog of tenant contoso.`,
		`user anna.smith@contoso.com was refused`:                              `user [redacted] was refused`,
		`it ends in 36h30m, at 2026-11-30T12:00:00Z (80%)`:                     `it ends in 36h30m, at 2026-11-30T12:00:00Z (80%)`,
		`dial tcp 10.96.0.1:443: connect: connection refused`:                  `dial tcp 10.96.0.1:443: connect: connection refused`,
		`dial tcp 203.0.113.7:5432: connect: connection refused`:               `dial tcp [redacted]:5432: connect: connection refused`,
		`postgres://tenantry:geheim@db.internal/contoso failed`:                `[redacted] failed`,
		`connect to db.internal:5432 with password=geheim`:                     `connect to [redacted]:5432 with password=[redacted]`,
		`password: geheim, Bearer geheim`:                                      `password: [redacted], Bearer [redacted]`,
		`set spec.exposure.host or status.conditions[0].reason`:                `set spec.exposure.host or status.conditions[0].reason`,
		`the passphrase is correct horse battery staple`:                       `the passphrase is [redacted] staple`,
		`seen by hunters2`:                                                   `seen by [redacted]`,
		`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln`:                          `[redacted]`,
		`pod contoso-scim-abc12 at https://contoso.scim.example.com/scim/v2`: `pod contoso-scim-abc12 at https://contoso.scim.example.com/scim/v2`,
		`GET https://evil.example/?q=contoso`:                                `GET [redacted]`,
		`provisioningtenants.provisioning.tenantry.dev is forbidden`:         `provisioningtenants.provisioning.tenantry.dev is forbidden`,
		`an open quote "Anna`:                                                `an open quote "[redacted]"`,
		`version v1.2.3 and dev+0123456789ab`:                                `version v1.2.3 and dev+0123456789ab`,
		`phone 0046701234567`:                                                `phone [redacted]`,
		`the database answered 28P01: password authentication failed`:        `the database answered 28P01: password authentication failed`,
		`refused: the pooler answered 08P01: no such user; it ends`:          `refused: the pooler answered 08P01: no such user; it ends`,
		`others change the same (SQLSTATE 40001)`:                            `others change the same (SQLSTATE 40001)`,
		`ERROR: relation does not exist (SQLSTATE 42P01).`:                   `ERROR: relation does not exist (SQLSTATE 42P01).`,
		`kubectl describe pods -n customers -l provisioning.tenantry.dev/tenant=contoso tells why`: `kubectl describe pods -n customers -l ` +
			`provisioning.tenantry.dev/tenant=contoso tells why`,
		`kubectl logs -n customers -l a=contoso --previous.`: `kubectl logs -n customers -l a=contoso --previous.`,
		`kubectl patch secret contoso -n customers --type merge --patch '{"stringData":{"token":"geheim"}}'`: `kubectl patch secret contoso -n ` +
			`customers --type merge --patch '{"[redacted]":[redacted]"[redacted]":"[redacted]"}}'`,
		`listening on [::]:8080, 127.0.0.1:8081 and :8082`: `listening on [::]:8080, 127.0.0.1:8081 and :8082`,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// Text that looks like something that stays, elsewhere than where it stays, may be anything.
func TestASecretThatLooksLikeWhatStaysIsTakenOut(t *testing.T) {
	t.Parallel()
	r := New()
	r.Know("contoso")
	for text, want := range map[string]string{
		`the password is 28P01`:                          `the password is [redacted]`,
		`the user answered 28P01: it is mine`:            `the user answered [redacted]: it is mine`,
		`database answered 28P01`:                        `database answered [redacted]`,
		`the database answered HUNT3: no`:                `the database answered [redacted]: no`,
		`the database answered 28P012: no`:               `the database answered [redacted]: no`,
		`the database answered 28p01 and 28P01`:          `the database answered [redacted] and [redacted]`,
		`the database answered password: 28P01`:          `the database answered password: [redacted]`,
		`the database answered "28P01"`:                  `the database answered "[redacted]"`,
		`SQLSTATE=28P01 SQLSTATE: 28P01`:                 `SQLSTATE=[redacted] SQLSTATE: [redacted]`,
		`login with password=12345 or token:67890`:       `login with password=[redacted] or token:[redacted]`,
		`pin=12345, user=1234567 and name=contoso`:       `pin=12345, user=[redacted] and name=contoso`,
		`from 2001:470:1:2::3 to [2001:470:1:2::3]:5432`: `from [redacted] to [redacted]:5432`,
		`kubectl -pgeheim1 --password=geheim1 -Xn --Xn`:  `kubectl [redacted] [redacted]=[redacted] [redacted] [redacted]`,
		`connect to [2001:db8::7]:5432 and [::]:geheim1`: `connect to [redacted]:5432 and [::[redacted]:[redacted]`,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for line, want := range map[string]string{
		`{"msg":"serving","admin":"anna","clients":"anna:8080","in":"geheim","every":"Monday"}`: `{"admin":"[redacted, 4 bytes]","clients":"[redacted, 9 bytes]",` +
			`"every":"[redacted, 6 bytes]","in":"[redacted, 6 bytes]","msg":"serving"}`,
	} {
		if got := r.Line(line); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	found := object(t, `{kind: Deployment, metadata: {annotations: {provisioning.tenantry.dev/applied: hunter2hunter2hu, provisioning.tenantry.dev/template: 28P01}},
	  spec: {template: {spec: {containers: [{name: a, env: [{name: GOMEMLIMIT, value: geheim-7}, {name: GOMEMLIMIT_, value: "483183820"}, {name: PIN, value: "1234567"}]}]}}}}`)
	r.Learn(found)
	want := object(t, `{kind: Deployment, metadata: {annotations: {provisioning.tenantry.dev/applied: '[redacted]', provisioning.tenantry.dev/template: '[redacted]'}},
	  spec: {template: {spec: {containers: [{name: a, env: [{name: GOMEMLIMIT, value: '[redacted, 8 bytes]'}, {name: GOMEMLIMIT_, value: '[redacted, 9 bytes]'},
	  {name: PIN, value: '[redacted, 7 bytes]'}]}]}}}}`)
	if shown := r.Object(found); fmt.Sprint(shown) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", shown, want)
	}
	if got := r.Text("it is geheim-7"); got != "it is [redacted]" {
		t.Errorf("what was taken out of an object stands in a text: %s", got)
	}
}

// They tell how much memory the collector works with, and why a rollout is due.
func TestADeploymentKeepsItsMemoryLimitAndTheHashesOfWhatWasApplied(t *testing.T) {
	t.Parallel()
	r := New()
	found := object(t, `{kind: Deployment, metadata: {annotations: {provisioning.tenantry.dev/applied: 0123456789abcdef, provisioning.tenantry.dev/template: fedcba9876543210}},
	  spec: {template: {spec: {containers: [{name: scimserver, env: [{name: GOMEMLIMIT, value: "1932735280"}]}], initContainers: [{name: a, env: [{name: GOMEMLIMIT, value: 230MiB}]}]}}}}`)
	r.Learn(found)
	if shown := r.Object(found); fmt.Sprint(shown) != fmt.Sprint(found) {
		t.Errorf("got\n%v\nwant\n%v", shown, found)
	}
}

// Its pods are found by the hash in their names, and their versions by the chart.
func TestAnObjectKeepsTheMarksOfControllers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{kind: Pod, metadata: {labels: {pod-template-hash: 776f6bbdf4}, annotations: {provisioning.tenantry.dev/service-account: 330e297e-3444-44ee-a32a-a751c41d1c8a}},
		  spec: {preemptionPolicy: PreemptLowerPriority}}`,
		`{kind: Deployment, metadata: {labels: {helm.sh/chart: tenantry-0.0.0-dev}}}`,
		`{kind: Event, source: {component: kubelet, host: node-1}}`,
	} {
		r := New()
		found := object(t, text)
		r.Learn(found)
		if shown := r.Object(found); fmt.Sprint(shown) != fmt.Sprint(found) {
			t.Errorf("got\n%v\nwant\n%v", shown, found)
		}
	}
}

// No list names these fields, so the next version of Kubernetes, or a controller of somebody's, cannot add one that is shown.
func TestAFieldThatNoListNamesIsTakenOut(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-7"
	for _, text := range []string{
		`{kind: ProvisioningTenant, metadata: {name: contoso, annotations: {note: X, kubectl.kubernetes.io/last-applied-configuration: '{"a":"X"}'}, labels: {owner: X},
		  managedFields: [{manager: X}]},
		  spec: {displayName: X, catalog: {companies: [X], roles: [X]}, exposure: {ingress: {annotations: {nginx.ingress.kubernetes.io/auth-secret: X}}},
		  server: {template: {metadata: {annotations: {a: X}, labels: {a: X}}, spec: {nodeSelector: {a: X}}}}, new: {field: X},
		  schema: {extensions: [{id: a, attributes: [{name: b, description: X}]}]}, authentication: {workloadIdentity: {subjects: [X]}}},
		  status: {problem: X, conditions: [{type: Ready, message: 'value "X", X and x@X'}]}}`,
		`{kind: UserDefaults, spec: {filter: 'userName eq "X"', companies: [X], roles: [X], configurationFilter: X, attributes: [{path: title, value: X}]}}`,
		`{kind: Deployment, spec: {template: {metadata: {annotations: {a: X}}, spec: {containers: [{name: mesh, env: [{name: A, value: X}], command: [X],
		  args: ['--password=X', X], livenessProbe: {exec: {command: [X]}, httpGet: {httpHeaders: [{name: a, value: X}]}}}], hostAliases: [{hostnames: [X]}]}}}}`,
		`{kind: Ingress, metadata: {annotations: {a: X}}, status: {loadBalancer: {ingress: [{hostname: X}]}}}`,
		`{kind: StorageClass, parameters: {secret: X}, provisioner: local}`,
		`{kind: PersistentVolume, spec: {csi: {driver: a, volumeAttributes: {token: X}}}}`,
		`{kind: Another, spec: {a: X}, data: {b: X}}`,
	} {
		r := New()
		found := object(t, strings.ReplaceAll(text, "X", canary))
		r.Learn(found)
		shown, err := json.Marshal(r.Object(found))
		if err != nil || strings.Contains(string(shown), canary) {
			t.Errorf("%s (%v)", shown, err)
		}
		if !strings.Contains(string(shown), "[redacted, 8 bytes]") && !strings.Contains(string(shown), mark) {
			t.Errorf("nothing is said of what was taken out: %s", shown)
		}
		// A text lacks whatever the object lacks.
		if told := r.Text("it is " + canary); strings.Contains(told, canary) {
			t.Errorf("%s", told)
		}
	}
}

func TestAnObjectKeepsWhatAMaintainerLooksAt(t *testing.T) {
	t.Parallel()
	r := New()
	found := object(t, `{apiVersion: v1, kind: Pod, metadata: {name: contoso-scim-1, labels: {app.kubernetes.io/name: tenantry-scimserver}},
	  spec: {nodeName: node-1, containers: [{name: scimserver, image: 'scimserver:v1', args: ['--tenant=contoso', '--entra-authority=https://login.test'], resources: {limits: {memory: 256Mi}}}]},
	  status: {phase: Running, containerStatuses: [{name: scimserver, restartCount: 3, ready: false, lastState: {terminated: {reason: OOMKilled, exitCode: 137}}}]}}`)
	r.Know("tenantry-scimserver")
	r.Learn(found)
	shown := r.Object(found)
	want := object(t, `{apiVersion: v1, kind: Pod, metadata: {name: contoso-scim-1, labels: {app.kubernetes.io/name: tenantry-scimserver}},
	  spec: {nodeName: node-1, containers: [{name: scimserver, image: 'scimserver:v1', args: ['--tenant=contoso', '--entra-authority=[redacted]'], resources: {limits: {memory: 256Mi}}}]},
	  status: {phase: Running, containerStatuses: [{name: scimserver, restartCount: 3, ready: false, lastState: {terminated: {reason: OOMKilled, exitCode: 137}}}]}}`)
	if fmt.Sprint(shown) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", shown, want)
	}
}

func TestALineOfALogKeepsWhatOurProgramsSayAndNothingElse(t *testing.T) {
	t.Parallel()
	r := New()
	r.Know("contoso", "customers")
	for line, want := range map[string]string{
		`{"time":"2026-11-30T12:00:00Z","level":"INFO","msg":"the server starts","version":"v1","user":"anna","count":3}`: `{"count":3,"level":"INFO",` +
			`"msg":"the server starts","time":"2026-11-30T12:00:00Z","user":"[redacted, 4 bytes]","version":"v1"}`,
		`{"msg":"failed","ProvisioningTenant":{"name":"contoso","namespace":"customers"},"error":"user \"anna\" of anna@contoso.com"}`: `{"ProvisioningTenant":` +
			`{"name":"contoso","namespace":"customers"},"error":"user \"[redacted]\" of [redacted]","msg":"failed"}`,
		`time=2026-11-30T12:00:00Z level=ERROR msg="it failed" err="no \"anna\"" user=anna`: `time=2026-11-30T12:00:00Z level=ERROR msg="it failed" ` +
			`err="no \"[redacted]\"" user="[redacted, 4 bytes]"`,
		`{"msg":"trying again","in":"10s","every":"1m0s","trying":"at most every 5m0s","away":"2.041s"}`: `{"away":"2.041s","every":"1m0s","in":"10s",` +
			`"msg":"trying again","trying":"at most every 5m0s"}`,
		`{"msg":"serving","clients":"[::]:8080","admin":":8081","resource":"provisioningtenants"}`: `{"admin":":8081","clients":"[::]:8080","msg":"serving",` +
			`"resource":"provisioningtenants"}`,
		`time=2026-11-30T12:00:00Z level=INFO msg=serving clients=[::]:8080 admin=127.0.0.1:8081`: `time=2026-11-30T12:00:00Z level=INFO msg=serving ` +
			`clients=[::]:8080 admin=127.0.0.1:8081`,
		// An answer names its request by the id that the server gave it, so a customer's complaint finds its line. A proxy's id is anybody's text.
		`{"msg":"failed","requestID":"VVWB3IZHBALH5CXM","proxyRequestID":"VVWB3IZHBALH5CXM"}`: `{"msg":"failed",` +
			`"proxyRequestID":"[redacted, 16 bytes]","requestID":"VVWB3IZHBALH5CXM"}`,
		`{"msg":"failed","requestID":"anna@contoso.com","reservedFor":"24h0m0s"}`: `{"msg":"failed","requestID":"[redacted, 16 bytes]","reservedFor":"24h0m0s"}`,
		`{"msg":"A host was let go","reconcileID":"330e297e-3444-44ee-a32a-a751c41d1c8a"}`: `{"msg":"A host was let go",` +
			`"reconcileID":"330e297e-3444-44ee-a32a-a751c41d1c8a"}`,
		`panic: anna`:                      `[a line of 11 bytes that is none of ours]`,
		`main.run({0x1, 0x2}, "anna")`:     `main.run(...)`,
		`goroutine 1 [running]:`:           `goroutine 1 [running]:`,
		"\t/src/cmd/main.go:12 +0x1a":      "\t/src/cmd/main.go:12 +0x1a",
		`{"msg":"cut off","user":"anna`:    `[a line of 29 bytes that is none of ours]`,
		`127.0.0.1 - anna [30/Nov/2026] x`: `[a line of 32 bytes that is none of ours]`,
	} {
		if got := r.Line(line); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

func TestAMetricKeepsItsValueAndTheLabelsThatAreKnown(t *testing.T) {
	t.Parallel()
	r := New()
	for line, want := range map[string]string{
		`requests_total{method="GET",client="anna"} 3`:     `requests_total{method="GET",client="[redacted]"} 3`,
		`scim_credentials_accepted_total{role="reader"} 1`: `scim_credentials_accepted_total{role="reader"} 1`,
		`go_goroutines 12`:             `go_goroutines 12`,
		`# HELP go_goroutines of anna`: ``,
		`<html>anna</html>`:            ``,
	} {
		if got := r.Metric(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAnEventOfAnUnknownControllerHasNoMessage(t *testing.T) {
	t.Parallel()
	r := New()
	for component, want := range map[string]any{"kubelet": "Created container", "somebodys-controller": "[redacted, 17 bytes]"} {
		got := r.Event(map[string]any{"kind": "Event", "source": map[string]any{"component": component}, "reason": "Created", "message": "Created container"})
		if got["message"] != want || got["reason"] != "Created" {
			t.Errorf("%s: %v", component, got)
		}
	}
}
