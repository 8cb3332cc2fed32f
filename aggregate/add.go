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
	return a.one.verdicts[0]
}

// AddPrepared takes orders of a partition one after the other, as [Aggregator.Add]
// does: however many are prepared together, the results are the same.
func (a *Aggregator) AddPrepared(partition int32, p *Prepared, now orders.Time) {
	a.marks.grow(int(partition) + 1)
	part := a.marks.parts[partition]
	for i := range p.orders {
		if i%touchAhead == 0 {
			a.touch(part, p, i)
		}
		v := a.add(partition, part, p, &p.orders[i], now)
		p.verdicts = append(p.verdicts, v)
		a.stats.Verdicts[v]++
	}
}

func (a *Aggregator) add(partition int32, part *partition, p *Prepared, o *prepared, now orders.Time) Verdict {
	if o.offset < part.replayUntil {
		// What was dealt with before a restart is in the checkpoint, unless its pane
		// was open.
		if secondOf(o.at) >= a.slide.end && a.judge(part, o) == Accepted {
			e := a.entryOf(partition, p, o)
			a.store(&e, o.offset)
		}
		a.Advance(partition, o.offset+1)
		return Replayed
	}
	v := a.judge(part, o)
	if v == Accepted {
		e := a.entryOf(partition, p, o)
		v = a.accept(&e, o)
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

// entry is an order on its way into the state.
type entry struct {
	partition int32
	at        orders.Time
	start     second // its pane
	id        uint64 // hash of its id
	shopper   uint64 // hash of its shopper
	country   scopeID
	sums      sums
	lines     []entryLine
}

func (a *Aggregator) entryOf(partition int32, p *Prepared, o *prepared) entry {
	return entry{
		partition: partition, at: o.at, start: secondOf(o.at), id: o.id, shopper: o.shopper,
		country: a.country(o.country), sums: o.sums, lines: p.lines[o.firstLine:o.afterLines],
	}
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
func (a *Aggregator) accept(e *entry, o *prepared) Verdict {
	a.highest = max(a.highest, e.at)
	v, first := Accepted, noProduct
	if e.start < a.slide.end {
		v = Corrected
		a.correct(e)
	} else {
		first = a.store(e, o.offset)
	}
	a.ship(e, o, first)
	return v
}

// store takes an order into its open pane and returns the number of the product
// of its first line, if that was counted.
func (a *Aggregator) store(e *entry, offset int64) (first productID) {
	a.coverStart(e.start)
	q := a.panes.openAt(e.start)
	q.open.noteOffset(e.partition, offset)
	q.open.ids = append(q.open.ids, seenID{hash: e.id, at: e.at, partition: e.partition})
	a.fill(q, e)
	first = noProduct
	u := a.trend.units
	for i, line := range e.lines {
		at, ok := a.addUnits(e, line)
		if !ok {
			continue
		}
		if i == 0 {
			first = at.product()
		}
		u.pending += q.open.units.add(at, line.units, &u.scratch)
	}
	return first
}

// correct takes an order into a closed pane and every closed window after it.
func (a *Aggregator) correct(e *entry) {
	scopes := scopesOf(e.country)
	a.correctWindows(e.start, scopes, e.sums)
	for _, id := range scopes {
		if e.start >= a.slide.end-windowSeconds {
			a.slide.now[id].sums.add(e.sums)
		}
		if e.start >= a.since {
			a.slide.total[id].add(e.sums)
		}
	}
	a.fill(a.panes.closedAt(e.start), e)
	counted := make([]entryLine, 0, len(e.lines)) // the caller may use e.lines again
	for _, line := range e.lines {
		if _, ok := a.addUnits(e, line); ok {
			line.name = append([]byte(nil), line.name...)
			counted = append(counted, line)
		}
	}
	late := *e
	late.lines = counted
	a.changes.late = append(a.changes.late, late)
}

// scopesOf returns the scopes of an order: the world and its country.
func scopesOf(country scopeID) []scopeID {
	if country == worldID {
		return []scopeID{worldID}
	}
	return []scopeID{worldID, country}
}

// fill adds an order to its pane, to shoppers and the duplicate check.
func (a *Aggregator) fill(q *pane, e *entry) {
	q.at(worldID).sums.add(e.sums)
	if e.country != worldID {
		q.at(e.country).sums.add(e.sums)
	}
	a.addShopper(q, pair{hash: e.shopper, country: e.country})
	a.marks.parts[e.partition].seen.add(e.id, e.at)
}

// addUnits counts a line's units. ok is false if there are none, or no room.
func (a *Aggregator) addUnits(e *entry, line entryLine) (at unitPlace, ok bool) {
	if line.units <= 0 || len(line.name) == 0 {
		return at, false
	}
	return a.trend.units.add(e.start, line.product, e.country, line.units)
}
