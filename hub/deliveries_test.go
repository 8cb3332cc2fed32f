package hub

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestDeliveries: what shards count at once is the histogram that each client
// observed by itself would make.
func TestDeliveries(t *testing.T) {
	d, want := newDeliveries(), prometheus.NewHistogram(prometheus.HistogramOpts{Name: "want", Buckets: waitBounds[:]})
	var one, other waits
	for _, group := range []struct {
		to   *waits
		wait time.Duration
		n    int
	}{{&one, 0, 3}, {&one, 50 * time.Microsecond, 1}, {&other, 51 * time.Microsecond, 256}, {&other, 7 * time.Millisecond, 16}, {&one, time.Minute, 2}} {
		group.to.add(group.wait, group.n)
		for range group.n {
			want.Observe(group.wait.Seconds())
		}
	}
	d.take(&one)
	d.take(&other)
	d.take(&other) // nothing is left to take
	r := prometheus.NewRegistry()
	r.MustRegister(d, want)
	families, err := r.Gather()
	if err != nil || len(families) != 2 {
		t.Fatal(families, err)
	}
	a, b := families[0].Metric[0].GetHistogram(), families[1].Metric[0].GetHistogram()
	if a.GetSampleCount() != b.GetSampleCount() || math.Abs(a.GetSampleSum()-b.GetSampleSum()) > 1e-9 || len(a.Bucket) != len(b.Bucket) {
		t.Fatalf("got %v, want %v", a, b)
	}
	for i := range a.Bucket {
		if a.Bucket[i].GetUpperBound() != b.Bucket[i].GetUpperBound() || a.Bucket[i].GetCumulativeCount() != b.Bucket[i].GetCumulativeCount() {
			t.Errorf("bucket %d: got %v, want %v", i, a.Bucket[i], b.Bucket[i])
		}
	}
}
