package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/scimserver/store"
)

// ambiguous answers with one count after the other; -1 is a failure.
type ambiguous struct{ counts []int64 }

func (a *ambiguous) Ambiguous(context.Context, int) (int64, map[store.Kind][]string, error) {
	n := a.counts[0]
	a.counts = a.counts[1:]
	if n < 0 {
		return 0, nil, errors.New("the storage is away")
	}
	return n, map[store.Kind][]string{store.User: {"a", "b"}}, nil
}

func TestNamesThatSeveralHaveAreToldOnce(t *testing.T) {
	script := &ambiguous{counts: []int64{-1, 2, 2, -1, 2, 4, 0, 0}}
	var lines []string
	l := &namesLog{names: script, log: funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})}
	for len(script.counts) > 0 {
		l.step(t.Context())
	}
	shared := func(n string) string {
		return `"level"=0 "msg"="users or groups have one name, which an earlier version took for two; they are served, and a new one of that name` +
			` is refused. Rename or delete all but one of each name" "resources"=` + n + ` "users"=["a" "b"] "groups"=[]`
	}
	if want := []string{shared("2"), shared("4"), `"level"=0 "msg"="no name is ambiguous any more"`}; !slices.Equal(lines, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
