package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"livemap/hub"
)

// metrics are the server's own counters.
type metrics struct {
	sheds   map[hub.CloseReason]prometheus.Counter
	skipped prometheus.Counter
	all     []prometheus.Collector
}

func newMetrics() *metrics {
	sheds := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "shed_total", Help: "Clients turned away, by reason.",
	}, []string{"reason"})
	m := &metrics{sheds: map[hub.CloseReason]prometheus.Counter{}}
	for _, r := range []hub.CloseReason{hub.CloseOverload, hub.CloseDrain} {
		m.sheds[r] = sheds.WithLabelValues(string(r))
	}
	m.skipped = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "skipped_offsets_total", Help: "Offsets of batches that could not be decoded.",
	})
	m.all = []prometheus.Collector{sheds, m.skipped}
	return m
}

func (m *metrics) shed(r hub.CloseReason) { m.sheds[r].Inc() }

// Collectors returns the metrics of the server, its hub and its connection to
// Kafka for registration.
func (s *Server) Collectors() []prometheus.Collector {
	all := append(s.hub.Collectors(), s.metrics.all...)
	if m := s.config.Kafka.Metrics; m != nil {
		all = append(all, m)
	}
	return all
}
