package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// fakeAPI speaks the part of the Kubernetes API that a server may use: list and watch of one object by name, its own namespace, and a
// patch of a status. It refuses everything else, as the Role of a server does.
type fakeAPI struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	server  *httptest.Server
	version int
	oldest  int
	objects map[string]json.RawMessage
	history []change
	changed chan struct{}
	closing chan struct{}
	refuse  map[string]int
	lists   map[string]int
	open    map[string]int
	patches []string
	// warnings come with the answer to each patch.
	warnings []string
}

// hang instead of an HTTP status keeps requests waiting.
const hang = -1

type change struct {
	version      int
	object, kind string
	body         json.RawMessage
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{
		t: t, addr: "127.0.0.1:0", version: 100, objects: map[string]json.RawMessage{}, changed: make(chan struct{}),
		refuse: map[string]int{}, lists: map[string]int{}, open: map[string]int{},
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

// start lets the API server answer at the address that it had before.
func (f *fakeAPI) start() {
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addr = listener.Addr().String()
	f.closing = make(chan struct{})
	f.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: f}}
	f.server.Start()
}

// stop makes connections break and be refused.
func (f *fakeAPI) stop() {
	f.disconnect()
	f.server.CloseClientConnections()
	f.server.Close()
}

// disconnect ends the open watches.
func (f *fakeAPI) disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closing:
	default:
		close(f.closing)
	}
}

// reconnect ends the open watches and answers new ones.
func (f *fakeAPI) reconnect() {
	f.disconnect()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closing = make(chan struct{})
}

func (f *fakeAPI) config() *rest.Config { return &rest.Config{Host: "http://" + f.addr} }

// put makes object, whose name in a path is resource/name, be there.
func (f *fakeAPI) put(path string, object metav1.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := "MODIFIED"
	if f.objects[path] == nil {
		kind = "ADDED"
	}
	f.version++
	object.SetResourceVersion(strconv.Itoa(f.version))
	body, err := json.Marshal(object)
	if err != nil {
		f.t.Fatal(err)
	}
	f.objects[path] = body
	f.note(path, kind, body)
}

func (f *fakeAPI) remove(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body := f.objects[path]
	delete(f.objects, path)
	f.version++
	f.note(path, "DELETED", body)
}

func (f *fakeAPI) note(path, kind string, body json.RawMessage) {
	f.history = append(f.history, change{f.version, path, kind, body})
	close(f.changed)
	f.changed = make(chan struct{})
}

// expire forgets the changes so far without telling them, as etcd's compaction does, and answers 410 to who asks.
func (f *fakeAPI) expire() {
	f.mu.Lock()
	f.history, f.oldest = nil, f.version
	f.mu.Unlock()
	f.reconnect()
}

// answer makes every request for the resource end with an HTTP status, or normally again where code is 0.
func (f *fakeAPI) answer(resource string, code int) {
	f.mu.Lock()
	f.refuse[resource] = code
	f.mu.Unlock()
	f.reconnect()
}

func (f *fakeAPI) listsOf(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists[path]
}

func (f *fakeAPI) watching() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.open))
}

func (f *fakeAPI) patched() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.patches)
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var prefix, rest string
	if at := slices.Index(parts, "namespaces"); at > 0 && len(parts) > at+2 && parts[at+1] == "customers" {
		prefix, rest = strings.Join(parts[:at], "/"), strings.Join(parts[at+2:], "/")
	}
	resource, _, _ := strings.Cut(rest, "/")
	if r.URL.Path == "/api/v1/"+namespacePath {
		resource = "namespaces"
	}
	known := prefix == "apis/provisioning.tenantry.dev/v1alpha1" && (resource == "provisioningtenants" || resource == "userdefaults") ||
		prefix == "api/v1" && resource == "secrets"
	name, named := strings.CutPrefix(query.Get("fieldSelector"), "metadata.name=")
	f.mu.Lock()
	code, closing := f.refuse[resource], f.closing
	f.mu.Unlock()
	switch {
	case code == hang:
		select {
		case <-closing:
		case <-r.Context().Done():
		}
		f.fail(w, http.StatusServiceUnavailable, "was asleep")
	case code != 0:
		f.fail(w, code, "this is what the test wants")
	case r.Method == http.MethodPatch && prefix != "" && rest == "provisioningtenants/contoso/status":
		f.patch(w, r)
	case r.Method == http.MethodGet && resource == "namespaces":
		f.mu.Lock()
		defer f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(f.objects[namespacePath])
	case r.Method != http.MethodGet || !known || rest != resource || !named || name == "":
		f.t.Errorf("a server's Role does not allow %s %s", r.Method, r.URL)
		f.fail(w, http.StatusForbidden, "only objects by name")
	case query.Get("watch") != "":
		f.watch(w, r, resource+"/"+name, query.Get("resourceVersion"))
	default:
		f.list(w, resource, resource+"/"+name)
	}
}

func (f *fakeAPI) fail(w http.ResponseWriter, code int, message string) {
	reason := map[int]metav1.StatusReason{401: metav1.StatusReasonUnauthorized, 403: metav1.StatusReasonForbidden, 410: metav1.StatusReasonExpired, 422: metav1.StatusReasonInvalid}[code]
	body, _ := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func (f *fakeAPI) list(w http.ResponseWriter, resource, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists[path]++
	version, kind := "provisioning.tenantry.dev/v1alpha1", map[string]string{
		"provisioningtenants": "ProvisioningTenantList", "userdefaults": "UserDefaultsList", "secrets": "SecretList",
	}[resource]
	if resource == "secrets" {
		version = "v1"
	}
	items := []json.RawMessage{}
	if object := f.objects[path]; object != nil {
		items = append(items, object)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": version, "kind": kind, "metadata": map[string]string{"resourceVersion": strconv.Itoa(f.version)}, "items": items,
	})
}

func (f *fakeAPI) watch(w http.ResponseWriter, r *http.Request, path, from string) {
	sent, err := strconv.Atoi(from)
	if err != nil {
		f.t.Errorf("watch of %s from version %q", path, from)
	}
	f.mu.Lock()
	closing, oldest := f.closing, f.oldest
	f.open[path]++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[path]--; f.open[path] == 0 {
			delete(f.open, path)
		}
	}()
	w.Header().Set("Content-Type", "application/json")
	if sent < oldest {
		_, _ = io.WriteString(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}}`)
		return
	}
	for {
		f.mu.Lock()
		changed, pending := f.changed, slices.Clone(f.history)
		f.mu.Unlock()
		for _, c := range pending {
			if c.version > sent && c.object == path {
				// In two pieces, because a reader must not take a chunk for an event.
				event := fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", c.kind, c.body)
				_, _ = io.WriteString(w, event[:len(event)/2])
				w.(http.Flusher).Flush()
				_, _ = io.WriteString(w, event[len(event)/2:])
			}
			sent = max(sent, c.version)
		}
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-closing:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// warn has the API server say this with its answer to each patch from now on.
func (f *fakeAPI) warn(texts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.warnings = texts
}

// patch does what a JSON patch says that tests, adds and removes members of objects.
func (f *fakeAPI) patch(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Content-Type"); got != "application/json-patch+json" {
		f.t.Errorf("patch of type %s", got)
	}
	body, err := io.ReadAll(r.Body)
	var operations []operation
	if err = errors.Join(err, json.Unmarshal(body, &operations)); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var object map[string]any
	if err := json.Unmarshal(f.objects[tenantPath], &object); err != nil {
		f.t.Error(err)
	}
	if object["status"] == nil {
		object["status"] = map[string]any{} // by default
	}
	for _, o := range operations {
		names := strings.Split(o.Path, "/")[1:]
		last, in := names[len(names)-1], object
		for _, name := range names[:len(names)-1] {
			in, _ = in[name].(map[string]any)
		}
		switch {
		case in == nil, o.Op != "add" && in[last] == nil, o.Op == "test" && in[last] != o.Value:
			f.fail(w, http.StatusUnprocessableEntity, "the test failed")
			return
		case o.Op == "add":
			in[last] = o.Value
		case o.Op == "remove":
			delete(in, last)
		}
	}
	f.patches = append(f.patches, string(body))
	for _, text := range f.warnings {
		w.Header().Add("Warning", `299 - "`+text+`"`)
	}
	f.version++
	object["metadata"].(map[string]any)["resourceVersion"] = strconv.Itoa(f.version)
	f.objects[tenantPath], _ = json.Marshal(object)
	f.note(tenantPath, "MODIFIED", f.objects[tenantPath])
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(f.objects[tenantPath])
}
