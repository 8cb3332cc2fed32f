package runner

import (
	"livemap/kafka"
	"livemap/orders"
)

// Limits of what is fetched and not yet aggregated.
const (
	// maxQueued is how many records of one partition wait before its fetching
	// pauses; it resumes at half of that.
	maxQueued = 20_000
	// maxStep is how many records are taken from one partition at a time.
	maxStep = 512
	// maxDrift is how far one partition's watermark may run ahead of the lowest
	// that counts, when the lowest has nothing to offer. What runs ahead stays in
	// open panes, so this bounds their memory. It must exceed the 60 s by which an
	// order may be ahead of its Kafka timestamp: otherwise one wrong clock would
	// hold up the other shops of its partition.
	maxDrift = orders.Time(90_000)
)

// backlog holds what was fetched, by partition, and decides which partition's
// records come next. Taking them from the partition that is furthest behind in
// event time, as a merge would, keeps the number of open panes small however
// unevenly the partitions are fetched; first come, first served would let one
// partition run a year ahead while the others wait for their first fetch.
type backlog struct {
	parts []partition
}

type partition struct {
	queue   []kafka.Record // fetched, not yet aggregated; a window on the fetched batches
	next    int64          // offset after everything fetched, markers included
	drained bool           // the log had nothing more at the last fetch
	paused  bool
	// replayUntil is the offset up to which records are read again after a
	// restart. The watermark waits for all of them.
	replayUntil int64
}

// replaying reports whether what p offers next is being read again.
func (p *partition) replaying() bool { return len(p.queue) > 0 && p.queue[0].Offset < p.replayUntil }

// grow makes room for n partitions.
func (b *backlog) grow(n int) {
	for len(b.parts) < n {
		b.parts = append(b.parts, partition{})
	}
}

// add queues a fetched batch and reports whether fetching of its partition
// should pause.
func (b *backlog) add(batch kafka.PartitionBatch) (pause bool) {
	b.grow(int(batch.Partition) + 1)
	p := &b.parts[batch.Partition]
	if len(p.queue) == 0 {
		p.queue = batch.Records
	} else {
		p.queue = append(p.queue, batch.Records...)
	}
	p.next, p.drained = batch.Next, batch.CaughtUp
	if len(p.queue) >= maxQueued && !p.paused {
		p.paused = true
		return true
	}
	return false
}

// caughtUp reports whether partition i has nothing waiting, here or in the log.
func (b *backlog) caughtUp(i int) bool {
	return len(b.parts[i].queue) == 0 && b.parts[i].drained
}

// marks tells how far partitions have come; [aggregate.Aggregator] is one.
type marks interface {
	Watermark() (at orders.Time, ok bool)
	PartitionWatermark(partition int32) (at orders.Time, ok bool)
}

// pick returns the partition whose records come next, or -1 if none may be
// taken now. What is read again after a restart comes first, however far ahead
// it is: the watermark stands still until all of it is there, so that waiting
// for the watermark would be waiting for ever.
func (b *backlog) pick(m marks) int {
	best, bestAt := -1, orders.Time(0)
	for i := range b.parts {
		if len(b.parts[i].queue) == 0 {
			continue
		}
		if b.parts[i].replaying() {
			return i
		}
		at, ok := m.PartitionWatermark(int32(i))
		if !ok {
			return i // it holds the watermark back
		}
		if best < 0 || at < bestAt {
			best, bestAt = i, at
		}
	}
	if floor, ok := m.Watermark(); best >= 0 && ok && bestAt > floor+maxDrift {
		return -1
	}
	return best
}

// take returns up to maxStep records of partition i and reports whether its
// fetching should resume.
func (b *backlog) take(i int) (records []kafka.Record, resume bool) {
	p := &b.parts[i]
	n := min(len(p.queue), maxStep)
	records, p.queue = p.queue[:n], p.queue[n:]
	if p.paused && len(p.queue) <= maxQueued/2 {
		p.paused = false
		return records, true
	}
	return records, false
}
