package aggregate

import (
	"github.com/cespare/xxhash/v2"

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
	a.marks.grow(int(in.Partition) + 1)
	p := a.marks.parts[in.Partition]
	if in.Offset < p.replayUntil {
		a.replay(in, p, o)
		a.Advance(in.Partition, in.Offset+1)
		a.stats.Verdicts[Replayed]++
		return Replayed
	}
	e, v := a.judge(in, p, o)
	if v == Accepted {
		v = a.accept(in, e, o)
	}
	if !v.Dead() {
		at := o.At
		if v == Duplicate {
			at = noTime
		}
		a.marks.record(int(in.Partition), at, in.Now)
		a.settle(in.Now)
	}
	a.Advance(in.Partition, in.Offset+1)
	a.stats.Verdicts[v]++
	return v
}

// replay adds an order that was dealt with before a restart to the state if
// that could not be in the checkpoint: its pane was open.
func (a *Aggregator) replay(in Input, p *partition, o *orders.Order) {
	if secondOf(o.At) < a.slide.end {
		return
	}
	e, v := a.judge(in, p, o)
	if v == Accepted {
		a.store(in, e)
	}
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
	lines     []orders.Line
}

// judge applies the checks in their order.
func (a *Aggregator) judge(in Input, p *partition, o *orders.Order) (entry, Verdict) {
	if o.At < firstTime || o.At > in.RecordTime+futureSpan {
		return entry{}, DeadTime
	}
	sales, ok := a.money.convert(o.Amount, o.Currency, o.At)
	if !ok {
		return entry{}, DeadRate
	}
	id := xxhash.Sum64String(o.ID)
	earliest := a.marks.now - a.lateness
	if p.seen.has(id, o.At, earliest) {
		return entry{}, Duplicate
	}
	if o.At < earliest {
		return entry{}, Late
	}
	metres := distance(o.From, o.To)
	return entry{
		partition: in.Partition, at: o.At, start: secondOf(o.At),
		id: id, shopper: xxhash.Sum64String(o.Shopper), country: a.country(o.To.Country),
		sums:  sums{orders: 1, sales: sales, distanceM: metres, carbonG: carbon(o.MassG, metres)},
		lines: o.Lines,
	}, Accepted
}

// accept takes an order into the state and into the next shipments.
func (a *Aggregator) accept(in Input, e entry, o *orders.Order) Verdict {
	a.highest = max(a.highest, e.at)
	v := Accepted
	if e.start < a.slide.end {
		v = Corrected
		a.correct(e)
	} else {
		a.store(in, e)
	}
	cells := cellsOf(o.From, o.To)
	a.batches[worldID].add(o, cells)
	if e.country != worldID {
		a.batches[e.country].add(o, cells)
	}
	return v
}

// store takes an order into its open pane.
func (a *Aggregator) store(in Input, e entry) {
	a.coverStart(e.start)
	q := a.panes.openAt(e.start)
	q.open.noteOffset(e.partition, in.Offset)
	q.open.ids = append(q.open.ids, seenID{hash: e.id, at: e.at, partition: e.partition})
	a.fill(q, e)
	for _, line := range e.lines {
		if id, ok := a.addUnits(e, line); ok {
			a.trend.units.pending += q.open.units.add(unitEntry{product: id, country: e.country, units: line.Units}, a.trend.units.names)
		}
	}
}

// correct takes an order into a closed pane and every closed window after it.
func (a *Aggregator) correct(e entry) {
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
	counted := make([]orders.Line, 0, len(e.lines)) // the caller may use e.lines again
	for _, line := range e.lines {
		if _, ok := a.addUnits(e, line); ok {
			counted = append(counted, line)
		}
	}
	e.lines = counted
	a.changes.late = append(a.changes.late, e)
}

// scopesOf returns the scopes of an order: the world and its country.
func scopesOf(country scopeID) []scopeID {
	if country == worldID {
		return []scopeID{worldID}
	}
	return []scopeID{worldID, country}
}

// fill adds an order to its pane, to shoppers and the duplicate check.
func (a *Aggregator) fill(q *pane, e entry) {
	q.at(worldID).sums.add(e.sums)
	if e.country != worldID {
		q.at(e.country).sums.add(e.sums)
	}
	a.addShopper(q, pair{hash: e.shopper, country: e.country})
	a.marks.parts[e.partition].seen.add(e.id, e.at)
}

// addUnits counts a line's units. ok is false if there are none, or no room.
func (a *Aggregator) addUnits(e entry, line orders.Line) (id productID, ok bool) {
	if line.Units <= 0 || line.Product == "" {
		return 0, false
	}
	return a.trend.units.add(e.start, line.Product, e.country, line.Units)
}
