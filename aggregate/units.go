package aggregate

import "slices"

// unitKey is a product in a scope, packed so that a table of it is small.
type unitKey uint64

func unitKeyOf(product productID, id scopeID) unitKey {
	return unitKey(product)<<16 | unitKey(id)
}

func (k unitKey) product() productID { return productID(k >> 16) }
func (k unitKey) scope() scopeID     { return scopeID(k & 0xffff) }

// unitMinute counts the units of one whole minute by product and scope.
type unitMinute struct {
	start second
	units *unitCells
	wire  int // bytes that its cells have in the checkpoint, at most
}

// unitPlace is where the units of a product in a country are counted.
type unitPlace struct {
	minute *unitMinute
	cell   uint32
}

func (p unitPlace) product() productID { return p.minute.units.list[p.cell].key.product() }

// units counts products over the last hour of whole minutes. hour is the sum
// over the sixty minutes before closed, kept as minutes come and go, because
// summing sixty tallies for each product and evaluation would not end.
type units struct {
	limit int64 // of bytes

	products

	buckets  []*unitMinute // in order of time
	cells    int           // in all buckets
	notYet   int           // of cells: in minutes that are not in hour
	closed   second        // whole minutes before this are in hour
	hour     *tally
	hourPeak int // most entries of hour since it was made: tallies do not shrink
	pending  int // entries held by open panes
	scratch  []int64
	leftOut  int64 // units beyond the limits

	known   []unitPlace // see look
	ids     []unitKey   // likewise
	touched uint64      // likewise
}

const hourSpan = second(3600)

func newUnits(limit int64) *units {
	return &units{limit: limit, products: newProducts(), closed: noSecond, hour: newTally()}
}

func (u *units) index(start second) (int, bool) {
	n := len(u.buckets)
	if n > 0 && u.buckets[n-1].start == start {
		return n - 1, true
	}
	return slices.BinarySearchFunc(u.buckets, start, func(m *unitMinute, s second) int {
		return int(m.start - s)
	})
}

// put counts units for the world and a country, whether there is room or not.
func (u *units) put(minute second, o product, country scopeID, n int64) productID {
	id := u.intern(o)
	u.restore(minute, id, worldID, n)
	if country != worldID {
		u.restore(minute, id, country, n)
	}
	return id
}

// restore counts units of a product in one scope, whether there is room or not:
// what a checkpoint holds had it.
func (u *units) restore(minute second, id productID, scope scopeID, n int64) {
	i, found := u.index(minute)
	if !found {
		u.buckets = slices.Insert(u.buckets, i, &unitMinute{start: minute, units: newUnitCells()})
	}
	u.count(u.buckets[i], unitKeyOf(id, scope), n)
}

func (u *units) count(bucket *unitMinute, key unitKey, n int64) {
	id := key.product()
	wire := unitWireBytes(u.names[id])
	fresh := bucket.units.add(key, n, wire)
	if fresh {
		u.cells++
		bucket.wire += wire
		u.minutes[id] = max(u.minutes[id], bucket.start)
	}
	if bucket.start < u.closed {
		u.hour.add(key, n)
	} else if fresh {
		u.notYet++
	}
}

// next returns the first whole minute after closed that changes something: the
// next one, or the end of the first minute with units if there are none in the
// hour.
func (u *units) next(after second) (second, bool) {
	if u.hour.len() > 0 {
		return after + 60, true
	}
	i, _ := u.index(after)
	if i == len(u.buckets) {
		return noSecond, false
	}
	return u.buckets[i].start + 60, true
}

// close makes hour the sum of the sixty minutes before end.
func (u *units) close(end second) {
	from := u.closed
	u.closed = end
	if from == noSecond {
		from = end - hourSpan
	}
	for i, _ := u.index(from); i < len(u.buckets) && u.buckets[i].start < end; i++ {
		u.buckets[i].units.each(func(key unitKey, n int64) { u.hour.add(key, n) })
	}
	u.hourPeak = max(u.hourPeak, u.hour.len())
	gone, _ := u.index(end - hourSpan)
	for _, bucket := range u.buckets[:gone] {
		u.cells -= bucket.units.len()
		bucket.units.each(u.leaveHour)
	}
	u.buckets = slices.Delete(u.buckets, 0, gone)
	u.notYet = 0
	for i, _ := u.index(end); i < len(u.buckets); i++ {
		u.notYet += u.buckets[i].units.len()
	}
	if gone > 0 {
		u.shrink()
		u.forget(end - hourSpan)
	}
}

// leaveHour takes units that are an hour old out of the sum.
func (u *units) leaveHour(key unitKey, n int64) {
	s := u.hour.slot(key)
	if s.key == 0 {
		return
	}
	if s.n -= n; s.n <= 0 {
		u.hour.remove(key)
	}
}

// shrink makes the tally of the hour anew once it is mostly empty: removing
// gives no memory back.
func (u *units) shrink() {
	if u.hour.len() >= u.hourPeak/2 {
		return
	}
	hour := newTally()
	u.hour.each(func(key unitKey, n int64) { hour.add(key, n) })
	u.hour, u.hourPeak = hour, hour.len()
}

// each visits every key of the minutes from from to before to once, with its
// units. It needs no memory: a key is visited in the first minute that has it.
func (u *units) each(from, to second, visit func(key unitKey, n int64)) {
	first, _ := u.index(from)
	last, _ := u.index(to)
	list := u.buckets[first:max(first, last)]
	for i, bucket := range list {
		bucket.units.each(func(key unitKey, n int64) {
			for _, earlier := range list[:i] {
				if _, ok := earlier.units.get(key); ok {
					return
				}
			}
			for _, later := range list[i+1:] {
				more, _ := later.units.get(key)
				n += more
			}
			visit(key, n)
		})
	}
}

// sum adds up the units of key in the minutes from from to before to.
func (u *units) sum(key unitKey, from, to second) int64 {
	var n int64
	for i, _ := u.index(from); i < len(u.buckets) && u.buckets[i].start < to; i++ {
		more, _ := u.buckets[i].units.get(key)
		n += more
	}
	return n
}

// hourTo returns the units of key in the hour before end, which is at or after
// closed.
func (u *units) hourTo(key unitKey, end second) int64 {
	if u.closed == noSecond || end-u.closed >= hourSpan {
		return u.sum(key, end-hourSpan, end)
	}
	hour, _ := u.hour.get(key)
	return hour + u.sum(key, u.closed, end) - u.sum(key, u.closed-hourSpan, end-hourSpan)
}
