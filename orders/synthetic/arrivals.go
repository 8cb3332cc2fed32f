package synthetic

import (
	"container/heap"
	"math/rand/v2"

	"livemap/orders"
)

// maxPending bounds the orders that are on their way. It suffices for the
// default shares at two million orders a second; beyond it orders arrive at
// once, on time.
const maxPending = 1 << 18

// arrivals holds back orders that arrive after their event time.
type arrivals struct {
	random  *rand.Rand
	share   Arrivals
	pending pendingHeap
	serial  uint64
}

func newArrivals(r *rand.Rand, share Arrivals) *arrivals {
	return &arrivals{random: r, share: share}
}

// delay decides how an order arrives. It returns true if it has put it aside;
// otherwise the order arrives at its event time, and perhaps once more later.
func (a *arrivals) delay(o *orders.Order) bool {
	x := a.random.Float64()
	if x < a.share.Disorder {
		return a.hold(o, 1, 2000)
	}
	if x -= a.share.Disorder; x < a.share.Late {
		return a.hold(o, 5000, 50_000)
	}
	if x -= a.share.Late; x < a.share.Beyond {
		return a.hold(o, 65_000, 120_000)
	}
	if x -= a.share.Beyond; x < a.share.Duplicate {
		a.hold(o, 1, 1500)
	}
	return false
}

// hold puts a copy of o aside for at least `from` and less than `to` milliseconds.
func (a *arrivals) hold(o *orders.Order, from, to int64) bool {
	if len(a.pending) >= maxPending {
		return false
	}
	a.serial++
	p := pending{arrive: o.At + orders.Time(from+a.random.Int64N(to-from)), serial: a.serial}
	copyOrder(&p.order, o)
	heap.Push(&a.pending, p)
	return true
}

// due fills o with the order that arrives first, if that is not after now.
func (a *arrivals) due(now orders.Time, o *orders.Order) (arrive orders.Time, ok bool) {
	if len(a.pending) == 0 || a.pending[0].arrive > now {
		return 0, false
	}
	p := heap.Pop(&a.pending).(pending)
	copyOrder(o, &p.order)
	return p.arrive, true
}

type pending struct {
	arrive orders.Time
	serial uint64 // makes the order of equal times definite
	order  orders.Order
}

// pendingHeap is a heap.Interface, the first to arrive on top.
type pendingHeap []pending

func (h pendingHeap) Len() int { return len(h) }
func (h pendingHeap) Less(i, j int) bool {
	if h[i].arrive != h[j].arrive {
		return h[i].arrive < h[j].arrive
	}
	return h[i].serial < h[j].serial
}
func (h pendingHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *pendingHeap) Push(x any)   { *h = append(*h, x.(pending)) }

func (h *pendingHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = pending{}
	*h = old[:len(old)-1]
	return last
}
