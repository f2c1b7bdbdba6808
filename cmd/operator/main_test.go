package main

import (
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
)

func TestFlagsThatMakeNoSenseAreRefusedWithWhatWould(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no image":    {nil, "name the image of the SCIM server with --server-image"},
		"an argument": {[]string{"--server-image=x", "y"}, `unexpected argument "y"; see --help`},
		"a login authority without a scheme": {
			[]string{"--server-image=x", "--entra-authority=login.test"},
			`--entra-authority must be like https://login.example.com or https://login.example.com:8443`,
		},
		"a login authority at no port": {
			[]string{"--server-image=x", "--entra-authority=https://login.test:65536"},
			`--entra-authority must be like https://login.example.com or https://login.example.com:8443`,
		},
		"a base domain that is none": {
			[]string{"--server-image=x", "--base-domain=https://scim.test"},
			`--base-domain must be a DNS name such as scim.example.com, not "https://scim.test"`,
		},
		"a reservation that never ends": {
			[]string{"--server-image=x", "--host-reservation=100000h"}, "--host-reservation must be whole seconds, at most 8760h0m0s, not 100000h0m0s",
		},
		"a rule without hosts": {
			[]string{"--server-image=x", "--allow-hosts={namespaceSelector: {}}"},
			`invalid value "{namespaceSelector: {}}" for flag -allow-hosts: hosts must have at least one pattern`,
		},
		"a class without a name": {
			[]string{"--server-image=x", "--default-class={spec: {}}"}, `invalid value "{spec: {}}" for flag -default-class: metadata.name is required`,
		},
		"a class with a field that is none": {
			[]string{"--server-image=x", "--default-class={metadata: {name: a}, spec: {default: {}}}"},
			`invalid value "{metadata: {name: a}, spec: {default: {}}}" for flag -default-class: ` +
				`read a ProvisioningTenantClass: error unmarshaling JSON: while decoding JSON: json: unknown field "default"`,
		},
		"something else for a class": {
			[]string{"--server-image=x", "--default-class={apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"},
			`invalid value "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}" for flag -default-class: ` +
				`v1 ConfigMap is no provisioning.tenantry.dev/v1alpha1 ProvisioningTenantClass`,
		},
		"nothing at a time":             {[]string{"--server-image=x", "--concurrency=0"}, "--concurrency must be at least 1, not 0"},
		"a log that nobody reads":       {[]string{"--server-image=x", "--log-format=xml"}, `--log-format must be json or text, not "xml"`},
		"a Gateway without a namespace": {[]string{"--server-image=x", "--gateway=public"}, `invalid value "public" for flag -gateway: must be [kind/]namespace/name`},
		"a Gateway without a name":      {[]string{"--server-image=x", "--gateway=ListenerSet/edge/"}, `invalid value "ListenerSet/edge/" for flag -gateway: must be [kind/]namespace/name`},
		"a Gateway of too many parts":   {[]string{"--server-image=x", "--gateway=a/b/c/d"}, `invalid value "a/b/c/d" for flag -gateway: must be [kind/]namespace/name`},
		"a Gateway of another kind": {
			[]string{"--server-image=x", "--gateway=Service/edge/public"},
			`invalid value "Service/edge/public" for flag -gateway: kind "Service" must be Gateway or ListenerSet`,
		},
		"a log that tells secrets": {[]string{"--server-image=x", "--log-level=debug-4"}, "--log-level must be debug or above, not DEBUG-4"},
		"a certificate for plain HTTP": {
			[]string{"--server-image=x", "--metrics-secure=false", "--metrics-cert-dir=/tls"}, "--metrics-cert-dir needs --metrics-secure",
		},
		"a user of nobody's choice": {
			[]string{"--server-image=x", "--pod-ids=65532"}, `invalid value "65532" for flag -pod-ids: must be auto, fixed or platform`,
		},
		"no namespace": {
			[]string{"--server-image=x", "--watch-namespaces="}, `invalid value "" for flag -watch-namespaces: "" is not the name of a namespace`,
		},
		"a namespace that cannot be": {
			[]string{"--server-image=x", "--watch-namespaces=a,B"}, `invalid value "a,B" for flag -watch-namespaces: "B" is not the name of a namespace`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func reference(kind v1alpha1.GatewayKind, namespace, name string) v1alpha1.GatewayReference {
	return v1alpha1.GatewayReference{Group: v1alpha1.GatewayAPI, Kind: kind, Namespace: namespace, Name: name}
}

func TestTheGatewayOfAllTenantsMayBeAListenerSet(t *testing.T) {
	for text, want := range map[string]v1alpha1.GatewayReference{
		"edge/public":             reference("Gateway", "edge", "public"),
		"Gateway/edge/public":     reference("Gateway", "edge", "public"),
		"ListenerSet/edge/public": reference("ListenerSet", "edge", "public"),
	} {
		if got, err := parse([]string{"--server-image=x", "--gateway=" + text}); err != nil || got.Gateway != want {
			t.Errorf("%s: got %+v and %v, want %+v", text, got.Gateway, err, want)
		}
	}
}

func TestFlagsReachTheirOptions(t *testing.T) {
	got, err := parse([]string{
		"--server-image=image", "--base-domain=scim.test", "--ingress-class=traefik", "--gateway=edge/public", "--entra-authority=https://login.test", "--concurrency=7",
		"--metrics-bind-address=0", "--metrics-cert-dir=/tls", "--watch-namespaces=a,b", "--health-probe-bind-address=:1", "--leader-elect", "--lease-namespace=ns", "--log-format=text", "--log-level=debug",
		"--host-reservation=1h", `--allow-hosts={"namespaceSelector":{"matchLabels":{"team":"a"}},"hosts":["*.a.test"]}`, "--allow-hosts=hosts: [y.test, x.test]",
	})
	if err != nil {
		t.Fatal(err)
	}
	o := got.Options
	if o.ServerImage != "image" || o.BaseDomain != "scim.test" || o.IngressClass != "traefik" || o.Gateway != reference("Gateway", "edge", "public") || o.EntraAuthority != "https://login.test" || o.Concurrency != 7 {
		t.Errorf("got options %+v", o)
	}
	if !slices.Equal(got.namespaces, []string{"a", "b"}) || !got.metricsSecure || got.metricsCertDir != "/tls" {
		t.Errorf("got namespaces %v, secure metrics %v with the certificate in %s", got.namespaces, got.metricsSecure, got.metricsCertDir)
	}
	if rules := o.HostRules; o.HostReservation != time.Hour || len(rules) != 2 || rules[0].Hosts[0] != "*.a.test" || rules[1].Hosts[1] != "x.test" {
		t.Errorf("got hosts reserved for %s and the rules %+v", o.HostReservation, rules)
	}
	if got.metricsAddress != "0" || got.probeAddress != ":1" || !got.leaderElection || got.LeaseNamespace != "ns" || got.logFormat != "text" || got.logLevel != slog.LevelDebug {
		t.Errorf("got %+v", got)
	}
}

func TestOnlyTheNamedNamespacesAreCached(t *testing.T) {
	if got := only(nil); got != nil {
		t.Errorf("without names the whole cluster must be cached, not %v", got)
	}
	if got := slices.Sorted(maps.Keys(only([]string{"b", "a"}))); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
}

func TestMetricsAreServedToTheAuthorizedUnlessSaidOtherwise(t *testing.T) {
	secure, err := parse([]string{"--server-image=x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := metricsOptions(secure); got.BindAddress != ":8443" || !got.SecureServing || got.FilterProvider == nil {
		t.Errorf("by default: %+v", got)
	}
	plain, err := parse([]string{"--server-image=x", "--metrics-secure=false", "--metrics-bind-address=:8080"})
	if err != nil {
		t.Fatal(err)
	}
	if got := metricsOptions(plain); got.BindAddress != ":8080" || got.SecureServing || got.FilterProvider != nil {
		t.Errorf("when asked for: %+v", got)
	}
}

func TestFiltersAndAttributesAreCheckedWithTheServersOwnParser(t *testing.T) {
	var o controllers.Options
	useServersParser(&o)
	var none v1alpha1.Schema
	if err := o.CheckFilter(none, `department eq "Finance" and active eq true`); err != nil {
		t.Errorf("a good filter: %v", err)
	}
	if err := o.CheckFilter(none, `nosuch eq "x"`); err == nil {
		t.Error("a filter over an attribute that does not exist is taken")
	}
	if err := o.CheckAttribute(none, "title", "Employee"); err != nil {
		t.Errorf("a good attribute: %v", err)
	}
	if err := o.CheckAttribute(none, "emails", "x"); err == nil {
		t.Error("an attribute with several values is taken")
	}
	for path, values := range map[string][2]string{
		"timezone": {"Europe/Stockholm", "Mars/Base"}, "locale": {"sv-SE", "xx-YY"}, "preferredLanguage": {"sv, en;q=0.8", "swedish"},
		"urn:ietf:params:scim:schemas:core:2.0:User:TimeZone": {"UTC", "Local"},
	} {
		if err := o.CheckAttribute(none, path, values[0]); err != nil {
			t.Errorf("a good %s: %v", path, err)
		}
		if err := o.CheckAttribute(none, path, values[1]); err == nil {
			t.Errorf("%s is taken for a %s", values[1], path)
		}
	}
	declared := v1alpha1.Schema{Extensions: []v1alpha1.SchemaExtension{{
		ID: "urn:contoso:hr:1.0:User", Attributes: []v1alpha1.SchemaAttribute{{Name: "badge", Type: "integer"}},
	}}}
	for schema, want := range map[*v1alpha1.Schema]bool{&declared: true, &none: false} {
		if err := o.CheckFilter(*schema, `urn:contoso:hr:1.0:User:badge gt 5`); (err == nil) != want {
			t.Errorf("a filter over a declared attribute: %v", err)
		}
		if err := o.CheckAttribute(*schema, "urn:contoso:hr:1.0:User:badge", "7"); (err == nil) != want {
			t.Errorf("a default of a declared attribute: %v", err)
		}
	}
	if err := o.CheckAttribute(declared, "urn:contoso:hr:1.0:User:badge", "seven"); err == nil {
		t.Error("a text is taken for an integer")
	}
}
