package hub

import "github.com/prometheus/client_golang/prometheus"

// metrics are the hub's counters. Labels are closed sets: topics, GapReason,
// CloseReason.
type metrics struct {
	records  []prometheus.Counter // by topic
	repeated prometheus.Counter
	frames   prometheus.Counter
	sent     prometheus.Counter
	bytes    prometheus.Counter
	lapped   prometheus.Counter
	planned  prometheus.Counter
	built    prometheus.Counter
	shared   prometheus.Counter
	pages    prometheus.Counter

	historyReads    prometheus.Counter
	historyFailures prometheus.Counter

	delivery *deliveries

	gaps   map[GapReason]prometheus.Counter
	closes map[CloseReason]prometheus.Counter

	collectors []prometheus.Collector
}

func newMetrics() *metrics {
	m := &metrics{gaps: map[GapReason]prometheus.Counter{}, closes: map[CloseReason]prometheus.Counter{}}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "livemap", Subsystem: "hub", Name: name, Help: help})
		m.collectors = append(m.collectors, c)
		return c
	}
	m.repeated = counter("records_repeated_total", "Records dropped because their offset had been published.")
	m.frames = counter("frames_total", "Frames encoded into rings.")
	m.sent = counter("sent_frames_total", "Frames handed to clients' sockets.")
	m.bytes = counter("sent_bytes_total", "Bytes accepted by clients' sockets.")
	m.lapped = counter("lapped_total", "Times that a ring left a client behind.")
	m.planned = counter("prefixes_planned_total", "Times that it was worked out what a prefix holds.")
	m.built = counter("prefixes_built_total", "Prefixes built.")
	m.shared = counter("prefixes_shared_total", "Times that a client was given a prefix built for another.")
	m.pages = counter("pages_built_total", "Prefixes built that are pages of the history.")
	m.historyReads = counter("history_reads_total", "Times that the history was read for clients from before the journals.")
	m.historyFailures = counter("history_failures_total", "Times that the history could not be read.")
	m.delivery = newDeliveries()
	gaps := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "hub", Name: "gaps_total", Help: "Gap events made, by reason.",
	}, []string{"reason"})
	closes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "hub", Name: "closes_total", Help: "Streams ended, by reason.",
	}, []string{"reason"})
	for _, r := range gapReasons {
		m.gaps[r] = gaps.WithLabelValues(string(r))
	}
	for _, r := range closeReasons {
		m.closes[r] = closes.WithLabelValues(string(r))
	}
	m.collectors = append(m.collectors, m.delivery, gaps, closes)
	return m
}

// observe adds what is read from the hub when asked for.
func (m *metrics) observe(h *Hub) {
	records := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "livemap", Subsystem: "hub", Name: "records_total", Help: "Records published, by topic.",
	}, []string{"topic"})
	for _, t := range h.config.Topics {
		m.records = append(m.records, records.WithLabelValues(t.Name))
	}
	m.collectors = append(m.collectors, records)
	gauge := func(name, help string, value func() float64) {
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "livemap", Subsystem: "hub", Name: name, Help: help,
		}, value))
	}
	gauge("clients", "Connected clients.", func() float64 { return float64(h.Clients()) })
	gauge("prefix_bytes", "Bytes of prefixes in use or kept for the next who joins.", func() float64 {
		return float64(h.prefixes.inUse())
	})
	gauge("history_bytes", "Bytes of the history kept for the next who comes back.", func() float64 { return float64(h.past.kept()) })
	gauge("pages_waiting", "Pages of the history that clients wait for and nobody builds yet.", func() float64 {
		return float64(h.builders.waiting())
	})
	locked := func(f func() int) func() float64 {
		return func() float64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			return float64(f())
		}
	}
	gauge("rings", "Rings: sets of topics and encodings in use.", locked(func() int { return len(h.rings) }))
	gauge("views", "Views: rings and key sets in use.", locked(func() int { return h.views }))
	gauge("ring_bytes", "Bytes of frames in all rings.", locked(func() (n int) {
		for _, r := range h.rings {
			n += r.bytes // written only by the sequencer, which holds h.mu
		}
		return n
	}))
}

func (m *metrics) gap(r GapReason) { m.gaps[r].Inc() }

// Collectors returns the hub's metrics for registration.
func (h *Hub) Collectors() []prometheus.Collector { return h.metrics.collectors }
