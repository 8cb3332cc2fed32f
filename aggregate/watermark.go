package aggregate

import (
	"time"

	"livemap/orders"
)

// partition is one partition of the orders topic.
type partition struct {
	highest orders.Time // highest at seen, noTime: none yet
	seen    seen

	caughtUp    bool
	hasActivity bool        // lastActive is known
	lastActive  orders.Time // wall clock
	idle        bool        // does not count for the watermark

	next        int64 // offset after the last record dealt with
	replay      int64 // where reading begins after a restart, while replayUntil > position
	replayUntil int64 // records before are being read again
	position    int64 // offset after the last record handed in
}

func (p *partition) replaying() bool { return p.position < p.replayUntil }

// watermarks follows the partitions and derives the watermark.
type watermarks struct {
	disorder orders.Time
	idle     time.Duration

	parts     []*partition
	now       orders.Time // the watermark; never goes back
	most      orders.Time // it may not pass this before the next Flush, see pace.go
	lowest    int         // the partition that determines it, -1: find it
	next      orders.Time // no other partition that counts is below this
	replaying int         // partitions being read again; the watermark waits

	allIdle   bool
	idleSince orders.Time // wall clock at which all were idle
	idleStart orders.Time // the watermark at that moment
}

func newWatermarks(disorder, idle time.Duration) *watermarks {
	return &watermarks{
		disorder: orders.Time(disorder.Milliseconds()),
		idle:     idle,
		now:      noTime,
		most:     anyTime,
		lowest:   -1,
	}
}

// grow makes sure that partitions 0 to n-1 are known.
func (w *watermarks) grow(n int) {
	for len(w.parts) < n {
		w.parts = append(w.parts, &partition{highest: noTime})
		w.lowest, w.allIdle = -1, false
	}
}

// of returns the watermark of one partition.
func (w *watermarks) of(p *partition) orders.Time {
	if p.highest == noTime {
		return noTime
	}
	return p.highest - w.disorder
}

// record notes that a partition had an order at the given event time.
func (w *watermarks) record(index int, at, wall orders.Time) {
	p := w.parts[index]
	p.lastActive, p.hasActivity = wall, true
	if p.idle {
		p.idle, w.allIdle, w.lowest = false, false, -1
	}
	if at > p.highest {
		p.highest = at
		if w.lowest == index {
			if at <= w.next { // it still is
				w.raise(w.of(p))
				return
			}
			w.lowest = -1
		}
	}
	w.advance()
}

// caughtUp notes whether a partition has more records in the log.
func (w *watermarks) caughtUp(index int, caughtUp bool, wall orders.Time) {
	p := w.parts[index]
	p.caughtUp = caughtUp
	if !p.hasActivity {
		p.lastActive, p.hasActivity = wall, true
	}
	if !caughtUp && p.idle {
		p.idle, w.allIdle, w.lowest = false, false, -1
	}
}

// tick applies the idle rule at the given wall clock.
func (w *watermarks) tick(wall orders.Time) {
	all := len(w.parts) > 0
	for _, p := range w.parts {
		silent := p.hasActivity && wall-p.lastActive >= orders.Time(w.idle.Milliseconds())
		if idle := p.caughtUp && silent && !p.replaying(); idle != p.idle {
			p.idle, w.lowest = idle, -1
		}
		all = all && p.idle
	}
	if all && !w.allIdle {
		w.idleSince, w.idleStart = wall, w.highestPartition()
	}
	w.allIdle = all
	if all && w.idleStart != noTime {
		w.raise(w.idleStart + max(wall-w.idleSince, 0))
	}
	w.advance()
}

func (w *watermarks) highestPartition() orders.Time {
	highest := noTime
	for _, p := range w.parts {
		highest = max(highest, w.of(p))
	}
	return highest
}

// advance raises the watermark to the lowest partition that counts.
func (w *watermarks) advance() {
	if w.lowest >= 0 || w.allIdle {
		return
	}
	lowest := -1
	w.next = anyTime
	for i, p := range w.parts {
		switch {
		case p.idle:
		case lowest < 0:
			lowest = i
		case p.highest < w.parts[lowest].highest:
			w.next = w.parts[lowest].highest
			lowest = i
		default:
			w.next = min(w.next, p.highest)
		}
	}
	w.lowest = lowest
	if lowest >= 0 {
		w.raise(w.of(w.parts[lowest]))
	}
}

func (w *watermarks) raise(to orders.Time) {
	if w.replaying == 0 {
		w.now = max(w.now, min(to, w.most))
	}
}

// held reports whether nothing but the pace keeps the watermark from going on.
func (w *watermarks) held() bool { return w.now >= w.most }

// pace sets the time that the watermark may not pass. The next order, or the
// next tick, makes use of it.
func (w *watermarks) pace(most orders.Time) { w.most, w.lowest = most, -1 }
