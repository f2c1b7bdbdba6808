package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // registers its metrics
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// rendered returns the objects of one kind that the chart makes with every option.
func rendered(t *testing.T, kind string) []*unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for _, object := range render(t, cases(t)["everything"]) {
		if object.GetKind() == kind {
			found = append(found, object)
		}
	}
	if len(found) == 0 {
		t.Fatalf("the chart renders no %s", kind)
	}
	return found
}

func TestServiceMonitorsAndRulesHaveOnlyFieldsThatExist(t *testing.T) {
	for kind, into := range map[string]func() any{
		"ServiceMonitor": func() any { return &monitoringv1.ServiceMonitor{} },
		"PrometheusRule": func() any { return &monitoringv1.PrometheusRule{} },
	} {
		for _, object := range rendered(t, kind) {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into(), true); err != nil {
				t.Errorf("%s: %v", id(object), err)
			}
		}
	}
}

// TestAServiceMonitorFindsItsService follows the label selector and the port to what the chart makes.
func TestAServiceMonitorFindsItsService(t *testing.T) {
	monitor, service := rendered(t, "ServiceMonitor")[0], rendered(t, "Service")[0]
	wanted, _, _ := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
	for key, value := range wanted {
		if service.GetLabels()[key] != value {
			t.Errorf("the Service has no label %s=%s", key, value)
		}
	}
	endpoints, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	if len(endpoints) != 1 || len(ports) != 1 {
		t.Fatalf("got endpoints %v and ports %v", endpoints, ports)
	}
	endpoint, _ := endpoints[0].(map[string]any)
	port, _ := ports[0].(map[string]any)
	if endpoint["port"] != port["name"] {
		t.Errorf("the ServiceMonitor asks port %v, the Service has %v", endpoint["port"], port["name"])
	}
}

// known are the names of all metrics that the operator and the servers have.
func known(t *testing.T) []string {
	t.Helper()
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry, _ := metrics.Registry.(*prometheus.Registry)
		registry.Describe(descriptions)
		close(descriptions)
	}()
	var names []string
	quoted := regexp.MustCompile(`fqName: "([^"]+)"`)
	for description := range descriptions {
		names = append(names, quoted.FindStringSubmatch(description.String())[1])
	}
	// Our own are registered in packages that a test of another module cannot reach.
	literal := regexp.MustCompile(`(?:Name:\s+|NewDesc\(|gauge\()"((?:scim|tenantry)_[a-z_]+)"`)
	for _, folder := range []string{"scimserver", "controllers", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			for _, match := range literal.FindAllStringSubmatch(string(read(t, path)), -1) {
				names = append(names, match[1])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// checkExpression parses PromQL and sees that it asks for metrics that exist.
func checkExpression(t *testing.T, known []string, expression string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", expression, err)
		return
	}
	asked := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			asked++
			name := strings.TrimSuffix(selector.Name, "_bucket")
			if !slices.Contains(known, name) {
				t.Errorf("%s: nothing has the metric %s", expression, selector.Name)
			}
		}
		return nil
	})
	if asked == 0 {
		t.Errorf("%s asks for no metric", expression)
	}
}

func TestAlertsAskForMetricsThatExist(t *testing.T) {
	names := known(t)
	var rule monitoringv1.PrometheusRule
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rendered(t, "PrometheusRule")[0].Object, &rule); err != nil {
		t.Fatal(err)
	}
	documented := string(read(t, valuesDocument))
	for _, group := range rule.Spec.Groups {
		for _, alert := range group.Rules {
			checkExpression(t, names, alert.Expr.String())
			for _, annotation := range []string{"summary", "description"} {
				if alert.Annotations[annotation] == "" {
					t.Errorf("%s has no %s", alert.Alert, annotation)
				}
			}
			if !strings.Contains(documented, "`"+alert.Alert+"`") {
				t.Errorf("%s does not explain the alert %s", valuesDocument, alert.Alert)
			}
		}
	}
}

func TestTheDashboardAsksForMetricsThatExist(t *testing.T) {
	names := known(t)
	data, _, _ := unstructured.NestedStringMap(rendered(t, "ConfigMap")[0].Object, "data")
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(data["tenantry.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard is empty")
	}
	// Grafana puts a duration and a regular expression in the place of its variables.
	variables := strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$tenant", ".*")
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || ids[panel.ID] || len(panel.Targets) == 0 {
			t.Errorf("panel %d %q has no title, no query or an id that is taken", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			checkExpression(t, names, variables.Replace(target.Expr))
		}
	}
}
