package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/advice"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

// Diagnosis is what describe found of a tenant, as JSON and YAML have it.
type Diagnosis struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Class whose values the tenant has, "" for none.
	Class    string    `json:"class,omitempty"`
	Ready    bool      `json:"ready"`
	Findings []Finding `json:"findings"`
}

// Finding is something a person should know of a tenant or of one of its UserDefaults.
type Finding struct {
	// UserDefaults is the name of those that it is about, "" for the resource itself that was asked about.
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

// told are findings that say the same, as people read them.
type told struct {
	Finding
	// conditions are those that have the reason, and messages what they say, each once.
	conditions, messages []string
}

func (t told) title() string {
	title := "The operator"
	if last := len(t.conditions) - 1; t.Condition != "" {
		title = fmt.Sprintf("%s is %s: %s", t.Condition, t.Status, t.Reason)
		if last > 0 {
			title = fmt.Sprintf("%s and %s are %s: %s", strings.Join(t.conditions[:last], ", "), t.conditions[last], t.Status, t.Reason)
		}
	}
	if t.UserDefaults != "" {
		title = "UserDefaults " + t.UserDefaults + ": " + title
	}
	return title
}

// alike has findings of several conditions with one reason in one, for people.
func alike(findings []Finding) []told {
	var merged []told
	for _, f := range findings {
		at := slices.IndexFunc(merged, func(m told) bool {
			return f.Condition != "" && m.UserDefaults == f.UserDefaults && m.Status == f.Status && m.Reason == f.Reason && m.Action == f.Action
		})
		if at < 0 {
			at = len(merged)
			merged = append(merged, told{Finding: f})
		}
		m := &merged[at]
		m.conditions = append(m.conditions, f.Condition)
		// The message says of this resource what the reason means for all.
		if says := cmp.Or(f.Message, f.Meaning); says != "" && !slices.Contains(m.messages, says) {
			m.messages = append(m.messages, says)
		}
	}
	return merged
}

// diagnose finds what a person should know.
func diagnose(tenant *v1alpha1.ProvisioningTenant, defaults []v1alpha1.UserDefaults) Diagnosis {
	found := Diagnosis{
		Namespace: tenant.Namespace, Name: tenant.Name, Class: classInEffect(tenant), Findings: []Finding{},
		Ready: meta.IsStatusConditionTrue(tenant.Status.Conditions, v1alpha1.ConditionReady),
	}
	unseen := notDealtWith()
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
	found.Findings = slices.DeleteFunc(slices.Clone(found.Findings), func(f Finding) bool {
		return f.UserDefaults == "" && tellsOfDefaults(metav1.Condition{Type: f.Condition, Reason: f.Reason}, found.Findings)
	})
	return found
}

// notDealtWith is what there is to say where the operator has not seen a change.
func notDealtWith() Finding {
	return Finding{
		Message: "The operator has not dealt with the last change of this resource.",
		Action:  "If it stays so, see whether the operator runs and what it logs, and whether it serves this namespace (watchNamespaces).",
	}
}

// tellsOfDefaults tells whether a condition of a tenant only sums up what findings of its UserDefaults say.
func tellsOfDefaults(c metav1.Condition, findings []Finding) bool {
	return c.Type == v1alpha1.ConditionUserDefaultsInEffect && c.Reason == v1alpha1.ReasonUserDefaultsRefused &&
		slices.ContainsFunc(findings, func(f Finding) bool { return f.UserDefaults != "" && f.Condition == v1alpha1.ConditionAccepted })
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
	return first(slices.DeleteFunc(slices.Clone(found), func(f Finding) bool { return f.repeats(found) }))
}

// repeats tells of a condition that only follows from another one, which is False for the same reason and says what to do: it is not known therefore,
// or it is condition Applied of UserDefaults that are not accepted.
func (f Finding) repeats(found []Finding) bool {
	return slices.ContainsFunc(found, func(other Finding) bool {
		if other.Status != string(metav1.ConditionFalse) || other.Reason != f.Reason {
			return false
		}
		return f.Status == string(metav1.ConditionUnknown) || f.Condition == v1alpha1.ConditionApplied && other.Condition == v1alpha1.ConditionAccepted
	})
}

// first has the server that makes its way say that another condition asks for something: it may not come up before that was done.
func first(found []Finding) []Finding {
	at := slices.IndexFunc(found, func(f Finding) bool {
		switch f.Condition {
		case v1alpha1.ConditionAccepted, v1alpha1.ConditionCredentialsReady, v1alpha1.ConditionStorageReady:
			return f.Status == string(metav1.ConditionFalse) && f.Reason != v1alpha1.ReasonProgressing
		default:
			return false
		}
	})
	if at < 0 {
		return found
	}
	for i := range found {
		f := &found[i]
		if f.Reason == v1alpha1.ReasonProgressing && (f.Condition == v1alpha1.ConditionServerAvailable || f.Condition == v1alpha1.ConditionRolledOut) {
			f.Action = "Do first what " + found[at].Condition + " asks for."
		}
	}
	return found
}
