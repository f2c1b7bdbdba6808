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
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
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
		`requests_total{method="GET",client="anna"} 3`: `requests_total{method="GET",client="[redacted]"} 3`,
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
