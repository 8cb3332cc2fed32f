package auth

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Label values besides those of [Problem].
const (
	sourceKeys    = "keys"
	sourceJWKS    = "jwks"
	sourceRevoked = "revocations"

	resultOK     = "ok"
	resultFailed = "failed"
	resultCached = "cached"
)

type metrics struct {
	verified *prometheus.CounterVec
	ok       prometheus.Counter // verified, result ok
	cached   prometheus.Counter // verified, result cached
	reloads  *prometheus.CounterVec
	keysAt   prometheus.Gauge
	keys     prometheus.GaugeFunc
	entries  prometheus.GaugeFunc
	bytes    prometheus.GaugeFunc
}

func newMetrics(v *Verifier) *metrics {
	m := &metrics{
		verified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livemap_auth_tokens_total",
			Help: "Tokens by what came of them: ok (verified), cached (verified before), or the problem.",
		}, []string{"result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livemap_auth_reloads_total",
			Help: "Times that keys (from files), jwks or revocations were read anew, by result. After a failure the ones before stay in force.",
		}, []string{"source", "result"}),
		keysAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "livemap_auth_keys_refreshed_timestamp_seconds",
			Help: "When the keys were last read with success.",
		}),
		keys: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "livemap_auth_keys",
			Help: "Keys in force.",
		}, func() float64 { return float64(len(v.state.Load().keys.keys)) }),
		entries: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "livemap_auth_cache_entries",
			Help: "Verified tokens remembered.",
		}, func() float64 { n, _ := v.cache.size(); return float64(n) }),
		bytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "livemap_auth_cache_bytes",
			Help: "About what the verified tokens that are remembered occupy.",
		}, func() float64 { _, n := v.cache.size(); return float64(n) }),
	}
	m.ok = m.verified.WithLabelValues(resultOK)
	m.cached = m.verified.WithLabelValues(resultCached)
	for _, p := range Problems() {
		m.verified.WithLabelValues(string(p))
	}
	return m
}

// refused counts a refusal.
func (m *metrics) refused(err error) {
	var r *Refusal
	if errors.As(err, &r) {
		m.verified.WithLabelValues(string(r.Problem)).Inc()
	}
}

// Collectors returns the metrics of the verifier, to be registered once.
func (v *Verifier) Collectors() []prometheus.Collector {
	m := v.metrics
	return []prometheus.Collector{m.verified, m.reloads, m.keysAt, m.keys, m.entries, m.bytes}
}
