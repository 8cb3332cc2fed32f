package aggregate

import (
	"slices"

	"livemap/orders"
)

// seenID is an accepted order as the duplicate check knows it: the 64-bit hash
// of its id. With 72 million ids held (a million orders a second), two
// different ids are taken for one about once in 3e11 orders.
type seenID struct {
	hash      uint64
	at        orders.Time
	partition int32
}

// seen is one partition's memory of accepted ids. Time is cut into spans of the
// duplicate distance: of two orders within that distance, the second is in the
// span of the first or in a neighbour, and a span can hold an accepted id only
// once. So three lookups answer, and a whole span is forgotten at once.
type seen struct {
	spans []seenSpan // those in reach, some ten, in no order
}

// seenSpan is the ids of one span of time.
type seenSpan struct {
	span  int64
	table *idTable
}

// at returns the table of a span, or nil.
func (s *seen) at(span int64) *idTable {
	for i := len(s.spans) - 1; i >= 0; i-- {
		if s.spans[i].span == span {
			return s.spans[i].table
		}
	}
	return nil
}

func spanOf(at orders.Time) int64 { return floorDiv(int64(at), int64(duplicateSpan)) }

// has reports whether an order with this id was accepted within duplicateSpan
// of at. Accepted orders more than duplicateSpan before earliest are forgotten,
// to the millisecond, even while their span is still held: whether an order is
// a duplicate or late must not depend on when spans are dropped.
func (s *seen) has(hash uint64, at, earliest orders.Time) bool {
	span := spanOf(at)
	for near := span - 1; near <= span+1; near++ {
		table := s.at(near)
		if table == nil {
			continue
		}
		offset, ok := table.get(hash)
		if !ok {
			continue
		}
		other := orders.Time(near)*duplicateSpan + orders.Time(offset)
		if max(other-at, at-other) <= duplicateSpan && other >= earliest-duplicateSpan {
			return true
		}
	}
	return false
}

// add notes an accepted order.
func (s *seen) add(hash uint64, at orders.Time) {
	span := spanOf(at)
	table := s.at(span)
	if table == nil {
		table = newIDTable(s.expected())
		s.spans = append(s.spans, seenSpan{span, table})
	}
	table.put(hash, uint16(at-orders.Time(span)*duplicateSpan))
}

// forget drops the spans in which no order can matter any more once every
// coming order is at or after earliest, or late.
func (s *seen) forget(earliest orders.Time) {
	oldest := spanOf(earliest - duplicateSpan)
	s.spans = slices.DeleteFunc(s.spans, func(o seenSpan) bool { return o.span < oldest })
}

// expected is about how many ids a new span will have: as many as the fullest
// of those before. Making room for them at once saves moving them several times.
func (s *seen) expected() int {
	most := 0
	for _, o := range s.spans {
		most = max(most, o.table.used)
	}
	return most
}

// idTable maps a hash to a millisecond within its span, by open addressing: ten
// bytes an id where a Go map takes twice that.
type idTable struct {
	keys    []uint64 // 0: free
	offsets []uint16
	used    int
}

func newIDTable(expected int) *idTable {
	const first = 64
	slots := max(first, expected+expected/3)
	return &idTable{keys: make([]uint64, slots), offsets: make([]uint16, slots)}
}

// tableKey keeps 0 free for "no entry".
func tableKey(hash uint64) uint64 { return max(hash, 1) }

// slot returns where key is, or the free slot where it belongs.
func (t *idTable) slot(key uint64) int {
	i := home(key, len(t.keys))
	for t.keys[i] != 0 && t.keys[i] != key {
		if i++; i == len(t.keys) {
			i = 0
		}
	}
	return i
}

func (t *idTable) get(hash uint64) (offset uint16, ok bool) {
	i := t.slot(tableKey(hash))
	return t.offsets[i], t.keys[i] != 0
}

func (t *idTable) put(hash uint64, offset uint16) {
	if t.used*5 >= len(t.keys)*4 {
		t.grow()
	}
	key := tableKey(hash)
	i := t.slot(key)
	if t.keys[i] == 0 {
		t.used++
	}
	t.keys[i], t.offsets[i] = key, offset
}

func (t *idTable) grow() {
	old := *t
	t.keys = make([]uint64, 2*len(old.keys))
	t.offsets = make([]uint16, 2*len(old.offsets))
	for i, key := range old.keys {
		if key != 0 {
			j := t.slot(key)
			t.keys[j], t.offsets[j] = key, old.offsets[i]
		}
	}
}
