package runner

import "livemap/orders"

// Limits of what is fetched and not yet aggregated.
const (
	// maxQueued is how many records of one partition wait before its fetching
	// pauses; it resumes at half of that. Where partitions are many it is less:
	// their part of maxWaiting, but enough for a chunk to follow another.
	maxQueued   = 4_096
	leastQueued = 2 * maxChunk
	maxWaiting  = 1 << 16
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
	parts  []partition
	paused int // partitions whose fetching pauses
}

type partition struct {
	queue   []*fetched // fetched, not yet aggregated; never without a record that waits
	chunk   int        // of the first of queue: the one that comes next
	waiting int        // records in queue
	next    int64      // offset after everything fetched, markers included
	drained bool       // the log had nothing more at the last fetch
	paused  bool
	// replayUntil is the offset up to which records are read again after a
	// restart. The watermark waits for all of them.
	replayUntil int64
}

// replaying reports whether what p offers next is being read again.
func (p *partition) replaying() bool {
	return p.replayUntil > 0 && p.waiting > 0 && p.offset() < p.replayUntil
}

// offset returns where the next record waiting stands.
func (p *partition) offset() int64 {
	f := p.queue[0]
	if p.chunk == 0 {
		return f.records.Offset(0)
	}
	<-f.ready
	return f.records.Offset(f.chunks[p.chunk].first)
}

// most is how many records of a partition wait before its fetching pauses.
func (b *backlog) most() int {
	return min(maxQueued, max(maxWaiting/len(b.parts), leastQueued))
}

// grow makes room for n partitions.
func (b *backlog) grow(n int) {
	for len(b.parts) < n {
		b.parts = append(b.parts, partition{})
	}
}

// add queues what was fetched of partition i up to the offset next, nil for no
// record, and reports whether fetching of the partition should pause.
func (b *backlog) add(i int, f *fetched, next int64, drained bool) (pause bool) {
	b.grow(i + 1)
	p := &b.parts[i]
	p.next, p.drained = next, drained
	if f != nil {
		p.queue = append(p.queue, f)
		p.waiting += f.records.Len()
	}
	if p.waiting >= b.most() && !p.paused {
		p.paused = true
		b.paused++
		return true
	}
	return false
}

// full reports whether some partition has so much waiting that its fetching
// pauses.
func (b *backlog) full() bool { return b.paused > 0 }

// caughtUp reports whether partition i has nothing waiting, here or in the log.
func (b *backlog) caughtUp(i int) bool { return b.parts[i].waiting == 0 && b.parts[i].drained }

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
		if b.parts[i].waiting == 0 {
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

// take returns the next chunk of partition i, of which something waits, the
// records it is part of, and whether it is the last of them; and whether the
// partition's fetching should resume. It waits until the chunk is prepared.
func (b *backlog) take(i int) (c *chunk, of *fetched, last, resume bool) {
	p := &b.parts[i]
	of = p.queue[0]
	<-of.ready
	c = of.chunks[p.chunk]
	p.chunk++
	p.waiting -= c.len()
	if last = p.chunk == len(of.chunks); last {
		p.queue[0] = nil
		p.queue, p.chunk = p.queue[1:], 0
	}
	if p.paused && p.waiting <= b.most()/2 {
		p.paused, resume = false, true
		b.paused--
	}
	return c, of, last, resume
}
