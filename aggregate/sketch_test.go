package aggregate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"livemap/orders"
)

func TestSketchEntryRanks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hash uint64
		rank uint32
	}{
		{1 << 47, 1}, {1<<48 - 1, 1}, {1 << 46, 2}, {1, 48}, {0, 49}, {0xffff << 48, 49},
	} {
		if got := sketchEntry(pair{hash: c.hash}) & 63; got != c.rank {
			t.Errorf("hash %#x has rank %d, want %d", c.hash, got, c.rank)
		}
	}
}

// TestSketchCompacts checks that a compacted list says the same as a long one.
func TestSketchCompacts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	var pairs []pair
	for range 3 * sketchCompact {
		pairs = append(pairs, pair{hash: r.Uint64()>>50<<50 | r.Uint64()>>20, country: scopeID(1 + r.IntN(2))})
	}
	var long, short sketches
	for _, p := range pairs {
		long.unite([]uint32{sketchEntry(p)})
	}
	compact := sketchOf(pairs)
	for _, e := range compact {
		short.unite([]uint32{e})
	}
	if len(compact) >= len(pairs) {
		t.Errorf("%d entries of %d pairs", len(compact), len(pairs))
	}
	for id := range long.rows {
		if string(long.rows[id]) != string(short.rows[id]) {
			t.Errorf("scope %d differs", id)
		}
	}
}

// TestTooManyShoppers sends more shoppers than are counted exactly, for a while:
// windows within the limit must be exact, those beyond close to the truth, and
// the table bounded.
func TestTooManyShoppers(t *testing.T) {
	t.Parallel()
	const limit = 6000 // pairs: twice as many as shoppers
	a, err := New(Config{MaxShopperPairs: limit})
	if err != nil {
		t.Fatal(err)
	}
	r, w := rand.New(rand.NewPCG(5, 5)), newWritten()
	state, seen := NewState(), map[orders.Time]map[int]bool{}
	offset, largest := int64(0), 0
	for sec := range 400 {
		perSecond := 20
		if sec >= 100 && sec < 300 {
			perSecond = 300
		}
		for range perSecond {
			at := startTime + orders.Time(sec*1000+r.IntN(1000))
			shopper := r.IntN(1 << 30)
			for end := range 60 {
				e := startTime + orders.Time((sec+1+end)*1000)
				if seen[e] == nil {
					seen[e] = map[int]bool{}
				}
				seen[e][shopper] = true
			}
			a.Add(Input{Offset: offset, RecordTime: at, Now: at}, &orders.Order{
				ID: fmt.Sprint(offset), At: at, Shopper: fmt.Sprint(shopper), Currency: "USD", To: testCities[0],
			})
			offset++
		}
		out, err := a.Flush(startTime + orders.Time(sec*1000+1000))
		if err != nil {
			t.Fatal(err)
		}
		w.take(t, out)
		for _, c := range out.Changes {
			state.Apply(c)
		}
		largest = max(largest, a.shoppers.entries())
		if sec == 250 {
			checkRestored(t, a, state)
		}
	}
	checkShoppers(t, w, seen, limit)
	if bound := 32 * 1024; largest > bound {
		t.Errorf("the shopper table grew to %d entries, want at most %d", largest, bound)
	}
}

// checkRestored compares the closed windows of an aggregator and its checkpoint.
func checkRestored(t *testing.T, a *Aggregator, state *State) {
	t.Helper()
	b, err := Restore(a.cfg, state)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range a.closed.ordered {
		v := b.closed.ordered[i]
		if v.end != w.end || v.estimated != w.estimated || v.estimated && fmt.Sprint(a.estimates(w)) != fmt.Sprint(b.estimates(v)) {
			t.Errorf("window %s differs after a restart", w.end.time())
		}
	}
	if b.shoppers.entries() > 64*1024 {
		t.Errorf("the restored shopper table has %d entries", b.shoppers.entries())
	}
}

func checkShoppers(t *testing.T, w *written, seen map[orders.Time]map[int]bool, limit int) {
	t.Helper()
	exact, estimated := 0, 0
	for id, record := range w.windows {
		truth := len(seen[record.WindowEnd])
		off := math.Abs(float64(record.Shoppers)/float64(truth) - 1)
		switch {
		case 2*truth <= limit && off != 0:
			t.Errorf("%s: %d shoppers, want exactly %d", id, record.Shoppers, truth)
		case 2*truth > limit && off > 0.03:
			t.Errorf("%s: %d shoppers, want about %d", id, record.Shoppers, truth)
		case 2*truth <= limit:
			exact++
		default:
			estimated++
		}
	}
	if exact < 200 || estimated < 200 {
		t.Errorf("%d windows were exact, %d estimated", exact, estimated)
	}
}

// TestSketchesOnDemand compares sketches that are made when the first is needed with
// sketches of every pane from the beginning: records and checkpoint must be the same
// bytes.
func TestSketchesOnDemand(t *testing.T) {
	t.Parallel()
	started, stopped := 0, 0
	for seed := range seeds(t, 40) {
		s := simulate(seed)
		s.cfg.MaxShopperPairs = 1 + int(seed%20)
		always, onDemand := s.newAggregator(t), s.newAggregator(t)
		always.panes.sketching, always.lastOver = true, -noSecond
		for i, e := range s.events {
			before := onDemand.panes.sketching
			_, want := s.tell(t, always, e)
			_, got := s.tell(t, onDemand, e)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("seed %d, event %d (-always +on demand):\n%s", seed, i, cmp.Diff(want, got))
			}
			if now := onDemand.panes.sketching; now && !before {
				started++
			} else if before && !now {
				stopped++
			}
		}
	}
	if started < 10 || stopped < 2 {
		t.Errorf("sketches were begun %d times and dropped %d times", started, stopped)
	}
}
