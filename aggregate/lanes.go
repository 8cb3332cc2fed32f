package aggregate

import "sync"

// An order that was accepted into an open pane changes three kinds of state that
// have nothing to do with each other: sums and ids, which decide about the orders
// after it; the shoppers of the minute; and units and shipments. The first are the
// business of who adds; the others can be that of two more goroutines, the lanes,
// which are told where orders count and do their part of them, in their order,
// beside who adds. Each of the large tables so has one writer, without a lock, and
// all see the same order of events whether lanes run or not.
//
// To cut the work by partition instead, as by worker, would need the shoppers of all
// workers united for each window, and every table as many times as there are
// workers. To cut it by the hash of shopper and product would have every worker
// walk over every order.
//
// Whoever reads what lanes write calls catchUp first: Flush, corrections, a new
// scope, trending lists. That is seldom.

// placed is where an accepted order counts.
type placed struct {
	pane    *pane // nil: it is a correction, of which only the shipment is left
	order   int32 // in the Prepared
	country scopeID
	again   bool // it is read again after a restart, and was shipped before
}

// lanes are the goroutines that take part in adding.
type lanes struct {
	shoppers, units chan handed // nil: nobody runs them
	atWork          sync.WaitGroup
	least           int // orders for which it is worth to tell them
}

// handed is some orders handed over to a lane.
type handed struct {
	p    *Prepared
	list []placed
}

const (
	// leastHanded is how many orders are worth two other goroutines.
	leastHanded = 64
	// maxHanded is how many times a lane is handed orders before it has done them;
	// who adds waits then.
	maxHanded = 8
)

// Share lets two more goroutines take part in adding. Whoever lets go of the
// Aggregator calls stop first, which joins them. Results do not depend on it.
func (a *Aggregator) Share() (stop func()) {
	l := &a.lanes
	l.shoppers, l.units = make(chan handed, maxHanded), make(chan handed, maxHanded)
	var running sync.WaitGroup
	run := func(jobs chan handed, do func(*Prepared, []placed)) {
		running.Go(func() {
			for j := range jobs {
				do(j.p, j.list)
				j.p.lanes.Add(-1)
				l.atWork.Done()
			}
		})
	}
	run(l.shoppers, a.trackPlaced)
	run(l.units, a.sellPlaced)
	return func() {
		close(l.shoppers)
		close(l.units)
		running.Wait()
		l.shoppers, l.units = nil, nil
	}
}

// handOver gives the lanes what has been placed of the Prepared that is being
// added, or does it where that is as good.
func (a *Aggregator) handOver() {
	p, l := a.adding, &a.lanes
	list := p.placed[p.handed:]
	p.handed = len(p.placed)
	if len(list) == 0 {
		return
	}
	if l.shoppers == nil || len(list) < l.least {
		l.atWork.Wait()
		a.trackPlaced(p, list)
		a.sellPlaced(p, list)
		return
	}
	l.atWork.Add(2)
	p.lanes.Add(2)
	l.shoppers <- handed{p, list}
	l.units <- handed{p, list}
}

// catchUp returns when the lanes have done all that was placed.
func (a *Aggregator) catchUp() {
	if a.adding != nil {
		a.handOver()
	}
	a.lanes.atWork.Wait()
}

// trackPlaced is the lane of shoppers.
func (a *Aggregator) trackPlaced(p *Prepared, list []placed) {
	t := a.shoppers
	var slots [touchAhead]int
	for len(list) > 0 {
		block := list[:min(touchAhead, len(list))]
		list = list[len(block):]
		t.room(len(block))
		t.look(p, block, &slots)
		for i := range block {
			if at := &block[i]; at.pane != nil {
				a.addShopperFrom(slots[i], at.pane, pair{hash: p.orders[at.order].shopper, country: at.country})
			}
		}
	}
}

// sellPlaced is the lane of units and shipments.
func (a *Aggregator) sellPlaced(p *Prepared, list []placed) {
	u := a.trend.units
	for len(list) > 0 {
		block := list[:min(touchAhead, len(list))]
		list = list[len(block):]
		u.look(p, block)
		known := u.known
		for i := range block {
			at := &block[i]
			o := &p.orders[at.order]
			lines := p.lines[o.firstLine:o.afterLines]
			first := noProduct
			if at.pane != nil {
				first = a.sell(at, lines, known[:len(lines)])
				known = known[len(lines):]
			}
			if !at.again {
				a.ship(o, at.country, lines, first)
			}
		}
	}
}

// sell counts the units of an order and returns the number of the product of its
// first line, if that was counted.
func (a *Aggregator) sell(at *placed, lines []entryLine, known []unitPlace) (first productID) {
	u, q := a.trend.units, at.pane
	first = noProduct
	for i := range lines {
		line := &lines[i]
		if line.units <= 0 || len(line.name) == 0 {
			continue
		}
		place := known[i]
		if place.minute == nil || !u.again(place, at.country, line.units) {
			var ok bool
			if place, ok = u.add(q.start, line.product, at.country, line.units); !ok {
				continue
			}
		}
		if i == 0 {
			first = place.product()
		}
		u.pending += q.open.units.add(place, line.units, &u.scratch)
	}
	return first
}
