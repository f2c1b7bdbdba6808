package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

// contract is what the OpenAPI document of a tenant promises of answers. Here it promises more: no object has a member that is not described.
type contract struct {
	document map[string]any
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by their places in the document
}

// contracts are those of all documents that the tests of this package have met, by their versions.
var contracts sync.Map

// maxChecked is the size of an answer beyond which it is not held against the contract: it has more of the same.
const maxChecked = 256 << 10

// keepsContract checks that an answer is as the document of the tenant says that one to its request is.
func (f *fixture) keepsContract(request *http.Request, got answer) {
	f.t.Helper()
	current := f.snapshot
	if current == nil || len(got.body) > maxChecked || got.header.Get("Content-Encoding") != "" {
		return
	}
	document, version, err := f.server.Description(current, tenantURL)
	if err != nil {
		f.t.Fatal(err)
	}
	made, known := contracts.Load(version)
	if !known {
		made, _ = contracts.LoadOrStore(version, newContract(f.t, document))
	}
	if err := made.(*contract).check(request, got); err != nil {
		f.t.Errorf("%s %s is not answered as /openapi.json says: %v\n%d %v\n%.2000s", request.Method, request.URL, err, got.status, got.header, got.body)
	}
}

func newContract(t *testing.T, document []byte) *contract {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	confine(decoded)
	c := &contract{document: decoded.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := c.compiler.AddResource("openapi.json", decoded); err != nil {
		t.Fatal(err)
	}
	return c
}

// confine has objects take the members alone that are described.
func confine(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, described := node["properties"].(map[string]any); described && node["type"] == "object" {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			confine(child)
		}
	case []any:
		for _, child := range node {
			confine(child)
		}
	}
}

// pointer is a place in a document (RFC 6901).
func pointer(names ...string) string {
	for i := range names {
		names[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(names[i])
	}
	return "/" + strings.Join(names, "/")
}

// at returns what is at a place of the document, behind references, and the place itself.
func (c *contract) at(names ...string) (map[string]any, []string) {
	node := c.document
	for _, name := range names {
		node, _ = node[name].(map[string]any)
	}
	if ref, _ := node["$ref"].(string); ref != "" {
		return c.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return node, names
}

// template is the path of the document for a request, "" for none.
func (c *contract) template(of string) string {
	below, is := strings.CutPrefix(path.Clean(of), v1alpha1.BasePath)
	if !is {
		below = of
	}
	paths, _ := c.at("paths")
	want := strings.Split(path.Clean("/"+below), "/")
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		fits := func(have, want string) bool { return have == want || have == "{id}" }
		if slices.EqualFunc(strings.Split(template, "/"), want, fits) {
			return template
		}
	}
	return ""
}

func (c *contract) check(request *http.Request, got answer) error {
	method := strings.ToLower(request.Method)
	if request.Method == http.MethodHead {
		method = "get"
	}
	target := request.URL.Path
	if target == v1alpha1.FrontPagePath && strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		return nil // a page for people
	}
	if opaque, _, _ := strings.Cut(request.URL.Opaque, "?"); opaque != "" {
		if target, _ = url.PathUnescape(opaque); target != opaque && got.status >= 400 {
			return nil // some escapes lead nowhere
		}
	}
	template := c.template(target)
	operation, place := c.at("paths", template, method)
	switch {
	case operation == nil && (got.status >= 400 || request.Method == http.MethodOptions):
		return nil // what is not described is refused
	case operation == nil:
		return fmt.Errorf("there is no %s of %q", method, target)
	}
	place = append(slices.Clone(place), "responses", strconv.Itoa(got.status))
	response, place := c.at(place...)
	if response == nil && got.status >= 400 {
		response, place = c.at("paths", template, method, "responses", "default")
	}
	if response == nil {
		return fmt.Errorf("the status %d is not described", got.status)
	}
	headers, _ := response["headers"].(map[string]any)
	for _, name := range []string{"ETag", "Events-Position", "Location", "Preference-Applied", "Retry-After", "WWW-Authenticate"} {
		if headers[name] == nil && got.header.Get(name) != "" && place[len(place)-1] != "Failed" {
			return fmt.Errorf("the header %s is not described", name)
		}
	}
	if len(got.body) == 0 {
		return nil
	}
	media, _, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
	schema, place := c.at(append(slices.Clone(place), "content", media, "schema")...)
	if schema == nil {
		return fmt.Errorf("a body of %q is not described", media)
	}
	compiled, err := c.compile(pointer(slices.Clone(place)...))
	if err != nil {
		return err
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body))
	if err != nil {
		return err
	}
	return compiled.Validate(body)
}

func (c *contract) compile(place string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schemas[place] == nil {
		compiled, err := c.compiler.Compile("openapi.json#" + place)
		if err != nil {
			return nil, err
		}
		c.schemas[place] = compiled
	}
	return c.schemas[place], nil
}

// TestAnAnswerThatIsNotAsTheDocumentSaysIsFoundOut: the contract that all tests of this package hold answers against is no empty one.
func TestAnAnswerThatIsNotAsTheDocumentSaysIsFoundOut(t *testing.T) {
	f := withAnnaAndBuyers(t)
	document, _, err := f.server.Description(f.snapshot, tenantURL)
	if err != nil {
		t.Fatal(err)
	}
	c := newContract(t, document)
	anna, list := f.send("GET", "/Users/{anna}", ""), f.send("GET", "/Users", "")
	with := func(a answer, change func(map[string]any)) answer {
		var body map[string]any
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatal(err)
		}
		change(body)
		a.body, _ = json.Marshal(body)
		return a
	}
	resource := func(body map[string]any) map[string]any { return body["Resources"].([]any)[0].(map[string]any) }
	for name, one := range map[string]struct {
		path string
		got  answer
	}{
		"a type":               {"/Users/1", with(anna, func(b map[string]any) { b["active"] = "True" })},
		"a member":             {"/Users/1", with(anna, func(b map[string]any) { b["favouriteColour"] = "red" })},
		"a member of meta":     {"/Users/1", with(anna, func(b map[string]any) { b["meta"].(map[string]any)["etag"] = "3" })},
		"no id":                {"/Users/1", with(anna, func(b map[string]any) { delete(b, "id") })},
		"a status":             {"/Users/1", answer{202, anna.header, anna.body}},
		"a header":             {"/Users", answer{200, anna.header, list.body}},
		"a media type":         {"/Users", answer{200, http.Header{"Content-Type": {"text/html"}}, list.body}},
		"an endpoint":          {"/Devices", list},
		"a type in a list":     {"/Users", with(list, func(b map[string]any) { resource(b)["userName"] = 7 })},
		"the schema of a list": {"/Users", with(list, func(b map[string]any) { b["schemas"] = []string{"urn:example"} })},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.http.URL+v1alpha1.BasePath+one.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.check(request, one.got); err == nil {
			t.Errorf("%s: it is taken for what the document says", name)
		}
	}
}
