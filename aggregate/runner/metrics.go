package runner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"livemap/aggregate"
)

// Metrics counts what an aggregator does. Register its Collectors; one Metrics
// serves one Run.
type Metrics struct {
	orders    *prometheus.CounterVec
	verdicts  map[aggregate.Verdict]prometheus.Counter
	dead      *prometheus.CounterVec
	lost      prometheus.Counter
	restarts  prometheus.Counter
	commits   prometheus.Histogram
	watermark prometheus.Gauge
	reloads   *prometheus.CounterVec
	products  prometheus.Gauge
	stale     prometheus.Gauge
}

// NewMetrics returns unregistered metrics.
func NewMetrics() *Metrics {
	m := &Metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livemap_orders_total", Help: "Orders read, by what became of them."}, []string{"verdict"}),
		verdicts: map[aggregate.Verdict]prometheus.Counter{},
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livemap_orders_dead_total", Help: "Records kept in orders.dead, by reason."}, []string{"reason"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "livemap_orders_lost_total", Help: "Offsets of the topic orders that the log no longer held or nobody could decode."}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "livemap_aggregate_restarts_total", Help: "Times that aggregation began again from the checkpoint after a fault."}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "livemap_aggregate_commit_seconds", Help: "Duration of a transaction.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13)}),
		watermark: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "livemap_aggregate_watermark_lag_seconds", Help: "Wall clock minus watermark."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "livemap_classification_reloads_total", Help: "Versions of the classification, taken over or refused."}, []string{"result"}),
		products: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "livemap_classification_products", Help: "Products of the classification in force."}),
		stale: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "livemap_classification_stale", Help: "1 while the files of the classification cannot be used and an older version stays in force."}),
	}
	for _, v := range aggregate.Verdicts() {
		m.verdicts[v] = m.orders.WithLabelValues(v.String())
	}
	return m
}

// Collectors returns all metrics for registration.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.orders, m.dead, m.lost, m.restarts, m.commits, m.watermark, m.reloads, m.products, m.stale}
}

// count adds the orders since counted was taken, and takes it anew.
func (m *Metrics) count(now aggregate.Stats, counted *aggregate.Stats) {
	for v, counter := range m.verdicts {
		counter.Add(float64(now.Verdicts[v] - counted.Verdicts[v]))
	}
	*counted = now
}

func (m *Metrics) observe(agg *aggregate.Aggregator, now time.Time) {
	if w, ok := agg.Watermark(); ok {
		m.watermark.Set(now.Sub(w.Std()).Seconds())
	}
}
