package clustertest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers"
)

// lines are those of a log that match.
func lines(log, expression string) []string {
	var found []string
	matches := regexp.MustCompile(expression)
	for line := range strings.Lines(log) {
		if matches.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

func TestWhatAPersonWroteWrongIsNoErrorInTheLogAndStandsOnceInALine(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	log := &buffer{}
	f.log = log
	create(f.world, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "taken-scim"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}},
	})
	taken := f.add("taken")
	without := f.add("without")
	edit(f.world, without, func(p *v1alpha1.ProvisioningTenant) { p.Spec.Exposure.Type = v1alpha1.ExposureGateway })
	refused := f.add("refused")
	edit(f.world, refused, func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Server.Template.Spec.NodeSelector = map[string]string{"not a label": ""}
	})
	create(f.world, f.defaults("nobody", func(d *v1alpha1.UserDefaults) {
		d.Spec.TenantRef.Name = "taken"
		d.Spec.Companies = []string{"Nobody AB"}
	}))
	f.run("scimserver:v1", func(o *controllers.Options) { o.BaseDomain = "" })
	f.until(taken, "Ready=False/NameConflict", "Stalled=True/NameConflict")
	f.until(without, "Ready=False/GatewayMissing", "Stalled=True/GatewayMissing")
	f.until(refused, "Ready=False/Rejected", "Stalled=True/Rejected")
	f.becomeAvailable("tenant-0")
	f.until(f.named("tenant-0"), ready)
	f.stop()

	for _, line := range lines(log.String(), "level=ERROR") {
		if !strings.Contains(line, context.Canceled.Error()) { // a request that the end of the operator interrupted
			t.Errorf("it is an ERROR that %s", line)
		}
	}
	for _, line := range lines(log.String(), "Reconcile (successful|done)") {
		if strings.Count(line, f.namespace) != 1 {
			t.Errorf("the namespace does not stand once in %s", line)
		}
	}
	if found := lines(log.String(), `level=INFO.*Starting`); len(found) > 5 {
		t.Errorf("a start is told in %d lines:\n%s", len(found), strings.Join(found, ""))
	}
}

func TestAHealthyNewTenantIsWarnedOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defaults := create(w, w.defaults("everybody")) // before its tenant, as kubectl may do
	tenant := create(w, w.tenant())
	w.until(tenant, ready, "EntraTenantVerified=True/Verified")
	w.untilDefaults(defaults, "Accepted=True/Accepted")
	w.settled()
	w.eventually("the events arrive", func() string {
		var list eventsv1.EventList
		if err := w.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
			return err.Error()
		}
		arrived := false
		for _, event := range list.Items {
			if event.Type == corev1.EventTypeWarning {
				t.Errorf("%s %s is warned of: %s", event.Regarding.Kind, event.Reason, event.Note)
			}
			arrived = arrived || event.Reason == "Ready"
		}
		if !arrived {
			return fmt.Sprintf("%d so far", len(list.Items))
		}
		return ""
	})
}
