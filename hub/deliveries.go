package hub

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// waitBounds are the upper bounds of the buckets in which waits are counted, in
// seconds: from what a few clients take to what nobody should wait for.
var waitBounds = [...]float64{
	.00005, .0001, .0002, .0003, .0004, .0005, .0006, .0007, .0008, .0009, .001, .0012, .0015, .002, .003, .005,
	.01, .02, .05, .1, .2, .5, 1, 2, 5,
}

// waits counts clients by how long they waited for what they were sent. The last
// count is of those beyond all bounds.
type waits struct {
	counts  [len(waitBounds) + 1]uint64
	clients uint64
	seconds float64 // of all clients together
}

// add counts n clients that waited for d.
func (w *waits) add(d time.Duration, n int) {
	seconds, i := d.Seconds(), 0
	for i < len(waitBounds) && seconds > waitBounds[i] {
		i++
	}
	w.counts[i] += uint64(n)
	w.clients += uint64(n)
	w.seconds += seconds * float64(n)
}

// deliveries is the histogram of all waits. That of the Prometheus client takes
// them one by one, which a shard that sends to many with one call cannot
// afford. Its methods may be called concurrently.
type deliveries struct {
	desc *prometheus.Desc

	mu  sync.Mutex
	all waits
}

func newDeliveries() *deliveries {
	return &deliveries{desc: prometheus.NewDesc("livemap_hub_delivery_seconds",
		"Time from the arrival of records in the hub until a client of a shard that waited for them was sent them, or as much as its socket took.", nil, nil)}
}

// take adds what a shard has counted, and makes that zero.
func (d *deliveries) take(w *waits) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, n := range w.counts {
		d.all.counts[i] += n
	}
	d.all.clients += w.clients
	d.all.seconds += w.seconds
	*w = waits{}
}

// Describe implements [prometheus.Collector].
func (d *deliveries) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements [prometheus.Collector].
func (d *deliveries) Collect(to chan<- prometheus.Metric) {
	d.mu.Lock()
	all := d.all
	d.mu.Unlock()
	buckets, below := make(map[float64]uint64, len(waitBounds)), uint64(0)
	for i, bound := range waitBounds {
		below += all.counts[i]
		buckets[bound] = below
	}
	to <- prometheus.MustNewConstHistogram(d.desc, all.clients, all.seconds, buckets)
}
