package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// released is the contract of a release whose servers take what its operator gives them, and --log-level.
func released(t *testing.T) contract {
	t.Helper()
	pods, err := podsOf(tenant())
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string][]string{serve: {"log-level"}}
	for _, asked := range pods {
		flags[asked.Command] = append(flags[asked.Command], given(asked)...)
	}
	return contract{Pods: pods, Flags: flags, Paths: paths(), Verifiers: verifiers()}
}

// edited is a deep copy of a contract after a change of the server on a volume, and of the rest.
func edited(t *testing.T, c contract, change func(*pod, *contract)) contract {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var changed contract
	if err := json.Unmarshal(text, &changed); err != nil {
		t.Fatal(err)
	}
	server := changed.Pods[volume]
	change(&server, &changed)
	if _, there := changed.Pods[volume]; there {
		changed.Pods[volume] = server
	}
	return changed
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(other string) bool { return other == one })
}

func TestWhatServersOfTheReleaseDoNotKnowOrMayNeedIsRefused(t *testing.T) {
	t.Parallel()
	before := released(t)
	for name, test := range map[string]struct {
		change func(*pod, *contract)
		want   string
	}{
		"an argument that came": {func(p *pod, c *contract) {
			p.Arguments = append(p.Arguments, "--guards=URL")
			c.Flags[serve] = append(c.Flags[serve], "guards") // which servers of now take
		}, "server on a volume: servers of the release do not take --guards: give it one version after they do"},
		"an argument that is gone": {func(p *pod, _ *contract) { p.Arguments = without(p.Arguments, "--tenant-uid=UID") },
			"server on a volume: --tenant-uid is gone, which servers of the release may need: go on giving it"},
		"a flag that is gone": {func(_ *pod, c *contract) { c.Flags[serve] = without(c.Flags[serve], "log-level") },
			"scimserver: flag --log-level is gone: let the server take it"},
		"a variable that came": {func(p *pod, _ *contract) { p.Environment = append(p.Environment, "TENANTRY_GUARDS") },
			"server on a volume: servers of the release do not read TENANTRY_GUARDS: let them take a flag, and give that one version later"},
		"a variable that is gone": {func(p *pod, _ *contract) { p.Environment = nil },
			"server on a volume: variable GOMEMLIMIT is gone, which servers of the release may need: go on giving it"},
		"a mount that is gone": {func(p *pod, _ *contract) { p.Mounts = nil },
			"server on a volume: mount /data is gone, which servers of the release may need: go on giving it"},
		"another port": {func(p *pod, _ *contract) { p.Ports = []string{"admin 8082/TCP", "http 8080/TCP"} },
			"server on a volume: port admin 8081/TCP is gone, which servers of the release may need: go on giving it\n" +
				"server on a volume: servers of the release do not listen on admin 8082/TCP: put back what it was"},
		"another probe": {func(p *pod, _ *contract) { p.Probes = append(p.Probes, "/livez") },
			"server on a volume: servers of the release do not answer /livez: ask for it one version after they do"},
		"a path that is gone": {func(_ *pod, c *contract) { c.Paths = without(c.Paths, "/log") }, "scimserver: path /log is gone: let the server answer it"},
		"a right that is gone": {func(p *pod, _ *contract) { p.Rights = without(p.Rights, "watch secrets NAME-verifier") },
			"server on a volume: right to watch secrets NAME-verifier is gone, which servers of the release may need: go on giving it"},
		"a field of the verifiers that is gone": {func(_ *pod, c *contract) { c.Verifiers = without(c.Verifiers, "verifiers.json.verifiers[].sha256") },
			"scimserver: field verifiers.json.verifiers[].sha256 is gone, which servers of the release read: go on writing it"},
		"another key of the verifiers": {func(_ *pod, c *contract) {
			c.Verifiers[0] = strings.Replace(c.Verifiers[0], "verifiers.json", "v2.json", 1)
		},
			"scimserver: field verifiers.json.verifiers[].id is gone, which servers of the release read: go on writing it"},
		"a command that came": {func(_ *pod, c *contract) {
			c.Pods["backup"], c.Flags["scimserver backup"] = pod{Command: "scimserver backup"}, []string{}
		}, `backup: servers of the release have no command "scimserver backup": run it one version after they have it`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := compare(before, edited(t, before, test.change))
			slices.Sort(found)
			if diff := cmp.Diff(test.want, strings.Join(found, "\n")); diff != "" {
				t.Errorf("it is told otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatServersOfTheReleaseTakeIsGiven(t *testing.T) {
	t.Parallel()
	before := released(t)
	for name, change := range map[string]func(*pod, *contract){
		"nothing":                             func(*pod, *contract) {},
		"an argument that they take":          func(p *pod, _ *contract) { p.Arguments = append(p.Arguments, "--log-level=debug") },
		"another value":                       func(p *pod, _ *contract) { p.Arguments[0] += "x" },
		"a flag that the next operator gives": func(_ *pod, c *contract) { c.Flags[serve] = append(c.Flags[serve], "guards") },
		"a variable that Go reads":            func(p *pod, _ *contract) { p.Environment = append(p.Environment, "HTTPS_PROXY") },
		"a mount that no argument names":      func(p *pod, _ *contract) { p.Mounts = append(p.Mounts, "/certificates") },
		"a right":                             func(p *pod, _ *contract) { p.Rights = append(p.Rights, "get configmaps NAME") },
		"a path":                              func(_ *pod, c *contract) { c.Paths = append(c.Paths, "/defaults/preview") },
		"a field of the verifiers":            func(_ *pod, c *contract) { c.Verifiers = append(c.Verifiers, "verifiers.json.keys[].kid") },
		"another probe that they answer":      func(p *pod, _ *contract) { p.Probes = []string{"/metrics"} },
		"a Job that runs no more":             func(_ *pod, c *contract) { delete(c.Pods, "connection") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if found := compare(before, edited(t, before, change)); len(found) > 0 {
				t.Errorf("it is said to break %q", found)
			}
		})
	}
}
