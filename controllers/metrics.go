package controllers

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/config/crd"
)

// scrapeTimeout bounds a look at all tenants, which are in the cache.
const scrapeTimeout = 5 * time.Second

// metrics are what the operator counts beside controller-runtime's own. A nil *metrics counts nothing.
type metrics struct {
	applies, rotations *prometheus.CounterVec
	crdFields          *prometheus.GaugeVec
}

// newMetrics registers the counters, and a collector that reads the tenants of the cache when it is asked.
func newMetrics(registerer prometheus.Registerer, tenants client.Reader, log logr.Logger) (*metrics, error) {
	m := &metrics{
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantry_applies_total", Help: "Server-side applies of tenants' objects by kind and result.",
		}, []string{"kind", "result"}),
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tenantry_rotations_total", Help: "Credentials that were replaced, by what asked for it: age or request.",
		}, []string{"cause"}),
		crdFields: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tenantry_crd_missing_fields",
			Help: "Fields that a CRD of the cluster lacks because it is older than the operator, for each that lacks some.",
		}, []string{"crd"}),
	}
	for _, collector := range []prometheus.Collector{m.applies, m.rotations, m.crdFields, newTenantsCollector(tenants, log)} {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) applied(kind string, err error) {
	if m == nil {
		return
	}
	result := "success"
	if err != nil {
		result = "error"
	}
	m.applies.WithLabelValues(kind, result).Inc()
}

func (m *metrics) rotated(cause string) {
	if m != nil {
		m.rotations.WithLabelValues(cause).Inc()
	}
}

// outdated takes the place of what was told before.
func (m *metrics) outdated(all []crd.Outdated) {
	if m == nil {
		return
	}
	m.crdFields.Reset()
	for _, o := range all {
		m.crdFields.WithLabelValues(o.Name).Set(float64(len(o.Lacks)))
	}
}

// tenantsCollector tells about every tenant in the cache at the time of a scrape.
type tenantsCollector struct {
	tenants                             client.Reader
	log                                 logr.Logger
	condition, unready, token, upgrades *prometheus.Desc
}

func newTenantsCollector(tenants client.Reader, log logr.Logger) *tenantsCollector {
	return &tenantsCollector{
		tenants: tenants, log: log,
		condition: prometheus.NewDesc("tenantry_tenants",
			"Tenants by the status of each of their conditions.", []string{"condition", "status"}, nil),
		unready: prometheus.NewDesc("tenantry_tenant_unready_since_timestamp_seconds",
			"Since when a tenant is not ready, for each that is not and that the operator looks after.", []string{"namespace", "name"}, nil),
		token: prometheus.NewDesc("tenantry_secret_token_expiry_timestamp_seconds",
			"When a tenant's Secret Token ends: the current one if it is rotated by age, and the previous one while it is valid too.",
			[]string{"namespace", "name", "token"}, nil),
		upgrades: prometheus.NewDesc("tenantry_upgrades_waiting", "Tenants whose server waits for its upgrade until others are done with theirs.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *tenantsCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.condition
	descriptions <- c.unready
	descriptions <- c.token
	descriptions <- c.upgrades
}

// Collect implements prometheus.Collector.
func (c *tenantsCollector) Collect(found chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var tenants v1alpha1.ProvisioningTenantList
	// Nothing below changes them.
	if err := c.tenants.List(ctx, &tenants, client.UnsafeDisableDeepCopy); err != nil {
		c.log.Error(err, "Cannot list the tenants for the metrics")
		return
	}
	type key struct{ condition, status string }
	counts, waiting := map[key]int{}, 0
	for i := range tenants.Items {
		tenant := &tenants.Items[i]
		for _, condition := range tenant.Status.Conditions {
			counts[key{condition.Type, string(condition.Status)}]++
			if condition.Type == v1alpha1.ConditionRolledOut && condition.Reason == v1alpha1.ReasonUpgradePending {
				waiting++
			}
			if condition.Type == v1alpha1.ConditionReady && condition.Status != metav1.ConditionTrue && condition.Reason != v1alpha1.ReasonReconcileDisabled {
				since := float64(condition.LastTransitionTime.Unix())
				found <- prometheus.MustNewConstMetric(c.unready, prometheus.GaugeValue, since, tenant.Namespace, tenant.Name)
			}
		}
		credentials := tenant.Status.Credentials
		if credentials == nil {
			continue
		}
		if at := credentials.ExpiresAt; at != nil {
			found <- prometheus.MustNewConstMetric(c.token, prometheus.GaugeValue, float64(at.Unix()), tenant.Namespace, tenant.Name, "current")
		}
		if at := credentials.PreviousExpiresAt; at != nil {
			found <- prometheus.MustNewConstMetric(c.token, prometheus.GaugeValue, float64(at.Unix()), tenant.Namespace, tenant.Name, "previous")
		}
	}
	found <- prometheus.MustNewConstMetric(c.upgrades, prometheus.GaugeValue, float64(waiting))
	for k, count := range counts {
		found <- prometheus.MustNewConstMetric(c.condition, prometheus.GaugeValue, float64(count), k.condition, k.status)
	}
}
