package loadtest

import "math"

// maxPending bounds the spans that wait for the end of the run; beyond it a
// span is judged by what is known so far.
const maxPending = 1 << 20

// accounts are the books of one loop: they hold what its clients received
// against the ledger that all loops share. Not safe for concurrent use.
type accounts struct {
	ledger  *ledger
	counts  *Counts
	topics  map[string]*topicCache
	pending []span
}

// topicCache spares the loop the ledger's lock: a loop asks once for each
// partition and key.
type topicCache struct {
	partitions []*partitionCache // by number
}

type partitionCache struct {
	*partition
	names map[string]*key
}

func newAccounts(l *ledger, n *Counts) *accounts {
	return &accounts{ledger: l, counts: n, topics: map[string]*topicCache{}}
}

// entry is a record as far as it matters here. key is nil where none is known.
type entry struct {
	topic     []byte
	partition int64
	offset    int64
	key       []byte
}

// find returns the partition of an entry, nil when it is beyond what is kept.
func (a *accounts) find(topic []byte, number int64) *partitionCache {
	t := a.topics[string(topic)]
	if t == nil {
		if len(a.topics) >= maxPartitions {
			return nil
		}
		t = &topicCache{}
		a.topics[string(topic)] = t
	}
	if number < 0 || number >= maxPartitions {
		return nil
	}
	for int(number) >= len(t.partitions) {
		t.partitions = append(t.partitions, nil)
	}
	p := t.partitions[number]
	if p == nil {
		shared := a.ledger.partition(string(topic), number)
		if shared == nil {
			return nil
		}
		p = &partitionCache{partition: shared, names: map[string]*key{}}
		t.partitions[number] = p
	}
	return p
}

// record enters a record that a client received. cells are the client's.
func (a *accounts) record(cells *[]cell, e entry) {
	p := a.find(e.topic, e.partition)
	if p == nil || e.offset < 0 || e.offset > maxOffset {
		a.counts[Unjudged]++
		return
	}
	if !p.truth.add(e.offset) {
		p.broken.Store(true)
	}
	c := cellOf(cells, p.index)
	switch c.receive(e.offset) {
	case late:
		a.counts[Reordered]++
	case duplicate:
		a.counts[Duplicated]++
	}
	if p.state && e.key != nil {
		a.latest(c, p, e)
	}
}

// latest notes the newest record of a key.
func (a *accounts) latest(c *cell, p *partitionCache, e entry) {
	k := p.names[string(e.key)]
	if k == nil {
		if k = p.key(string(e.key)); k == nil {
			a.counts[Unjudged]++
			return
		}
		p.names[string(e.key)] = k
	}
	if grow := k.index + 1 - len(c.latest); grow > 0 {
		if a.ledger.keyRoom.Add(-int64(grow)) < 0 {
			a.ledger.keyRoom.Add(int64(grow))
			a.counts[Unjudged]++
			return
		}
		c.latest = append(c.latest, make([]uint32, grow)...)
	}
	k.saw(e.offset)
	if mark := uint32(e.offset + 1); e.offset+1 == c.next || int32(mark-c.latest[k.index]) > 0 {
		c.latest[k.index] = mark
	}
}

func cellOf(cells *[]cell, index int) *cell {
	for index >= len(*cells) {
		*cells = append(*cells, cell{})
	}
	return &(*cells)[index]
}

// gap enters an announced gap. A negative number is not known: without a
// partition it is the whole topic.
func (a *accounts) gap(cells *[]cell, topic []byte, number, from, to int64, recreated bool) {
	if number >= 0 {
		if p := a.find(topic, number); p != nil {
			a.gapOf(cells, p.partition, from, to, recreated)
		}
		return
	}
	for _, p := range a.ledger.of(topic) {
		a.gapOf(cells, p, -1, -1, recreated)
	}
}

func (a *accounts) gapOf(cells *[]cell, p *partition, from, to int64, recreated bool) {
	if recreated {
		p.broken.Store(true)
	}
	c := cellOf(cells, p.index)
	missing := from
	if c.open {
		a.file(span{partition: p, from: c.first, to: max(c.next, from), seen: c.seen})
		missing = max(c.next, from)
	}
	if from >= 0 && to > missing {
		a.file(span{partition: p, from: missing, to: to, kind: announced})
	}
	c.gap(from, to)
}

// forget enters a deleted key.
func (a *accounts) forget(topic, key []byte) {
	for _, p := range a.ledger.of(topic) {
		p.forget(key)
	}
}

// close ends the books of a client that leaves, or starts over without an id.
// A client that is there when the run ends is also asked how far behind it was.
func (a *accounts) close(cells *[]cell, atEnd bool) {
	for _, p := range a.ledger.byIndex() {
		if p.index >= len(*cells) {
			break
		}
		c := &(*cells)[p.index]
		lost := a.lostKeys(c, p)
		a.counts[Lost] += lost
		if c.open {
			a.file(span{partition: p, from: c.first, to: c.next, seen: c.seen + lost})
			if atEnd {
				a.file(span{partition: p, from: c.next, to: math.MaxInt64, kind: tail})
			}
		}
		a.ledger.keyRoom.Add(int64(len(c.latest)))
	}
	*cells = (*cells)[:0:0]
}

// lostKeys counts the keys of a state topic whose newest record is one that the
// client has passed and never received. A key with a record beyond the client's
// position is not judged: what it was owed of that key may be on its way.
func (a *accounts) lostKeys(c *cell, p *partition) int64 {
	if !p.state || p.broken.Load() || len(c.latest) == 0 {
		return 0
	}
	lost := int64(0)
	for _, k := range *p.list.Load() {
		latest := k.latest.Load()
		if latest < 0 || latest >= c.next || latest <= k.deleted.Load() {
			continue
		}
		if k.index >= len(c.latest) || c.latest[k.index] != uint32(latest+1) {
			lost++
		}
	}
	return lost
}

func (a *accounts) file(s span) {
	if len(a.pending) >= maxPending {
		s.judge(a.counts)
		return
	}
	a.pending = append(a.pending, s)
}

// judge adds up all spans. It is called once every loop has closed its books.
func (a *accounts) judge() {
	for i := range a.pending {
		a.pending[i].judge(a.counts)
	}
	a.pending = nil
}

// cut files what a client's spans hold so far and begins new ones behind it.
func (a *accounts) cut(cells []cell) {
	for _, p := range a.ledger.byIndex() {
		if p.index >= len(cells) {
			break
		}
		if c := &cells[p.index]; c.open && c.next > c.first {
			a.file(span{partition: p, from: c.first, to: c.next, seen: c.seen})
			// What comes late from before the cut was judged as lost there.
			c.first, c.floor, c.seen = c.next, min(c.floor, c.first), 0
		}
	}
}
