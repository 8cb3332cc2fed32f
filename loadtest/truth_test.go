package loadtest

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTruthAgainstASet(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		var room atomic.Int64
		room.Store(1 << 20)
		tr, set := newTruth(&room), map[int64]bool{}
		base := random.Int64N(1 << 40)
		for range 3000 {
			o := base + random.Int64N(3*blockBits)
			if random.IntN(2) == 0 {
				o = base + random.Int64N(500)
			}
			if !tr.add(o) {
				t.Fatalf("seed %d: no room", seed)
			}
			set[o] = true
		}
		for range 300 {
			from := base + random.Int64N(3*blockBits) - 100
			to := from + random.Int64N(3*blockBits)
			if random.IntN(2) == 0 {
				from, to = base+random.Int64N(500), base+random.Int64N(500)
			}
			want := int64(0)
			for o := range set {
				if o >= from && o < to {
					want++
				}
			}
			if got := tr.count(from, to); got != want {
				t.Fatalf("seed %d: count(%d, %d) = %d, want %d", seed, from, to, got, want)
			}
		}
		if got := tr.count(0, math.MaxInt64); got != int64(len(set)) {
			t.Fatalf("seed %d: %d in all, want %d", seed, got, len(set))
		}
	}
}

func TestTruthHasAnEnd(t *testing.T) {
	var room atomic.Int64
	room.Store(blockCost + 2)
	tr := newTruth(&room)
	added := 0
	for o := int64(0); o < 10*pageBits; o += pageBits {
		if tr.add(o) {
			added++
		}
	}
	if added != 3 || room.Load() != 0 {
		t.Errorf("%d pages made, %d left; want 3 and 0", added, room.Load())
	}
	if !tr.add(1) || tr.add(maxOffset) {
		t.Error("a full truth still takes what its pages hold, and nothing else")
	}
}

func TestTruthFromManySides(t *testing.T) {
	var room atomic.Int64
	room.Store(1 << 20)
	tr := newTruth(&room)
	const sides, each = 8, 20_000
	var wg sync.WaitGroup
	for side := range sides {
		wg.Go(func() {
			for i := range int64(each) {
				tr.add(i*3 + int64(side%2)) // two sides and more set the same bit
			}
		})
	}
	wg.Wait()
	if got := tr.count(0, 3*each); got != 2*each {
		t.Errorf("%d offsets, want %d", got, 2*each)
	}
}
