package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"livemap/aggregate"
	"livemap/kafka"
	"livemap/orders"
)

// clock is a fake of the aggregator's watermarks.
type clock struct {
	floor orders.Time // 0: not known
	parts map[int32]orders.Time
}

func (c clock) Watermark() (orders.Time, bool) { return c.floor, c.floor != 0 }

func (c clock) PartitionWatermark(p int32) (orders.Time, bool) {
	at, ok := c.parts[p]
	return at, ok
}

// add queues n records of a partition, none of which is an order.
func add(b *backlog, i, n int, drained bool) (pause bool) {
	f := &fetched{records: kafka.Pack("orders", int32(i), make([]kafka.Record, n)...), ready: make(chan struct{})}
	w := preparer{quick: orders.NewQuick(), prepare: aggregate.NewPreparer(aggregate.Config{})}
	w.run(f)
	return b.add(i, f, int64(n), drained)
}

func TestPickTakesThePartitionFurthestBehind(t *testing.T) {
	var b backlog
	b.grow(4)
	if got := b.pick(clock{}); got != -1 {
		t.Errorf("nothing queued: picked %d", got)
	}
	add(&b, 0, 10, false)
	add(&b, 2, 10, false)
	at := clock{floor: 1000, parts: map[int32]orders.Time{0: 5000, 1: 1000, 2: 4000}}
	if got := b.pick(at); got != 2 {
		t.Errorf("picked %d, want 2: of those with records it is furthest behind", got)
	}
	add(&b, 3, 1, false)
	if got := b.pick(at); got != 3 {
		t.Errorf("picked %d, want 3: a partition that has shown no order yet holds back all", got)
	}
}

func TestPickWaitsForWhoeverHoldsTheWatermark(t *testing.T) {
	var b backlog
	add(&b, 0, 10, false)
	at := clock{floor: 1000, parts: map[int32]orders.Time{0: 1000 + maxDrift, 1: 1000}}
	if got := b.pick(at); got != 0 {
		t.Errorf("within the drift: picked %d, want 0", got)
	}
	at.parts[0]++
	if got := b.pick(at); got != -1 {
		t.Errorf("beyond the drift: picked %d, want none", got)
	}
}

func TestPickReadsAgainFirst(t *testing.T) {
	var b backlog
	add(&b, 0, 10, false)
	add(&b, 1, 10, false)
	b.parts[1].replayUntil = 10
	at := clock{floor: 1000, parts: map[int32]orders.Time{0: 2000, 1: 1000 + 2*maxDrift}}
	if got := b.pick(at); got != 1 {
		t.Errorf("picked %d, want 1: the watermark waits for what is read again", got)
	}
	b.parts[1].replayUntil = 0
	if got := b.pick(at); got != 0 {
		t.Errorf("nothing to read again: picked %d, want 0", got)
	}
}

func TestBacklogPausesAndResumes(t *testing.T) {
	var b backlog
	if add(&b, 0, maxQueued-1, false) {
		t.Error("paused below the limit")
	}
	if !add(&b, 0, 1, false) {
		t.Error("not paused at the limit")
	}
	if add(&b, 0, 1, true) {
		t.Error("paused twice")
	}
	taken, resumed := 0, 0
	for !b.caughtUp(0) {
		c, _, last, resume := b.take(0)
		taken += c.len()
		if last != (b.parts[0].chunk == 0) {
			t.Errorf("last is %t with %d answers waiting", last, len(b.parts[0].queue))
		}
		if resume {
			resumed++
			if rest := b.parts[0].waiting; rest > maxQueued/2 {
				t.Errorf("resumed with %d records waiting", rest)
			}
		}
	}
	if taken != maxQueued+1 || resumed != 1 {
		t.Errorf("took %d records and resumed %d times, want %d and 1", taken, resumed, maxQueued+1)
	}
}

// TestBacklogOfManyPartitions: together they have no more waiting than a few have.
func TestBacklogOfManyPartitions(t *testing.T) {
	for _, c := range []struct{ partitions, most int }{{1, maxQueued}, {16, maxQueued}, {64, 1024}, {4096, leastQueued}} {
		var b backlog
		b.grow(c.partitions)
		if got := b.most(); got != c.most {
			t.Errorf("%d partitions: %d records of each may wait, want %d", c.partitions, got, c.most)
		}
	}
}

// TestFlushWhenTheWatermarkIsHeld: while a backlog is read flushes are a second apart,
// but not while the watermark waits for one, which closes only so much at a time.
func TestFlushWhenTheWatermarkIsHeld(t *testing.T) {
	agg, err := aggregate.New(aggregate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := agg.SetPartitions(2); err != nil {
		t.Fatal(err)
	}
	// More than 1.5 MB of the checkpoint for each pane, of which a Flush closes 24 MiB.
	const panes, ordersOfPane, lines = 20, 100, 150
	lastFlush := time.Unix(1_800_000_000, 0)
	s := &session{agg: agg, lastFlush: lastFlush, lastFetch: lastFlush, lastFull: lastFlush}
	at := orders.TimeOf(lastFlush) - 3_600_000
	add := func(partition int32, n int, at orders.Time, lines int) {
		o := &orders.Order{ID: fmt.Sprint(n), At: at, Currency: "USD", Shopper: "a"}
		for i := range lines {
			o.Lines = append(o.Lines, orders.Line{Product: fmt.Sprintf("%s%d-%d", strings.Repeat("x", 100), n%ordersOfPane, i), Units: 1})
		}
		agg.Add(aggregate.Input{Partition: partition, Offset: int64(n), RecordTime: at, Now: at}, o)
	}
	flush := func() {
		if _, err := agg.Flush(orders.TimeOf(lastFlush)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range panes * ordersOfPane {
		add(0, n, at+orders.Time(n)*1000/ordersOfPane, lines)
	}
	flush()
	flushes := 0
	for add(1, 0, at+1000*panes, 0); agg.Held(); add(1, flushes, at+1000*panes, 0) {
		if got := s.due().Sub(lastFlush); got != flushEvery {
			t.Errorf("held: the next flush is %s after the last one, want %s", got, flushEvery)
		}
		flush()
		if flushes++; agg.Held() {
			t.Fatal("held by what was just flushed")
		}
	}
	if got := s.due().Sub(lastFlush); flushes == 0 || got != flushBehind {
		t.Errorf("after %d flushes that were waited for the next one is %s after the last one, want %s", flushes, got, flushBehind)
	}
}
