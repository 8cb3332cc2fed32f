package aggregate

// touchAhead is how many orders are looked up ahead of being added.
//
// Places of large tables are read before they are needed, for many orders one
// after the other. Each is a wait for memory of some 80 ns when it is met in the
// middle of an order; here the reads do not depend on each other, so that the
// processor waits for many of them at once. That made an order cost a third (149
// against 53 ns in a trial of the tables alone). Where one place says where the
// next one is, that takes a pass for each, and what they find is kept.
const touchAhead = 32

// touch reads the places of the ids of orders.
func (a *Aggregator) touch(part *partition, list []prepared) {
	var sum uint64
	for i := range list {
		o := &list[i]
		span := spanOf(o.at)
		for near := span - 1; near <= span+1; near++ {
			if ids := part.seen.at(near); ids != nil {
				sum += ids.touch(o.id)
			}
		}
	}
	a.touched += sum
}

// room makes the table ready to take n more entries.
func (t *shopperTable) room(n int) {
	if (t.used+n)*4 > t.entries()*3 {
		t.rebuild()
	}
}

// look finds the slots from which the search for the shoppers of orders can begin.
// They are good until entries are moved.
func (t *shopperTable) look(p *Prepared, list []placed, slots *[touchAhead]int) {
	var sum uint64
	for i := range list {
		slots[i] = home(tableKey(p.orders[list[i].order].shopper), len(t.keys))
		sum += t.keys[slots[i]]
	}
	for i := range list {
		key, slot := tableKey(p.orders[list[i].order].shopper), slots[i]
		for t.keys[slot] != 0 && t.keys[slot] != key {
			slot = t.after(slot)
		}
		slots[i] = slot
		sum += t.data[slot*t.stride]
	}
	t.touched += sum
}

// look finds where the units of orders in open panes are counted: known has a place
// for each of their lines, without a minute where there is none yet.
func (u *units) look(p *Prepared, list []placed) {
	var sum uint64
	u.known, u.ids = u.known[:0], u.ids[:0]
	for i := range list {
		if list[i].pane == nil {
			continue
		}
		o := &p.orders[list[i].order]
		for k := o.firstLine; k < o.afterLines; k++ {
			sum += uint64(u.slots[int(p.lines[k].hash)&(len(u.slots)-1)].id)
		}
	}
	var minute *unitMinute
	start := noSecond // of the minute
	for i := range list {
		at := &list[i]
		if at.pane == nil {
			continue
		}
		if start != at.pane.minute {
			start, minute = at.pane.minute, nil
			if n, found := u.index(start); found && start >= u.closed {
				minute = u.buckets[n]
			}
		}
		o := &p.orders[at.order]
		for k := o.firstLine; k < o.afterLines; k++ {
			id, ok := u.find(p.lines[k].hash)
			if ok = ok && minute != nil; ok {
				cells := minute.units
				sum += uint64(cells.slots[cells.home(unitKeyOf(id, at.country))])
				u.known = append(u.known, unitPlace{minute: minute})
			} else {
				u.known = append(u.known, unitPlace{})
			}
			u.ids = append(u.ids, unitKeyOf(id, at.country))
		}
	}
	for i := range u.known {
		if at := &u.known[i]; at.minute != nil {
			cell, ok := at.minute.units.find(u.ids[i])
			if at.cell = cell; !ok {
				at.minute = nil
				continue
			}
			sum += uint64(at.minute.units.list[cell].key)
		}
	}
	u.touched += sum
}
