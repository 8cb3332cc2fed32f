package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// sketchErrors returns the root mean square and the largest relative error of
// the estimate of n shoppers, over trials of different shoppers.
func sketchErrors(n, trials int) (rms, worst float64) {
	for trial := range trials {
		var s sketches
		var shopper [16]byte
		binary.BigEndian.PutUint64(shopper[:], uint64(trial))
		for i := range n {
			binary.BigEndian.PutUint64(shopper[8:], uint64(i))
			s.note(sketchEntry(pair{hash: xxhash.Sum64(shopper[:])}))
		}
		off := math.Abs(estimateDistinct(s.rows[worldID])/float64(n) - 1)
		rms += off * off
		worst = max(worst, off)
	}
	return math.Sqrt(rms / float64(trials)), worst
}

// BenchmarkSketchError prints the error of the estimate, the same on every run; its
// time says nothing. TestEstimateDistinct holds it to its bounds.
func BenchmarkSketchError(b *testing.B) {
	for _, c := range []struct{ shoppers, trials int }{{100_000, 200}, {1_000_000, 50}, {10_000_000, 12}} {
		b.Run(fmt.Sprint(c.shoppers), func(b *testing.B) {
			rms, worst := 0.0, 0.0
			for b.Loop() {
				rms, worst = sketchErrors(c.shoppers, c.trials)
			}
			b.ReportMetric(100*rms, "rms_%")
			b.ReportMetric(100*worst, "worst_%")
		})
	}
}
