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
	t := a.shoppers
	list := p.orders[first:min(first+touchAhead, len(p.orders))]
	for i := range list {
		o := &list[i]
		slot := home(tableKey(o.shopper), len(t.keys))
		sum += t.keys[slot] + t.data[slot*t.stride]
		span := spanOf(o.at)
		for near := span - 1; near <= span+1; near++ {
			if ids := part.seen.at(near); ids != nil {
				sum += ids.marks[home(o.id, len(ids.marks))]
			}
		}
	}
	a.touched += sum + a.touchUnits(p, list)
}

// touchUnits does so for what counts the products: first their numbers, then
// where the minute of the orders, nearly always one, counts them.
func (a *Aggregator) touchUnits(p *Prepared, list []prepared) (sum uint64) {
	u := a.trend.units
	for _, l := range p.lines[list[0].firstLine:list[len(list)-1].afterLines] {
		sum += uint64(u.slots[int(l.hash)&(len(u.slots)-1)].id)
	}
	i, found := u.index(secondOf(list[0].at).minute())
	if !found {
		return sum
	}
	cells := u.buckets[i].units
	mask := uint64(len(cells.slots) - 1)
	for k := range list {
		o := &list[k]
		country := scopeID(0)
		if o.country != noCountry {
			country = a.scopes.byCode[o.country]
		}
		for _, l := range p.lines[o.firstLine:o.afterLines] {
			id, _ := u.find(l.hash)
			if n := cells.slots[spread(uint64(unitKeyOf(id, country)))&mask]; n > 0 {
				sum += uint64(cells.list[n-1].key)
			}
		}
	}
	return sum
}
