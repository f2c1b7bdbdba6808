package plugin

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/advice"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Diagnosis is what describe found, as JSON and YAML have it.
type Diagnosis struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Ready     bool      `json:"ready"`
	Findings  []Finding `json:"findings"`
}

// Finding is something a person should know of a tenant or of one of its UserDefaults.
type Finding struct {
	// UserDefaults is the name of those that it is about, "" for the tenant itself.
	UserDefaults string `json:"userDefaults,omitempty"`
	// Condition, Status, Reason and Message are the condition's own.
	Condition string `json:"condition,omitempty"`
	Status    string `json:"status,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
	// Meaning of the reason, and the Action that it asks for, as docs/troubleshooting.md has them.
	Meaning string `json:"meaning,omitempty"`
	Action  string `json:"action,omitempty"`
}

func (f Finding) title() string {
	title := "The operator"
	if f.Condition != "" {
		is := "is"
		if strings.Contains(f.Condition, " and ") {
			is = "are"
		}
		title = fmt.Sprintf("%s %s %s: %s", f.Condition, is, f.Status, f.Reason)
	}
	if f.UserDefaults != "" {
		title = "UserDefaults " + f.UserDefaults + ": " + title
	}
	return title
}

// alike has findings of several conditions that say the same in one, for people.
func alike(findings []Finding) []Finding {
	var merged []Finding
	for _, f := range findings {
		at := slices.IndexFunc(merged, func(m Finding) bool {
			return f.Condition != "" && m.UserDefaults == f.UserDefaults && m.Status == f.Status && m.Reason == f.Reason && m.Message == f.Message
		})
		if at >= 0 {
			merged[at].Condition += " and " + f.Condition
			continue
		}
		merged = append(merged, f)
	}
	return merged
}

// diagnose finds what a person should know.
func diagnose(tenant *v1alpha1.ProvisioningTenant, defaults []v1alpha1.UserDefaults) Diagnosis {
	found := Diagnosis{Namespace: tenant.Namespace, Name: tenant.Name, Findings: []Finding{}}
	for _, c := range tenant.Status.Conditions {
		found.Ready = found.Ready || c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
	}
	unseen := Finding{
		Message: "The operator has not dealt with the last change of this resource.",
		Action:  "If it stays so, see whether the operator runs and what it logs, and whether it serves this namespace (watchNamespaces).",
	}
	if isPaused(tenant) {
		unseen = Finding{
			Message: "The operator has not dealt with the last change of this resource, because the tenant is paused.",
			Action:  fmt.Sprintf("Run 'kubectl tenantry resume %s -n %s' to have it dealt with.", tenant.Name, tenant.Namespace),
		}
	}
	found.Findings = append(found.Findings, findings("", tenant.Generation, tenant.Status.ObservedGeneration, tenant.Status.Conditions, unseen)...)
	for i := range defaults {
		d := &defaults[i]
		found.Findings = append(found.Findings, findings(d.Name, d.Generation, d.Status.ObservedGeneration, d.Status.Conditions, unseen)...)
	}
	return found
}

// findings are those of one resource. The summaries say nothing that the condition behind them does not say too, so they count
// only where nothing stands behind them. Unseen is what to say of a change that the operator has not dealt with.
func findings(defaults string, generation, observed int64, conditions []metav1.Condition, unseen Finding) []Finding {
	var found, summaries []Finding
	if observed < generation {
		unseen.UserDefaults = defaults
		found = append(found, unseen)
	}
	for _, c := range conditions {
		known, _ := advice.For(c.Reason)
		f := Finding{
			UserDefaults: defaults, Condition: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message,
			Meaning: known.Meaning, Action: known.Action,
		}
		switch c.Type {
		case v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled:
			// There only where something is wrong, and then Ready says the same.
		case v1alpha1.ConditionReady:
			switch {
			case c.Status != metav1.ConditionTrue:
				summaries = append(summaries, f)
			case known.Action != "": // what the spec holds back, of which no other condition says all
				found = append(found, f)
			}
		default:
			// A condition that holds can still ask for something: a token that ends soon. Of one that nobody can know yet, and that asks for
			// nothing, there is nothing to say.
			if c.Status == metav1.ConditionFalse || known.Action != "" {
				found = append(found, f)
			}
		}
	}
	if len(found) == 0 {
		return summaries
	}
	return found
}
