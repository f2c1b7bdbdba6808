package main

import (
	"log/slog"
	"testing"

	"github.com/tenantry/tenantry/controllers"
)

func TestFlagsThatMakeNoSenseAreRefusedWithWhatWould(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no image":                 {nil, "name the image of the SCIM server with --server-image"},
		"an argument":              {[]string{"--server-image=x", "y"}, `unexpected argument "y"; see --help`},
		"nothing at a time":        {[]string{"--server-image=x", "--concurrency=0"}, "--concurrency must be at least 1, not 0"},
		"a log that nobody reads":  {[]string{"--server-image=x", "--log-format=xml"}, `--log-format must be json or text, not "xml"`},
		"a log that tells secrets": {[]string{"--server-image=x", "--log-level=debug-4"}, "--log-level must be debug or above, not DEBUG-4"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestFlagsReachTheirOptions(t *testing.T) {
	got, err := parse([]string{
		"--server-image=image", "--base-domain=scim.test", "--ingress-class=traefik", "--entra-authority=https://login.test", "--concurrency=7",
		"--metrics-bind-address=0", "--health-probe-bind-address=:1", "--leader-elect", "--leader-election-namespace=ns", "--log-format=text", "--log-level=debug",
	})
	if err != nil {
		t.Fatal(err)
	}
	o := got.Options
	if o.ServerImage != "image" || o.BaseDomain != "scim.test" || o.IngressClass != "traefik" || o.EntraAuthority != "https://login.test" || o.Concurrency != 7 {
		t.Errorf("got options %+v", o)
	}
	if got.metricsAddress != "0" || got.probeAddress != ":1" || !got.leaderElection || got.leaderElectionNamespace != "ns" || got.logFormat != "text" || got.logLevel != slog.LevelDebug {
		t.Errorf("got %+v", got)
	}
}

func TestFiltersAndAttributesAreCheckedWithTheServersOwnParser(t *testing.T) {
	var o controllers.Options
	useServersParser(&o)
	if err := o.CheckFilter(`department eq "Finance" and active eq true`); err != nil {
		t.Errorf("a good filter: %v", err)
	}
	if err := o.CheckFilter(`nosuch eq "x"`); err == nil {
		t.Error("a filter over an attribute that does not exist is taken")
	}
	if err := o.CheckAttribute("title", "Employee"); err != nil {
		t.Errorf("a good attribute: %v", err)
	}
	if err := o.CheckAttribute("emails", "x"); err == nil {
		t.Error("an attribute with several values is taken")
	}
}
