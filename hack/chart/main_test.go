package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValuesAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	got, err := read([]byte(`
# Those of the top
# are first.
replicas: 2

# A group.
image:
  # Where it is | or not.
  repository: docker.io/tenantry/operator
  # Its name.
  names:
    # First.
    first: ""
# A mapping of which nothing more is said.
limits: {memory: 512Mi, cpu: 1}
# A list with <characters>.
args: ["--a=<b>"]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []group{
		{Values: []value{
			{"replicas", "2", "Those of the top are first."},
			{"limits", `{"cpu":1,"memory":"512Mi"}`, "A mapping of which nothing more is said."},
			{"args", `["--a=<b>"]`, "A list with <characters>."},
		}},
		{"image", "A group.", []value{
			{"image.repository", `"docker.io/tenantry/operator"`, `Where it is \| or not.`},
		}},
		{"image.names", "Its name.", []value{{"image.names.first", `""`, "First."}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
}

func TestAValueOfWhichNothingIsSaidIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"replicas: 2\n": "line 1: no comment says what replicas is",
		"# A group.\nimage:\n  # One.\n  a: 1\n  b: 2\n": "line 5: no comment says what image.b is",
		"- 1\n": "it has no values",
		"":      "it has no values",
	} {
		if _, err := read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
