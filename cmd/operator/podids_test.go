package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
)

func TestWhoChoosesTheUserOfPodsIsAskedOfTheClusterUnlessItIsSaid(t *testing.T) {
	t.Parallel()
	const (
		others    = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}]}]}`
		openShift = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"security.openshift.io","versions":[{"groupVersion":"security.openshift.io/v1","version":"v1"}]}]}`
	)
	for name, test := range map[string]struct {
		args   []string
		groups string // "" for an API server that fails
		want   bool
		fails  bool
	}{
		"by itself":              {nil, others, false, false},
		"by itself on OpenShift": {nil, openShift, true, false},
		"auto on OpenShift":      {[]string{"--pod-ids=auto"}, openShift, true, false},
		"it cannot be asked":     {nil, "", false, true},
		"fixed on OpenShift":     {[]string{"--pod-ids=fixed"}, openShift, false, false},
		"the platform":           {[]string{"--pod-ids=platform"}, others, true, false},
		"said, and not asked":    {[]string{"--pod-ids=platform"}, "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case test.groups == "":
					http.Error(w, "broken", http.StatusInternalServerError)
				case r.URL.Path == "/apis":
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(test.groups))
				default:
					http.NotFound(w, r)
				}
			}))
			defer api.Close()
			s, err := parse(append([]string{"--server-image=x"}, test.args...))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.podIDs.arePlatforms(&rest.Config{Host: api.URL})
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %t and %v, want %t", got, err, test.want)
			}
		})
	}
}
