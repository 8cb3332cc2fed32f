package aggregate

import "livemap/orders"

// entry is an order for a closed pane: a correction.
type entry struct {
	partition int32
	at        orders.Time
	start     second // its pane
	id        uint64 // hash of its id
	shopper   uint64 // hash of its shopper
	country   scopeID
	sums      sums
	lines     []entryLine // of their own, not of the record
}

// maxCorrections is how many corrections wait at most until they are applied.
const maxCorrections = 1 << 10

// correctLater notes a correction, which changes what the lanes write and so must
// wait for them. Until the next Flush nobody asks for what it changes, but for
// lists of trending products, before which it is applied too; and it does not
// matter whether an order of an open pane is added before it or after.
func (a *Aggregator) correctLater(partition int32, p *Prepared, o *prepared, country scopeID) {
	e := entry{
		partition: partition, at: o.at, start: secondOf(o.at), id: o.id, shopper: o.shopper, country: country, sums: o.sums,
		lines: make([]entryLine, 0, o.afterLines-o.firstLine),
	}
	for _, line := range p.lines[o.firstLine:o.afterLines] {
		line.name = append([]byte(nil), line.name...)
		e.lines = append(e.lines, line)
	}
	if a.corrections = append(a.corrections, e); len(a.corrections) == maxCorrections {
		a.complete()
	}
}

// complete brings the state to where every order so far is in it.
func (a *Aggregator) complete() {
	a.catchUp()
	for i := range a.corrections {
		a.correct(&a.corrections[i])
	}
	clear(a.corrections)
	a.corrections = a.corrections[:0]
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
	a.fill(e)
	counted := e.lines[:0]
	for _, line := range e.lines {
		if line.units > 0 && len(line.name) > 0 {
			if _, ok := a.trend.units.add(e.start, line.product, e.country, line.units); ok {
				counted = append(counted, line)
			}
		}
	}
	e.lines = counted
	a.changes.late = append(a.changes.late, *e)
}

// fill adds a correction to its pane and to shoppers.
func (a *Aggregator) fill(e *entry) {
	q := a.panes.closedAt(e.start)
	q.count(e.sums, e.country)
	a.addShopper(q, pair{hash: e.shopper, country: e.country})
}
