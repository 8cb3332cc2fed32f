package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's own counters.
type metrics struct {
	sheds map[shedReason]prometheus.Counter
	// connections that were closed unread
	refusedConnections map[refusedConnection]prometheus.Counter
	sessions           prometheus.Counter
	skipped            prometheus.Counter
	all                []prometheus.Collector
}

func newMetrics() *metrics {
	sheds := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "shed_total", Help: "Clients turned away, by the limit that they met.",
	}, []string{"reason"})
	m := &metrics{sheds: map[shedReason]prometheus.Counter{}, refusedConnections: map[refusedConnection]prometheus.Counter{}}
	for _, r := range shedReasons {
		m.sheds[r] = sheds.WithLabelValues(string(r))
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "refused_connections_total", Help: "Connections closed unread, by the limit that they met.",
	}, []string{"reason"})
	for _, r := range []refusedConnection{refusedFull, refusedAddress, refusedHeader} {
		m.refusedConnections[r] = refused.WithLabelValues(string(r))
	}
	m.skipped = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "skipped_offsets_total", Help: "Offsets of batches that could not be decoded.",
	})
	m.sessions = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "server", Name: "sessions_total", Help: "Sessions given to the page.",
	})
	m.all = []prometheus.Collector{sheds, refused, m.sessions, m.skipped}
	return m
}

// Collectors returns the metrics of the server, its hub, its door and its
// connection to Kafka for registration.
func (s *Server) Collectors() []prometheus.Collector {
	all := append(s.hub.Collectors(), s.metrics.all...)
	all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "livemap", Subsystem: "server", Name: "connections", Help: "Connections at the public address that are no stream.",
	}, func() float64 { return float64(s.connections.count()) }))
	if v := s.config.Door.Verifier; v != nil {
		all = append(all, v.Collectors()...)
	}
	if m := s.config.Kafka.Metrics; m != nil {
		all = append(all, m)
	}
	return all
}
