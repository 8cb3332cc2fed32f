package runner

import (
	"sync"

	"livemap/aggregate"
	"livemap/kafka"
	"livemap/orders"
)

// maxChunk is how many orders are added at a time; between two chunks the
// partition can change and a flush can come.
const maxChunk = 512

// fetched is what one answer holds of a partition, and what the preparers make
// of it.
type fetched struct {
	records *kafka.Packed
	chunks  []*chunk
	ready   chan struct{} // closed when chunks are complete
}

// chunk is some orders in a row, and the record after them if that is no order.
type chunk struct {
	prepared aggregate.Prepared
	first    int // of the records, which are in a row
	refused  int // the record that is no order, -1: none
	why      error
}

// len returns how many records c holds.
func (c *chunk) len() int {
	if c.refused >= 0 {
		return c.prepared.Len() + 1
	}
	return c.prepared.Len()
}

var spareChunks = sync.Pool{New: func() any { return new(chunk) }}

func newChunk(first int) *chunk {
	c := spareChunks.Get().(*chunk)
	c.prepared.Reset()
	c.first, c.refused, c.why = first, -1, nil
	return c
}

// preparers decode orders and work out what needs no state, beside the goroutine
// that aggregates. What they make does not depend on how many they are.
type preparers struct {
	jobs    chan *fetched
	workers sync.WaitGroup
}

// startPreparers starts n of them.
func startPreparers(n int, cfg aggregate.Config) *preparers {
	p := &preparers{jobs: make(chan *fetched, maxJobs)}
	for range n {
		p.workers.Add(1)
		go func() {
			defer p.workers.Done()
			w := preparer{quick: orders.NewQuick(), prepare: aggregate.NewPreparer(cfg)}
			for f := range p.jobs {
				w.run(f)
			}
		}()
	}
	return p
}

// maxJobs is how much of what was fetched waits for a preparer at most: an answer of
// as many partitions. Who hands over more waits.
const maxJobs = 256

// do hands over records of a partition. It waits while there are maxJobs others, as
// there are for a bounded time.
func (p *preparers) do(records *kafka.Packed) *fetched {
	f := &fetched{records: records, ready: make(chan struct{})}
	p.jobs <- f
	return f
}

// stop ends them.
func (p *preparers) stop() {
	close(p.jobs)
	p.workers.Wait()
}

type preparer struct {
	quick   *orders.Quick
	prepare *aggregate.Preparer
	raw     orders.Raw
}

func (w *preparer) run(f *fetched) {
	defer close(f.ready)
	c := newChunk(0)
	for i := range f.records.Len() {
		if c.prepared.Len() == maxChunk || c.refused >= 0 {
			f.chunks = append(f.chunks, c)
			c = newChunk(i)
		}
		if err := w.quick.Read(f.records.Value(i), &w.raw); err != nil {
			c.refused, c.why = i, err
			continue
		}
		w.prepare.Prepare(&c.prepared, f.records.Offset(i), f.records.At(i), &w.raw)
	}
	f.chunks = append(f.chunks, c)
}
