package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"go.yaml.in/yaml/v3"
)

const rulesFile = "../../../charts/tenantry/files/alerts.yaml"

// suite is a file of cases as promtool reads it, with what ours use of it.
type suite struct {
	Evaluation model.Duration `yaml:"evaluation_interval"`
	Tests      []struct {
		Name   string
		Scrape model.Duration `yaml:"interval"`
		Series []struct {
			Series, Values string
		} `yaml:"input_series"`
		Alerts []expectation `yaml:"alert_rule_test"`
	}
}

// expectation says which alerts of a name fire at a time after the first sample.
type expectation struct {
	At    model.Duration `yaml:"eval_time"`
	Alert string         `yaml:"alertname"`
	Want  []struct {
		Labels map[string]string `yaml:"exp_labels"`
	} `yaml:"exp_alerts"`
}

func load[T any](t *testing.T, path string) (content T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return content
}

func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	found := map[string]rulefmt.Rule{}
	for _, group := range load[rulefmt.RuleGroups](t, rulesFile).Groups {
		for _, rule := range group.Rules {
			found[rule.Alert] = rule
		}
	}
	return found
}

func suites(t *testing.T) map[string]suite {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no cases: %v", err)
	}
	found := map[string]suite{}
	for _, path := range paths {
		found[path] = load[suite](t, path)
	}
	return found
}

// TestAlertsFireAndAreSilentWhenTheyShould on the engine of Prometheus 3.
func TestAlertsFireAndAreSilentWhenTheyShould(t *testing.T) {
	rules := rules(t)
	for path, suite := range suites(t) {
		for _, test := range suite.Tests {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml")+"/"+test.Name, func(t *testing.T) {
				t.Parallel()
				var series memory
				for _, one := range test.Series {
					series = append(series, parse(t, one.Series, one.Values, time.Duration(test.Scrape)))
				}
				until := map[string]time.Duration{}
				for _, want := range test.Alerts {
					until[want.Alert] = max(until[want.Alert], time.Duration(want.At))
				}
				for name, until := range until {
					rule, ok := rules[name]
					if !ok {
						t.Fatalf("there is no alert %s", name)
					}
					firing := fire(t, rule, series, time.Duration(suite.Evaluation), until)
					for _, want := range test.Alerts {
						if want.Alert != name {
							continue
						}
						if diff := cmp.Diff(expected(want), firing[time.Duration(want.At)]); diff != "" {
							t.Errorf("%s at %s (-want +got):\n%s", name, want.At, diff)
						}
					}
				}
			})
		}
	}
}

// TestEachAlertIsSeenToFireAndToBeSilent so that no rule has cases on one side only.
func TestEachAlertIsSeenToFireAndToBeSilent(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, suite := range suites(t) {
		for _, test := range suite.Tests {
			for _, want := range test.Alerts {
				fires[want.Alert] = fires[want.Alert] || len(want.Want) > 0
				silent[want.Alert] = silent[want.Alert] || len(want.Want) == 0
			}
		}
	}
	for name := range rules(t) {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: there is a case in which it fires: %t, and one in which it is silent: %t", name, fires[name], silent[name])
		}
	}
}

// TestAnOlderPrometheusAgrees runs the same cases by promtool, which hack/promtool.sh names.
func TestAnOlderPrometheusAgrees(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		t.Fatal("set PROMTOOL to a promtool of Prometheus 2; `make test` does")
	}
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), promtool, append([]string{"test", "rules"}, paths...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func expected(want expectation) (firing []string) {
	for _, alert := range want.Want {
		firing = append(firing, labels.FromMap(alert.Labels).String())
	}
	slices.Sort(firing)
	return firing
}

// fire evaluates a rule from the first sample on, as Prometheus does, and returns the labels of the alerts that fire at each time.
func fire(t *testing.T, rule rulefmt.Rule, series memory, every, until time.Duration) map[time.Duration][]string {
	t.Helper()
	firing := map[time.Duration][]string{}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	since := map[string]time.Duration{}
	for at := time.Duration(0); at <= until; at += every {
		query, err := engine.NewInstantQuery(t.Context(), series, nil, rule.Expr, time.UnixMilli(0).Add(at))
		if err != nil {
			t.Fatal(err)
		}
		vector, err := query.Exec(t.Context()).Vector()
		if err != nil {
			t.Fatal(err)
		}
		active := map[string]time.Duration{}
		for _, sample := range vector {
			builder := labels.NewBuilder(sample.Metric).Del(labels.MetricName)
			for name, value := range rule.Labels {
				builder.Set(name, value)
			}
			alert := builder.Labels().String()
			active[alert] = at
			if began, was := since[alert]; was {
				active[alert] = began
			}
			if at-active[alert] >= time.Duration(rule.For) {
				firing[at] = append(firing[at], alert)
			}
		}
		slices.Sort(firing[at])
		since = active
		query.Close()
	}
	return firing
}

// parse reads a series in promtool's notation: values such as 0x10 3x79 for eleven zeros and eighty threes, one each scrape.
func parse(t *testing.T, series, values string, scrape time.Duration) storage.Series {
	t.Helper()
	metric, sequence, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(series + " " + values)
	if err != nil {
		t.Fatalf("%s %s: %v", series, values, err)
	}
	var samples []chunks.Sample
	for i, value := range sequence {
		if !value.Omitted {
			samples = append(samples, sample{int64(i) * scrape.Milliseconds(), value.Value})
		}
	}
	return storage.NewListSeries(metric, samples)
}
