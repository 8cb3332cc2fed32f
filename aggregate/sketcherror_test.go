package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// What the estimates of 10^5 and more shoppers may be off, of 1.
const (
	maxSketchRMS   = 0.005
	maxSketchWorst = 0.015
)

// sketchErrors returns the root mean square and the largest relative error of
// the estimate of n shoppers, over trials of different shoppers. It is the same in
// every run. Of no shoppers it returns the estimate itself.
func sketchErrors(n, trials int) (rms, worst float64) {
	for trial := range trials {
		var s sketches
		var shopper [16]byte
		binary.BigEndian.PutUint64(shopper[:], uint64(trial))
		for i := range n {
			binary.BigEndian.PutUint64(shopper[8:], uint64(i))
			s.unite([]uint32{sketchEntry(pair{hash: xxhash.Sum64(shopper[:])})})
		}
		off := math.Abs(estimateDistinct(s.row(worldID)) - float64(n))
		off /= float64(max(n, 1))
		rms += off * off
		worst = max(worst, off)
	}
	return math.Sqrt(rms / float64(trials)), worst
}

// TestEstimateDistinct measures the estimator's error over seeded sets. The
// standard error of 2^16 registers is 0.41 %.
func TestEstimateDistinct(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ shoppers, trials int }{
		{0, 1}, {1, 12}, {100, 12}, {10_000, 40}, {65_536, 40}, {100_000, 40}, {200_000, 20}, {1_000_000, 12}, {10_000_000, 4},
	} {
		t.Run(fmt.Sprint(c.shoppers), func(t *testing.T) {
			t.Parallel()
			rms, worst := sketchErrors(c.shoppers, c.trials)
			t.Logf("%8d shoppers, %d trials: rms %.3f %%, worst %.3f %%", c.shoppers, c.trials, 100*rms, 100*worst)
			if rms > maxSketchRMS || worst > maxSketchWorst {
				t.Errorf("%d shoppers: rms %.3f %%, worst %.3f %%", c.shoppers, 100*rms, 100*worst)
			}
		})
	}
}

// BenchmarkSketchError prints the error of the estimate in more trials than a test
// has time for; its own time says nothing.
func BenchmarkSketchError(b *testing.B) {
	for _, c := range []struct{ shoppers, trials int }{{100_000, 400}, {1_000_000, 100}, {10_000_000, 25}} {
		b.Run(fmt.Sprint(c.shoppers), func(b *testing.B) {
			rms, worst := 0.0, 0.0
			for b.Loop() {
				rms, worst = sketchErrors(c.shoppers, c.trials)
			}
			b.ReportMetric(100*rms, "rms_%")
			b.ReportMetric(100*worst, "worst_%")
			if rms > maxSketchRMS || worst > maxSketchWorst {
				b.Errorf("rms %.3f %%, worst %.3f %%", 100*rms, 100*worst)
			}
		})
	}
}

// BenchmarkEstimates estimates a window of ten million shoppers in 200 countries.
func BenchmarkEstimates(b *testing.B) {
	const perPane, scopes = 170_000, 201
	p, r := newPanes(windowSeconds), rand.New(rand.NewPCG(1, 1))
	for start := range second(windowSeconds) {
		pairs := make([]pair, perPane)
		for i := range pairs {
			pairs[i] = pair{hash: r.Uint64(), country: scopeID(1 + r.IntN(scopes-1))}
		}
		p.closedAt(start).sketch = sketchOf(pairs)
	}
	var s sketches
	for b.Loop() {
		s.estimates(p, windowSeconds, scopes)
	}
}
