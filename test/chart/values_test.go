package chart

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// schema is as much of JSON Schema as the tests look at.
type schema struct {
	Description          string            `json:"description"`
	Comment              string            `json:"$comment"`
	Type                 any               `json:"type"`
	Properties           map[string]schema `json:"properties"`
	AdditionalProperties json.RawMessage   `json:"additionalProperties"`
	Items                *schema           `json:"items"`
	PatternProperties    map[string]schema `json:"patternProperties"`
}

func valuesSchema(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal(read(t, chartPath+"/values.schema.json"), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func defaults(t *testing.T) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal(read(t, chartPath+"/values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// global is what Helm adds to the values of a chart that is another's dependency.
const global = "global"

// each calls visit for the schema of every value, by path.
func (s schema) each(path []string, visit func(path []string, s schema)) {
	if len(path) > 0 {
		visit(path, s)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		s.Properties[name].each(append(slices.Clone(path), name), visit)
	}
}

func at(values map[string]any, path []string) (any, bool) {
	value, ok := values[path[0]]
	if !ok || len(path) == 1 {
		return value, ok
	}
	below, isMap := value.(map[string]any)
	if !isMap {
		return nil, false
	}
	return at(below, path[1:])
}

// leaf tells whether a value is set as a whole.
func (s schema) leaf() bool {
	return len(s.Properties) == 0 || strings.Contains(string(s.AdditionalProperties), "{")
}

func TestTheSchemaKnowsEveryValueAndNoOther(t *testing.T) {
	s, values := valuesSchema(t), defaults(t)
	s.each(nil, func(path []string, s schema) {
		name := strings.Join(path, ".")
		if s.Description == "" {
			t.Errorf("%s has no description", name)
		}
		closed := func(s schema) bool {
			return s.Type != "object" || len(s.AdditionalProperties) > 0 && string(s.AdditionalProperties) != "true" || s.Comment != ""
		}
		if !closed(s) || s.Items != nil && !closed(*s.Items) {
			t.Errorf("%s takes keys that nobody knows, without a $comment that says why", name)
		}
		inOneOf := path[0] == "resources" && len(path) == 3
		if _, ok := at(values, path); !ok && path[0] != global && !inOneOf {
			t.Errorf("%s is not in values.yaml", name)
		}
	})
	if string(s.AdditionalProperties) != "false" {
		t.Error("unknown values are taken at the top")
	}
	var walk func(path []string, values map[string]any, s schema)
	walk = func(path []string, values map[string]any, s schema) {
		for name, value := range values {
			path := append(slices.Clone(path), name)
			property, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s is not in the schema", strings.Join(path, "."))
				continue
			}
			if below, isMap := value.(map[string]any); isMap && !property.leaf() {
				walk(path, below, property)
			}
		}
	}
	walk(nil, values, s)
}

func TestTheCommentsOfTheValuesAreTheirDescriptions(t *testing.T) {
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(read(t, chartPath+"/values.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, node *yamlv3.Node, s schema)
	walk = func(path string, node *yamlv3.Node, s schema) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			property := s.Properties[key.Value]
			name := path + key.Value
			if comment := strings.ReplaceAll(strings.ReplaceAll(key.HeadComment, "\n", " "), "# ", ""); comment != property.Description {
				t.Errorf("%s:\nvalues.yaml says  %s\nthe schema says   %s", name, comment, property.Description)
			}
			if !property.leaf() {
				walk(name+".", value, property)
			}
		}
	}
	walk("", document.Content[0], valuesSchema(t))
}

func TestValuesThatMakeNoSenseAreRefusedByName(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"an unknown value":               {`replica: 3`, "at '': additional properties 'replica' not allowed"},
		"an unknown value further down":  {`metrics: {serviceMonitor: {enable: true}}`, "at '/metrics/serviceMonitor': additional properties 'enable' not allowed"},
		"a number as a text":             {`replicas: "2"`, "at '/replicas': got string, want integer"},
		"a namespace that cannot be":     {`watchNamespaces: [Customers]`, "at '/watchNamespaces/0': 'Customers' does not match pattern"},
		"a namespace twice":              {`watchNamespaces: [a, a]`, "at '/watchNamespaces': items at 0 and 1 are equal"},
		"a tag in the repository":        {`image: {repository: "docker.io/tenantry/operator:dev"}`, "at '/image/repository': 'docker.io/tenantry/operator:dev' does not match pattern"},
		"a rule without hosts":           {`hosts: {allowed: [{namespaceSelector: {}}]}`, "at '/hosts/allowed/0': missing property 'hosts'"},
		"a host with a scheme":           {`hosts: {allowed: [{hosts: ["https://a.example.com"]}]}`, "at '/hosts/allowed/0/hosts/0': 'https://a.example.com' does not match pattern"},
		"a time without a unit":          {`hosts: {reservation: "24"}`, "at '/hosts/reservation': '24' does not match pattern"},
		"a memory limit in a wrong unit": {`resources: {limits: {memory: 512MB}}`, "at '/resources/limits/memory': '512MB' does not match pattern"},
		"less than nothing":              {`resources: {requests: {cpu: -1}}`, "at '/resources/requests/cpu': minimum: got -1, want 0"},
		"a pull secret without a name":   {`imagePullSecrets: [{}]`, "at '/imagePullSecrets/0': missing property 'name'"},
		"more than a pull secret":        {`imagePullSecrets: [{name: a, namespace: b}]`, "at '/imagePullSecrets/0': additional properties 'namespace' not allowed"},
		"a pull secret that cannot be":   {`imagePullSecrets: [Registry]`, "at '/imagePullSecrets/0': 'Registry' does not match pattern"},
		"a user of a tenant's pods":      {`tenantPods: {ids: 65532}`, "at '/tenantPods/ids': value must be one of 'auto', 'fixed', 'platform'"},
		"a number for a pull secret":     {`imagePullSecrets: [1]`, "at '/imagePullSecrets/0': got number, want string or object"},
		"a registry with a scheme":       {`imageRegistry: "https://registry.example.com"`, "at '/imageRegistry': 'https://registry.example.com' does not match pattern"},
		"a name that is too long":        {`fullnameOverride: ` + strings.Repeat("a", 47), "at '/fullnameOverride': maxLength: got 47, want 46"},
		"a label that is a number":       {`commonLabels: {cost-center: 4711}`, "at '/commonLabels/cost-center': got number, want string"},
		"variables by name":              {`env: {HTTPS_PROXY: "http://proxy:3128"}`, "at '/env': got object, want array"},
		"a variable without a name":      {`env: [{value: a}]`, "at '/env/0': missing property 'name'"},
		"a variable that is a number":    {`env: [{name: A, value: 1}]`, "at '/env/0/value': got number, want string"},
		"arguments in one text":          {`extraArgs: "--log-level=debug"`, "at '/extraArgs': got string, want array"},
		"an alert that is not there":     {`metrics: {prometheusRule: {alerts: {NoLeader: {enabled: false}}}}`, "at '/metrics/prometheusRule/alerts': additional properties 'NoLeader' not allowed"},
		"an alert's time without a unit": {`metrics: {prometheusRule: {alerts: {TenantryNoLeader: {for: "5"}}}}`, "at '/metrics/prometheusRule/alerts/TenantryNoLeader/for': '5' does not match"},
		"a threshold of another alert":   {`metrics: {prometheusRule: {thresholds: {TenantryNoLeader: 1}}}`, "at '/metrics/prometheusRule/thresholds': additional properties 'TenantryNoLeader' not allowed"},
		"rules without metrics":          {`metrics: {enabled: false, prometheusRule: {enabled: true}}`, "metrics.prometheusRule needs metrics.enabled"},
		"monitors without metrics":       {`metrics: {enabled: false, serviceMonitor: {enabled: true}}`, "metrics.serviceMonitor needs metrics.enabled"},
		"a dashboard without metrics":    {`metrics: {enabled: false, dashboard: {enabled: true}}`, "metrics.dashboard needs metrics.enabled"},
		"a certificate without HTTPS":    {`metrics: {secure: false, certificateSecret: operator-tls}`, "metrics.certificateSecret needs metrics.secure"},
		"a mount without a path":         {`volumeMounts: [{name: a}]`, "at '/volumeMounts/0': missing property 'mountPath'"},
		"a volume without a name":        {`volumes: [{configMap: {name: a}}]`, "at '/volumes/0': missing property 'name'"},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			if err := yaml.Unmarshal([]byte(test.values), &values); err != nil {
				t.Fatal(err)
			}
			if _, err := renderFiles(t, values); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestEveryValueChangesSomething takes each value out of the values files again: what is rendered must change.
//
// bug class 5: a field that is ignored.
func TestEveryValueChangesSomething(t *testing.T) {
	s := valuesSchema(t)
	used := map[string]bool{}
	for file, values := range cases(t) {
		with, err := renderFiles(t, values)
		if err != nil {
			t.Fatal(err)
		}
		s.each(nil, func(path []string, s schema) {
			name := strings.Join(path, ".")
			if _, set := at(values, path); !set || !s.leaf() || used[name] {
				return
			}
			without, err := renderFiles(t, remove(values, path))
			if err != nil {
				t.Fatalf("%s without %s: %v", file, name, err)
			}
			used[name] = !reflect.DeepEqual(with, without)
			if !used[name] {
				t.Errorf("%s changes nothing in %s", name, file)
			}
		})
	}
	s.each(nil, func(path []string, s schema) {
		name := strings.Join(path, ".")
		if s.leaf() && !used[name] && path[0] != global && !(path[0] == "resources" && len(path) == 3) {
			t.Errorf("no file of testdata/values sets %s", name)
		}
	})
}

// remove copies values without the one at path.
func remove(values map[string]any, path []string) map[string]any {
	copied := maps.Clone(values)
	if len(path) == 1 {
		delete(copied, path[0])
		return copied
	}
	below, _ := copied[path[0]].(map[string]any)
	copied[path[0]] = remove(below, path[1:])
	return copied
}
