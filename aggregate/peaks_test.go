package aggregate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"

	"livemap/feed"
)

// twins returns names of n shoppers of whom each two share a register of a sketch:
// what a window holds of them is estimated at about half of what is counted.
func twins(n int) []string {
	first, names := map[uint64]string{}, []string{}
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprint("twin", i)
		register := xxhash.Sum64String(name) >> (64 - sketchBits)
		if other, ok := first[register]; ok {
			names = append(names, other, name)
			delete(first, register)
			continue
		}
		first[register] = name
	}
	return names
}

// checkPeaks compares the peaks of the last history records with the windows at
// their last revision.
func (w *written) checkPeaks(t *testing.T) {
	t.Helper()
	histories := w.histories(t)
	want, got := map[string]feed.Peaks{}, map[string]feed.Peaks{}
	for _, v := range w.windows {
		h, ok := histories[v.Scope]
		if !ok || v.WindowEnd > h.WindowEnd {
			continue
		}
		p := want[v.Scope]
		raisePeak(&p.Orders, v.Orders, v.WindowEnd)
		raisePeak(&p.Sales, v.Sales, v.WindowEnd)
		raisePeak(&p.Shoppers, v.Shoppers, v.WindowEnd)
		raisePeak(&p.DistanceM, v.DistanceM, v.WindowEnd)
		raisePeak(&p.CarbonG, v.CarbonG, v.WindowEnd)
		want[v.Scope], got[v.Scope] = p, h.Peak
	}
	if d := diff(want, got); d != "" {
		t.Errorf("peaks (-of the windows +of the record):\n%s", d)
	}
}

// TestPeaksOfEstimates plays the same orders with all flushes, with few of them, and
// with restarts. Where a window is first counted and then estimated, it may hold fewer
// shoppers than before: the peaks must be those of what it holds in the end, whenever
// it was written.
func TestPeaksOfEstimates(t *testing.T) {
	t.Parallel()
	fell, kills := 0, 0
	for seed := range seeds(t, 8) {
		s := simulateTwins(seed, 18+int(seed%6)*2)
		all, few, r := newWritten(), newWritten(), rand.New(rand.NewPCG(seed, 3))
		a, b, x := s.newAggregator(t), s.newAggregator(t), newRestarter(t, s, seed)
		for i, e := range s.events {
			before := maps.Clone(all.windows)
			_, out := s.tell(t, a, e)
			all.take(t, out)
			for id, w := range before {
				if all.windows[id].Shoppers < w.Shoppers {
					fell++
				}
			}
			if !e.flush || i >= s.tail || r.IntN(4) == 0 {
				_, out = s.tell(t, b, e)
				few.take(t, out)
			}
			_, out = s.tell(t, x.a, e)
			x.take(out)
			if e.flush && i < s.tail && x.r.IntN(4) == 0 {
				x.kill(s.events[:i+1], e.input.Now)
			}
		}
		kills += x.kills
		all.checkPeaks(t)
		for _, d := range []string{diff(all.histories(t), few.histories(t)), diff(all.histories(t), x.out.histories(t))} {
			if d != "" {
				t.Errorf("history (-every flush +few of them, or restarts):\n%s", d)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if fell < 20 || kills < 20 {
		t.Errorf("%d times a window fell from counted to estimated, %d restarts", fell, kills)
	}
	t.Logf("%d times a window fell from counted to estimated, %d restarts", fell, kills)
}
