package protocol

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/scimserver/auth"
	"github.com/tenantry/tenantry/scimserver/share"
)

// quirkMethodCase: the method of an operation of a bulk request in lower case. Read in upper case.
const quirkMethodCase = "method-case"

// metrics are what the server counts. No label has a value that a client chooses.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	dialect  *prometheus.CounterVec
	refusals *prometheus.CounterVec
	accepted *prometheus.CounterVec

	rejected, heldBack, uncertain prometheus.Counter
}

const uncertainMetric = "scim_uncertain_changes_total"

func newMetrics(registerer prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scim_requests_total", Help: "Requests by route, method and HTTP status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scim_request_duration_seconds", Help: "Time from the arrival of a request to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"route", "method"}),
		dialect: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scim_client_dialect_total", Help: "Accommodations made for clients that do not speak RFC 7644 to the letter.",
		}, []string{"quirk"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scim_refusals_total", Help: "Requests refused because their client, or all of its role, had their share of a pool.",
		}, []string{"pool", "role"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scim_credentials_accepted_total", Help: "Requests with a good credential, by the role of its bearer, held back or not.",
		}, []string{"role"}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scim_credentials_rejected_total",
			Help: "Requests, as a client that provisions sends them, with a credential that is not good and was the tenant's or could be. " +
				"A scanner's is neither.",
		}),
		heldBack: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scim_held_back_total", Help: "Requests answered 503 because the tenant's spec holds them back.",
		}),
		uncertain: prometheus.NewCounter(prometheus.CounterOpts{
			Name: uncertainMetric, Help: "Changes that were not acknowledged, because the storage did not say that they happened and are safe.",
		}),
	}
	registerer.MustRegister(m.requests, m.duration, m.dialect, m.refusals, m.accepted, m.rejected, m.heldBack, m.uncertain)
	// Alerts ask by how much these have increased, which a series does not tell that begins with the first request.
	for _, role := range []token.Role{token.RoleProvisioner, token.RoleReader, auth.RoleUser} {
		m.accepted.WithLabelValues(string(role))
	}
	return m
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route, method).Observe(took.Seconds())
}

func (m *metrics) quirks(names []string) {
	for _, name := range names {
		m.dialect.WithLabelValues(name).Inc()
	}
}

// Refused counts a request that was refused because its client had its share of a pool.
func (s *Server) Refused(pool string, class share.Class) { s.metrics.refused(pool, class) }

func (m *metrics) refused(pool string, class share.Class) {
	m.refusals.WithLabelValues(pool, class.String()).Inc()
}
