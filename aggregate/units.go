package aggregate

import (
	"slices"
	"strings"
)

// productID numbers the products that were sold within the last hour. Numbers
// are used again; they are never written anywhere.
type productID uint32

// unitEntry is some units of a product sold to a country.
type unitEntry struct {
	product productID
	country scopeID
	units   int64
}

// unitKey is a product in a scope, packed so that maps of it are small.
type unitKey uint64

func unitKeyOf(product productID, id scopeID) unitKey {
	return unitKey(product)<<16 | unitKey(id)
}

func (k unitKey) product() productID { return productID(k >> 16) }
func (k unitKey) scope() scopeID     { return scopeID(k & 0xffff) }

// unitMinute counts the units of one whole minute by product and scope.
type unitMinute struct {
	start second
	units map[unitKey]int64
	wire  int // bytes that its cells have in the checkpoint, at most
}

// units counts products over the last hour of whole minutes. hour is the sum
// over the sixty minutes before closed, kept as minutes come and go, because
// summing sixty maps for each product and evaluation would not end.
type units struct {
	limit int64 // of bytes

	ids       map[string]productID
	names     []string // by productID, "" when free
	minutes   []second // by productID: the last minute it was sold in
	free      []productID
	nameBytes int64 // of names

	buckets  []*unitMinute // in order of time
	cells    int           // in all buckets
	notYet   int           // of cells: in minutes that are not in hour
	closed   second        // whole minutes before this are in hour
	hour     map[unitKey]int64
	hourPeak int   // most entries of hour since it was made: maps do not shrink
	pending  int   // unitEntry held by open panes
	leftOut  int64 // units beyond the limits
}

const hourSpan = second(3600)

func newUnits(limit int64) *units {
	return &units{
		limit: limit, ids: map[string]productID{}, closed: noSecond, hour: map[unitKey]int64{},
	}
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
func (u *units) put(minute second, product string, country scopeID, n int64) productID {
	id := u.restore(minute, product, worldID, n)
	if country != worldID {
		u.restore(minute, product, country, n)
	}
	return id
}

// restore counts units of a product in one scope, whether there is room or not:
// what a checkpoint holds had it.
func (u *units) restore(minute second, product string, scope scopeID, n int64) productID {
	i, found := u.index(minute)
	if !found {
		u.buckets = slices.Insert(u.buckets, i, &unitMinute{start: minute, units: map[unitKey]int64{}})
	}
	id, known := u.ids[product]
	if !known {
		id = u.intern(product)
	}
	u.minutes[id] = max(u.minutes[id], minute)
	u.count(u.buckets[i], unitKeyOf(id, scope), n)
	return id
}

func (u *units) count(bucket *unitMinute, key unitKey, n int64) {
	before := len(bucket.units)
	bucket.units[key] += n
	fresh := len(bucket.units) - before
	u.cells += fresh
	bucket.wire += fresh * unitWireBytes(u.names[key.product()])
	if bucket.start < u.closed {
		u.hour[key] += n
	} else {
		u.notYet += fresh
	}
}

func (u *units) intern(product string) productID {
	product = strings.Clone(product) // not the record it was cut from
	var id productID
	if n := len(u.free); n > 0 {
		id, u.free = u.free[n-1], u.free[:n-1]
		u.names[id] = product
	} else {
		id = productID(len(u.names))
		u.names = append(u.names, product)
		u.minutes = append(u.minutes, noSecond)
	}
	u.minutes[id] = noSecond
	u.ids[product] = id
	u.nameBytes += int64(len(product))
	return id
}

// next returns the first whole minute after closed that changes something: the
// next one, or the end of the first minute with units if there are none in the
// hour.
func (u *units) next(after second) (second, bool) {
	if len(u.hour) > 0 {
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
		for key, n := range u.buckets[i].units {
			u.hour[key] += n
		}
	}
	u.hourPeak = max(u.hourPeak, len(u.hour))
	gone, _ := u.index(end - hourSpan)
	for _, bucket := range u.buckets[:gone] {
		u.cells -= len(bucket.units)
		for key, n := range bucket.units {
			if rest := u.hour[key] - n; rest > 0 {
				u.hour[key] = rest
			} else {
				delete(u.hour, key)
			}
		}
	}
	u.buckets = slices.Delete(u.buckets, 0, gone)
	u.notYet = 0
	for i, _ := u.index(end); i < len(u.buckets); i++ {
		u.notYet += len(u.buckets[i].units)
	}
	if gone > 0 {
		u.shrink()
		u.forget(end - hourSpan)
	}
}

// shrink makes the map of the hour anew once it is mostly empty: deleting gives
// no memory back.
func (u *units) shrink() {
	if len(u.hour) >= u.hourPeak/2 {
		return
	}
	hour := make(map[unitKey]int64, len(u.hour))
	for key, n := range u.hour {
		hour[key] = n
	}
	u.hour, u.hourPeak = hour, len(hour)
}

// forget frees the numbers of products that were last sold before start.
func (u *units) forget(start second) {
	for id, name := range u.names {
		if name != "" && u.minutes[id] < start {
			delete(u.ids, name)
			u.names[id] = ""
			u.nameBytes -= int64(len(name))
			u.free = append(u.free, productID(id))
		}
	}
	if len(u.ids) == 0 {
		u.ids, u.names, u.minutes, u.free = map[string]productID{}, nil, nil, nil
	}
}

// each visits every key of the minutes from from to before to once, with its
// units. It needs no memory: a key is visited in the first minute that has it.
func (u *units) each(from, to second, visit func(key unitKey, n int64)) {
	first, _ := u.index(from)
	last, _ := u.index(to)
	list := u.buckets[first:max(first, last)]
	for i, bucket := range list {
	keys:
		for key, n := range bucket.units {
			for _, earlier := range list[:i] {
				if _, ok := earlier.units[key]; ok {
					continue keys
				}
			}
			for _, later := range list[i+1:] {
				n += later.units[key]
			}
			visit(key, n)
		}
	}
}

// sum adds up the units of key in the minutes from from to before to.
func (u *units) sum(key unitKey, from, to second) int64 {
	var n int64
	for i, _ := u.index(from); i < len(u.buckets) && u.buckets[i].start < to; i++ {
		n += u.buckets[i].units[key]
	}
	return n
}

// hourTo returns the units of key in the hour before end, which is at or after
// closed.
func (u *units) hourTo(key unitKey, end second) int64 {
	if u.closed == noSecond || end-u.closed >= hourSpan {
		return u.sum(key, end-hourSpan, end)
	}
	return u.hour[key] + u.sum(key, u.closed, end) - u.sum(key, u.closed-hourSpan, end-hourSpan)
}
