package version

import (
	"bytes"
	"regexp"
	"runtime/debug"
	"testing"
)

func TestTheLinkerSaysTheReleaseAndTheModuleOtherwise(t *testing.T) {
	t.Parallel()
	downloaded := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
	workTree := &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261130120000-0123456789ab+dirty"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
	}}
	for name, c := range map[string]struct {
		release string
		info    *debug.BuildInfo
		want    string
	}{
		"a release":                      {"v1.3.0", downloaded, "v1.3.0"},
		"a release out of a work tree":   {"v1.3.0", workTree, "v1.3.0"},
		"a module that was downloaded":   {"", downloaded, "v1.2.3"},
		"a work tree":                    {"", workTree, "dev+0123456789ab"},
		"a work tree without repository": {"", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "dev"},
		"nothing known":                  {"", &debug.BuildInfo{}, "dev"},
	} {
		if got := of(c.release, c.info); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTheLineOfAVersionNamesProgramVersionAndPlatform(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Print(&out, "operator"); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^operator \S+ \(go\S+, \w+/\w+\)\n$`).MatchString(out.String()) {
		t.Errorf("%q", &out)
	}
}
