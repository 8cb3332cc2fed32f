package kafka

import "github.com/prometheus/client_golang/prometheus"

// skipReason says why a batch was stepped over.
type skipReason string

const (
	skipCorrupt     skipReason = "corrupt"     // checksum, length or format
	skipCompression skipReason = "compression" // unknown codec, damaged or unfolding beyond bounds
)

// txnOutcome says how a transaction ended.
type txnOutcome string

const (
	txnCommitted   txnOutcome = "committed"
	txnAborted     txnOutcome = "aborted"
	txnFenced      txnOutcome = "fenced"
	txnUnconfirmed txnOutcome = "unconfirmed"
	txnFailed      txnOutcome = "failed"
)

// Metrics counts what this package reads and writes. One Metrics serves all
// readers and producers of a process; it is a [prometheus.Collector] for cmd to
// register. Label topic holds configured topics only.
type Metrics struct {
	recordsRead    *prometheus.CounterVec
	bytesRead      *prometheus.CounterVec
	batchesSkipped *prometheus.CounterVec
	offsetsLost    *prometheus.CounterVec
	fetchErrors    *prometheus.CounterVec
	historyRecords *prometheus.CounterVec
	historyBytes   *prometheus.CounterVec
	lag            *prometheus.GaugeVec
	recordsWritten *prometheus.CounterVec
	writeErrors    *prometheus.CounterVec
	transactions   *prometheus.CounterVec
}

// NewMetrics returns metrics at zero, registered nowhere.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "livemap", Subsystem: "kafka", Name: name, Help: help,
		}, labels)
	}
	return &Metrics{
		recordsRead:    counter("records_read_total", "Records read, without transaction markers.", "topic"),
		bytesRead:      counter("bytes_read_total", "Bytes of record batches read, compressed.", "topic"),
		batchesSkipped: counter("batches_skipped_total", "Batches stepped over because they cannot be decoded.", "topic", "reason"),
		offsetsLost:    counter("offsets_lost_total", "Offsets that the log no longer held when they were asked for.", "topic"),
		fetchErrors:    counter("fetch_errors_total", "Fetches that a broker refused or did not answer.", "topic"),
		historyRecords: counter("history_records_total", "Records of the past read for those who come back late.", "topic"),
		historyBytes:   counter("history_bytes_total", "Bytes of record batches of the past read, compressed.", "topic"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "livemap", Subsystem: "kafka", Name: "lag_offsets",
			Help: "High watermark less the position, at the last fetch.",
		}, []string{"topic", "partition"}),
		recordsWritten: counter("records_written_total", "Records acknowledged by a broker.", "topic"),
		writeErrors:    counter("write_errors_total", "Records that were not written.", "topic"),
		transactions:   counter("transactions_total", "Transactions ended, by outcome.", "outcome"),
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.recordsRead, m.bytesRead, m.batchesSkipped, m.offsetsLost, m.fetchErrors, m.historyRecords, m.historyBytes,
		m.lag, m.recordsWritten, m.writeErrors, m.transactions,
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
