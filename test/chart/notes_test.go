package chart

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// commands are the lines of the notes that a person copies into a shell, from the first tenant on.
func commands(t *testing.T, values map[string]any) string {
	t.Helper()
	files, err := renderFiles(t, values)
	if err != nil {
		t.Fatal(err)
	}
	notes := files["tenantry/templates/NOTES.txt"]
	found := regexp.MustCompile(`(?ms)^kubectl apply .*?^END$|^kubectl .*?$`).FindAllString(notes, -1)
	if len(found) < 3 {
		t.Fatalf("the notes have the commands %q:\n%s", found, notes)
	}
	return strings.Join(found, "\n")
}

// play gives a tenant's objects in a namespace the status that nodes, a storage and an ingress controller would give them.
func play(ctx context.Context, namespace string) error {
	for object, status := range map[*unstructured.Unstructured]map[string]any{
		objectIn("v1", "PersistentVolumeClaim", namespace, "contoso-data"): {"phase": "Bound", "capacity": map[string]any{"storage": "1Gi"}},
		objectIn("networking.k8s.io/v1", "Ingress", namespace, "contoso-scim"): {
			"loadBalancer": map[string]any{"ingress": []any{map[string]any{"hostname": "ingress.example.com"}}},
		},
		objectIn("apps/v1", "Deployment", namespace, "contoso-scim"): {
			"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
			"conditions": []any{map[string]any{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}},
		},
	} {
		patch, err := json.Marshal(map[string]any{"status": status})
		if err != nil {
			return err
		}
		if err := shared.client.Status().Patch(ctx, object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			return err
		}
	}
	endpoints := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "contoso-scim", Labels: map[string]string{discoveryv1.LabelServiceName: "contoso-scim"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}},
	}
	return client.IgnoreAlreadyExists(shared.client.Create(ctx, endpoints))
}

func objectIn(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	found := object(apiVersion, kind)
	found.SetNamespace(namespace)
	found.SetName(name)
	return found
}

// TestTheTenantOfTheNotesBecomesReady types what the notes say, on an API server with the operator and nothing that would run a pod.
func TestTheTenantOfTheNotesBecomesReady(t *testing.T) {
	for name, values := range map[string]string{
		"with a host of its own": "watchNamespaces: [written]",
		"below a base domain":    "{watchNamespaces: [based], baseDomain: scim.example.net}",
		"as the class says":      "{watchNamespaces: [classed], defaultClass: {create: true, spec: {defaults: {exposure: {baseDomain: scim.example.org}}}}}",
		"as a rule allows":       `{watchNamespaces: [ruled], hosts: {allowed: [{hosts: ["*.{namespace}.example.com"]}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			values := valuesOf(t, values)
			customers, _, _ := unstructured.NestedStringSlice(values, "watchNamespaces")
			namespace(t, releaseNamespace)
			namespace(t, customers[0])
			t.Cleanup(func() { removeCRDs(t) })
			install(t, releaseNamespace, values)
			start(t, render(t, values), "0")
			ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
			defer cancel()
			shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", established+commands(t, values))
			shell.Env = []string{"PATH=" + os.Getenv("KUBEBUILDER_ASSETS") + ":" + os.Getenv("PATH"), "KUBECONFIG=" + shared.kubeconfig, "HOME=" + t.TempDir()}
			type result struct {
				output []byte
				err    error
			}
			done := make(chan result, 1)
			go func() {
				output, err := shell.CombinedOutput()
				done <- result{output, err}
			}()
			var typed result
			eventually(t, "the tenant becomes ready", func() string {
				select {
				case typed = <-done:
					return ""
				default:
				}
				if err := play(t.Context(), customers[0]); err != nil {
					return err.Error()
				}
				return "kubectl waits"
			})
			if typed.err != nil {
				t.Fatalf("%v\n%s", typed.err, typed.output)
			}
			for _, want := range []string{"contoso   True", "https://contoso.", "/scim/v2"} {
				if !strings.Contains(string(typed.output), want) {
					t.Errorf("nothing says %s:\n%s", want, typed.output)
				}
			}
		})
	}
}

// TestTheNotesNameAHostThatTheTenantMayHave with each kind of route.
func TestTheNotesNameAHostThatTheTenantMayHave(t *testing.T) {
	const host, gateway = "host: contoso.", "type: Gateway"
	for values, want := range map[string]struct {
		has, lacks []string
	}{
		"{}":                           {[]string{host + "scim.example.com"}, []string{gateway}},
		"baseDomain: scim.example.net": {nil, []string{"exposure", "host:"}},
		"defaultClass: {create: true}": {[]string{host + "scim.example.com"}, nil},
		"defaultClass: {create: true, spec: {defaults: {exposure: {baseDomain: scim.example.net}}}}":                {nil, []string{"exposure", "host:"}},
		"defaultClass: {create: true, spec: {defaults: {exposure: {type: Gateway, baseDomain: scim.example.net}}}}": {[]string{"the Gateway"}, []string{"exposure", "host:"}},
		"defaultClass: {spec: {defaults: {exposure: {baseDomain: scim.example.net}}}}":                              {[]string{host + "scim.example.com"}, nil},
		"gateway: edge/public":                                                    {[]string{gateway, host + "scim.example.com"}, nil},
		"{gateway: a/b, ingressClass: c}":                                         {[]string{host + "scim.example.com"}, []string{gateway}},
		"{gateway: edge/public, baseDomain: scim.example.net}":                    {[]string{gateway}, []string{"host:"}},
		`hosts: {allowed: [{hosts: ["*.a.example.com"]}]}`:                        {[]string{host + "a.example.com"}, nil},
		`hosts: {allowed: [{hosts: ["{name}.{namespace}.example.com"]}]}`:         {[]string{host + "default.example.com"}, nil},
		`hosts: {allowed: [{hosts: ["*"]}]}`:                                      {[]string{host + "scim.example.com"}, nil},
		`{baseDomain: example.net, hosts: {allowed: [{hosts: [b.example.com]}]}}`: {[]string{"host: b.example.com"}, nil},
		`hosts: {allowed: [{namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}]}`: {
			[]string{host + "a.example.com", "namespaceSelector"}, nil,
		},
		`hosts: {allowed: [{namespaceSelector: {matchLabels: {team: a}}, hosts: ["*.a.example.com"]}, {hosts: ["*.b.example.com"]}]}`: {
			[]string{host + "b.example.com"}, []string{"namespaceSelector"},
		},
	} {
		files, err := renderFiles(t, valuesOf(t, values))
		if err != nil {
			t.Fatal(err)
		}
		notes := files["tenantry/templates/NOTES.txt"]
		for _, part := range want.has {
			if !strings.Contains(notes, part) {
				t.Errorf("with %s nothing says %s:\n%s", values, part, notes)
			}
		}
		for _, part := range want.lacks {
			if strings.Contains(notes, part) {
				t.Errorf("with %s they say %s:\n%s", values, part, notes)
			}
		}
	}
}
