package runner

import (
	"testing"

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

func batch(partition int32, n int, caughtUp bool) kafka.PartitionBatch {
	return kafka.PartitionBatch{Partition: partition, Records: make([]kafka.Record, n), Next: int64(n), CaughtUp: caughtUp}
}

func TestPickTakesThePartitionFurthestBehind(t *testing.T) {
	var b backlog
	b.grow(4)
	if got := b.pick(clock{}); got != -1 {
		t.Errorf("nothing queued: picked %d", got)
	}
	b.add(batch(0, 10, false))
	b.add(batch(2, 10, false))
	at := clock{floor: 1000, parts: map[int32]orders.Time{0: 5000, 1: 1000, 2: 4000}}
	if got := b.pick(at); got != 2 {
		t.Errorf("picked %d, want 2: of those with records it is furthest behind", got)
	}
	b.add(batch(3, 1, false))
	if got := b.pick(at); got != 3 {
		t.Errorf("picked %d, want 3: a partition that has shown no order yet holds back all", got)
	}
}

func TestPickWaitsForWhoeverHoldsTheWatermark(t *testing.T) {
	var b backlog
	b.add(batch(0, 10, false))
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
	b.add(batch(0, 10, false))
	b.add(batch(1, 10, false))
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
	if b.add(batch(0, maxQueued-1, false)) {
		t.Error("paused below the limit")
	}
	if !b.add(batch(0, 1, false)) {
		t.Error("not paused at the limit")
	}
	if b.add(batch(0, 1, true)) {
		t.Error("paused twice")
	}
	taken, resumed := 0, 0
	for !b.caughtUp(0) {
		records, resume := b.take(0)
		taken += len(records)
		if resume {
			resumed++
			if rest := len(b.parts[0].queue); rest > maxQueued/2 {
				t.Errorf("resumed with %d records waiting", rest)
			}
		}
	}
	if taken != maxQueued+1 || resumed != 1 {
		t.Errorf("took %d records and resumed %d times, want %d and 1", taken, resumed, maxQueued+1)
	}
}
