package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // registers its metrics
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"
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

const alertsDocument = root + "/docs/alerts.md"

// ruleOf is the PrometheusRule that the chart makes.
func ruleOf(t *testing.T, values map[string]any) monitoringv1.PrometheusRule {
	t.Helper()
	for _, object := range render(t, values) {
		if object.GetKind() == "PrometheusRule" {
			var rule monitoringv1.PrometheusRule
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &rule, true); err != nil {
				t.Fatal(err)
			}
			return rule
		}
	}
	t.Fatal("there is no PrometheusRule")
	return monitoringv1.PrometheusRule{}
}

// alertsOf are all alerts of a rule by name.
func alertsOf(rule monitoringv1.PrometheusRule) map[string]monitoringv1.Rule {
	found := map[string]monitoringv1.Rule{}
	for _, group := range rule.Spec.Groups {
		for _, alert := range group.Rules {
			found[alert.Alert] = alert
		}
	}
	return found
}

// asTested are the alerts that test/chart/alerts runs.
func asTested(t *testing.T) map[string]monitoringv1.Rule {
	t.Helper()
	var rule monitoringv1.PrometheusRule
	if err := yaml.UnmarshalStrict(read(t, chartPath+"/files/alerts.yaml"), &rule.Spec); err != nil {
		t.Fatal(err)
	}
	return alertsOf(rule)
}

const withRules = "metrics: {prometheusRule: {enabled: true}}"

func TestAlertsAskForMetricsThatExist(t *testing.T) {
	names := known(t)
	for _, alert := range alertsOf(ruleOf(t, cases(t)["everything"])) {
		checkExpression(t, names, alert.Expr.StrVal)
	}
}

// TestAlertsAreThoseThatAreTestedAndExplained where the values say nothing of them.
func TestAlertsAreThoseThatAreTestedAndExplained(t *testing.T) {
	tested, document := asTested(t), string(read(t, alertsDocument))
	for name, alert := range alertsOf(ruleOf(t, valuesOf(t, withRules))) {
		if runbook := alert.Annotations["runbook_url"]; !strings.HasSuffix(runbook, "/docs/alerts.md#"+strings.ToLower(name)) {
			t.Errorf("%s has the runbook %s", name, runbook)
		}
		if !strings.Contains(document, "\n## "+name+"\n\n") {
			t.Errorf("%s does not explain the alert %s", alertsDocument, name)
		}
		for _, annotation := range []string{"summary", "description"} {
			if alert.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", name, annotation)
			}
		}
		delete(alert.Annotations, "runbook_url")
		if diff := cmp.Diff(tested[name], alert); diff != "" {
			t.Errorf("%s (- tested, + rendered):\n%s", name, diff)
		}
		delete(tested, name)
	}
	for name := range tested {
		t.Errorf("%s is not rendered", name)
	}
	if got := strings.Count(document, "\n## Tenantry"); got != len(asTested(t)) {
		t.Errorf("%s explains %d alerts, and there are %d", alertsDocument, got, len(asTested(t)))
	}
}

// TestTheValuesHaveTheThresholdsOfTheAlerts: what an expression is compared with at its end is what a value replaces.
func TestTheValuesHaveTheThresholdsOfTheAlerts(t *testing.T) {
	thresholds, _ := at(defaults(t), []string{"metrics", "prometheusRule", "thresholds"})
	all, _ := thresholds.(map[string]any)
	if len(all) == 0 {
		t.Fatal("there are no thresholds")
	}
	tested, changed := asTested(t), map[string]any{}
	for name := range all {
		changed[name] = 0.0125
	}
	values := valuesOf(t, withRules)
	values["metrics"].(map[string]any)["prometheusRule"].(map[string]any)["thresholds"] = changed //nolint:forcetypeassert // it stands above
	got := alertsOf(ruleOf(t, values))
	for name, threshold := range all {
		before, found := strings.CutSuffix(strings.TrimSuffix(tested[name].Expr.StrVal, ")"), fmt.Sprintf(" %v", threshold))
		if !found {
			t.Errorf("%s has the threshold %v in values.yaml, and the expression %s", name, threshold, tested[name].Expr.StrVal)
			continue
		}
		if expression := got[name].Expr.StrVal; !strings.HasPrefix(expression, before+" 0.0125") || len(expression) > len(before)+len(" 0.0125)") {
			t.Errorf("with another threshold %s is %s", name, expression)
		}
	}
}

// TestAlertsAreChangedAndSwitchedOffByName and labelled, each or all.
func TestAlertsAreChangedAndSwitchedOffByName(t *testing.T) {
	rule := ruleOf(t, valuesOf(t, `
metrics:
  prometheusRule:
    enabled: true
    labels: {role: alert-rules}
    alertLabels: {team: identity}
    runbookURL: https://wiki.example.com/
    thresholds: {TenantryPreviousTokenEnds: 604800, TenantryTenantsNotReady: 10000000}
    alerts:
      TenantryTenantsPaused: {enabled: false}
      TenantryNoLeader: {for: 1h30m}
      TenantryReconcilePanics: {severity: page}
`))
	if rule.Labels["role"] != "alert-rules" {
		t.Errorf("the rule has the labels %v", rule.Labels)
	}
	alerts := alertsOf(rule)
	if _, there := alerts["TenantryTenantsPaused"]; there || len(alerts) != len(asTested(t))-1 {
		t.Errorf("there are %d alerts", len(alerts))
	}
	for name, alert := range alerts {
		if alert.Labels["team"] != "identity" || alert.Labels["severity"] == "" || alert.Annotations["runbook_url"] != "https://wiki.example.com/"+strings.ToLower(name) {
			t.Errorf("%s has %v and %v", name, alert.Labels, alert.Annotations)
		}
	}
	if got := alerts["TenantryNoLeader"].For; got == nil || *got != "1h30m" {
		t.Errorf("the time is %v", got)
	}
	if got := alerts["TenantryReconcilePanics"].Labels["severity"]; got != "page" {
		t.Errorf("the severity is %s", got)
	}
	if got := alerts["TenantryPreviousTokenEnds"].Expr.StrVal; !strings.HasSuffix(got, " < 604800") {
		t.Errorf("the expression is %s", got)
	}
	if got := alerts["TenantryTenantsNotReady"].Expr.StrVal; !strings.HasSuffix(got, " > 10000000)") {
		t.Errorf("the expression is %s", got)
	}
	without := ruleOf(t, valuesOf(t, "metrics: {prometheusRule: {enabled: true, runbookURL: \"\"}}"))
	for name, alert := range alertsOf(without) {
		if url, there := alert.Annotations["runbook_url"]; there {
			t.Errorf("%s has the runbook %q", name, url)
		}
	}
}

// TestNoGroupOfRulesIsEmpty, which the Prometheus operator refuses, where all its alerts are switched off.
func TestNoGroupOfRulesIsEmpty(t *testing.T) {
	off := map[string]any{}
	for name := range asTested(t) {
		if name != "TenantryNoLeader" {
			off[name] = map[string]any{"enabled": false}
		}
	}
	groups := ruleOf(t, map[string]any{"metrics": map[string]any{"prometheusRule": map[string]any{"enabled": true, "alerts": off}}}).Spec.Groups
	if len(groups) != 1 || len(groups[0].Rules) != 1 {
		t.Errorf("got %+v", groups)
	}
}

// TestTheSchemaKnowsEveryAlert so that a typo is refused.
func TestTheSchemaKnowsEveryAlert(t *testing.T) {
	alerts := valuesSchema(t).Properties["metrics"].Properties["prometheusRule"].Properties["alerts"]
	known := slices.Collect(maps.Keys(alerts.PatternProperties))
	if diff := cmp.Diff([]string{"^(" + strings.Join(slices.Sorted(maps.Keys(asTested(t))), "|") + ")$"}, known); diff != "" {
		t.Errorf("the schema (- alerts, + schema):\n%s", diff)
	}
}

// TestServiceMonitorsTakeLabelsAndRelabelings, both, after what the chart does itself.
func TestServiceMonitorsTakeLabelsAndRelabelings(t *testing.T) {
	values := valuesOf(t, `
metrics:
  serviceMonitor:
    enabled: true
    labels: {release: prometheus}
    relabelings: [{targetLabel: cluster, replacement: west}]
    metricRelabelings: [{action: drop, sourceLabels: [__name__], regex: go_.*}]
`)
	found := 0
	for _, object := range render(t, values) {
		if object.GetKind() != "ServiceMonitor" {
			continue
		}
		found++
		var monitor monitoringv1.ServiceMonitor
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &monitor, true); err != nil {
			t.Fatal(err)
		}
		endpoint := monitor.Spec.Endpoints[0]
		relabelings := endpoint.RelabelConfigs
		if monitor.Labels["release"] != "prometheus" || len(relabelings) == 0 || relabelings[len(relabelings)-1].TargetLabel != "cluster" ||
			len(endpoint.MetricRelabelConfigs) != 1 {
			t.Errorf("%s has labels %v and endpoint %+v", id(object), monitor.Labels, endpoint)
		}
		if tenants := strings.HasSuffix(object.GetName(), "-scimserver"); tenants != (relabelings[0].TargetLabel == "tenant") {
			t.Errorf("%s has relabelings %+v", id(object), relabelings)
		}
	}
	if found != 2 {
		t.Errorf("there are %d ServiceMonitors", found)
	}
}

// TestTheDashboardIsWhereGrafanaLooks: a sidecar may look in one namespace only, and takes the folder from an annotation.
func TestTheDashboardIsWhereGrafanaLooks(t *testing.T) {
	for _, object := range render(t, valuesOf(t, "metrics: {dashboard: {enabled: true, namespace: monitoring, annotations: {grafana_folder: Tenantry}}}")) {
		if object.GetKind() == "ConfigMap" {
			if object.GetNamespace() != "monitoring" || object.GetAnnotations()["grafana_folder"] != "Tenantry" || object.GetLabels()["grafana_dashboard"] != "1" {
				t.Errorf("%s has %v and %v", id(object), object.GetLabels(), object.GetAnnotations())
			}
			return
		}
	}
	t.Error("there is no dashboard")
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
