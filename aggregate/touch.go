package aggregate

// touchAhead is how many orders are looked up ahead of being added.
const touchAhead = 32

// touch reads the places of the large tables that the orders from the first on
// will need, and does nothing with them. Each is a wait for memory of some 80 ns
// when it is met in the middle of an order; here the reads do not depend on each
// other, so that the processor waits for many of them at once. That made an
// order cost a third (149 against 53 ns in a trial of the tables alone).
func (a *Aggregator) touch(part *partition, p *Prepared, first int) {
	var sum uint64
	t, u := a.shoppers, a.trend.units
	list := p.orders[first:min(first+touchAhead, len(p.orders))]
	for i := range list {
		o := &list[i]
		slot := home(tableKey(o.shopper), len(t.keys))
		sum += t.keys[slot] + t.data[slot*t.stride]
		span := spanOf(o.at)
		for near := span - 1; near <= span; near++ {
			if ids := part.seen.at(near); ids != nil {
				at := home(tableKey(o.id), len(ids.keys))
				sum += ids.keys[at]
			}
		}
	}
	lines := p.lines[list[0].firstLine:list[len(list)-1].afterLines]
	for i := range lines {
		sum += u.slots[int(lines[i].hash)&(len(u.slots)-1)].hash
	}
	a.touched += sum
}
