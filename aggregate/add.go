package aggregate

import (
	"livemap/orders"
)

// Input is where an order came from.
type Input struct {
	Partition  int32
	Offset     int64
	RecordTime orders.Time // the record's Kafka timestamp
	Now        orders.Time // wall clock, for the idle rule
}

// Add takes one order. It keeps nothing of o but strings that it must show, and
// never fails: the Verdict says what became of it.
func (a *Aggregator) Add(in Input, o *orders.Order) Verdict {
	a.one.Reset()
	a.preparer.Prepare(&a.one, in.Offset, in.RecordTime, rawOf(o))
	a.AddPrepared(in.Partition, &a.one, in.Now)
	a.catchUp() // o and what was prepared of it are the caller's again
	return a.one.verdicts[0]
}

// AddPrepared takes orders of a partition one after the other, as [Aggregator.Add]
// does: however many are prepared together, the results are the same. p is in use
// until [Prepared.Busy] says otherwise.
func (a *Aggregator) AddPrepared(partition int32, p *Prepared, now orders.Time) {
	a.marks.grow(int(partition) + 1)
	part := a.marks.parts[partition]
	a.adding = p
	for i := range p.orders {
		if i%touchAhead == 0 {
			a.touch(part, p.orders[i:min(i+touchAhead, len(p.orders))])
		}
		v := a.add(partition, part, p, i, now)
		p.verdicts = append(p.verdicts, v)
		a.stats.Verdicts[v]++
	}
	a.handOver()
	a.adding = nil
}

func (a *Aggregator) add(partition int32, part *partition, p *Prepared, i int, now orders.Time) Verdict {
	o := &p.orders[i]
	if o.offset < part.replayUntil {
		// What was dealt with before a restart is in the checkpoint, unless its pane
		// was open.
		if secondOf(o.at) >= a.slide.end && a.judge(part, o) == Accepted {
			a.store(partition, part, p, i, placed{order: int32(i), again: true, country: a.country(o.country)})
		}
		a.Advance(partition, o.offset+1)
		return Replayed
	}
	v := a.judge(part, o)
	if v == Accepted {
		v = a.accept(partition, part, p, i)
	}
	if !v.Dead() {
		at := o.at
		if v == Duplicate {
			at = noTime
		}
		a.marks.record(int(partition), at, now)
		a.settle(now)
	}
	a.Advance(partition, o.offset+1)
	return v
}

// judge applies the checks in their order.
func (a *Aggregator) judge(part *partition, o *prepared) Verdict {
	if o.dead != Accepted {
		return o.dead
	}
	earliest := a.marks.now - a.lateness
	if part.seen.has(o.id, o.at, earliest) {
		return Duplicate
	}
	if o.at < earliest {
		return Late
	}
	return Accepted
}

// accept takes an order into the state and into the next shipments.
func (a *Aggregator) accept(partition int32, part *partition, p *Prepared, i int) Verdict {
	o := &p.orders[i]
	a.highest = max(a.highest, o.at)
	at := placed{order: int32(i), country: a.country(o.country)}
	if secondOf(o.at) >= a.slide.end {
		a.store(partition, part, p, i, at)
		return Accepted
	}
	part.seen.add(o.id, o.at)
	p.placed = append(p.placed, at)
	a.correctLater(partition, p, o, at.country)
	return Corrected
}

// store takes an order into its open pane, and leaves the rest to the lanes.
func (a *Aggregator) store(partition int32, part *partition, p *Prepared, i int, at placed) {
	o := &p.orders[i]
	start := secondOf(o.at)
	a.coverStart(start)
	q := a.panes.openAt(start)
	q.open.noteOffset(partition, o.offset)
	q.open.ids = append(q.open.ids, seenID{hash: o.id, offset: uint16(o.at - start.time()), partition: partition})
	q.count(o.sums, at.country)
	part.seen.add(o.id, o.at)
	at.pane = q
	p.placed = append(p.placed, at)
}

// count adds an order to the sums of its scopes.
func (q *pane) count(o sums, country scopeID) {
	q.at(worldID).sums.add(o)
	if country != worldID {
		q.at(country).sums.add(o)
	}
}

// scopesOf returns the scopes of an order: the world and its country.
func scopesOf(country scopeID) []scopeID {
	if country == worldID {
		return []scopeID{worldID}
	}
	return []scopeID{worldID, country}
}
