package aggregate

import (
	"math/bits"
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

// idTable maps a hash to a millisecond within its span, by open addressing: eleven
// bytes an id where a Go map takes twice that. Nearly every id that is looked up
// is not there, so what answers that is small and by itself: slots are in groups
// of eight, and a group's marks, a byte of each slot's hash, are one word. A
// search compares them all at once and ends at the first group with a free slot,
// without having seen a key.
type idTable struct {
	marks   []uint64 // by group; a byte for each slot, from the lowest on; 0: free
	keys    []uint64
	offsets []uint16
	used    int
}

const idGroup = 8 // slots of a group

func newIDTable(expected int) *idTable {
	const first = 8
	return idTableOf(max(first, (expected+expected/3)/idGroup))
}

func idTableOf(groups int) *idTable {
	return &idTable{marks: make([]uint64, groups), keys: make([]uint64, groups*idGroup), offsets: make([]uint16, groups*idGroup)}
}

// markOf is the byte of a hash in its group. The group goes by the high bits.
func markOf(hash uint64) uint64 { return hash&0x7f | 0x80 }

// marked has the high bit set of each byte of w that is mark, and perhaps of one
// that is not, above such a byte (Mycroft's test for a zero byte).
func marked(w, mark uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	x := w ^ mark*ones
	return (x - ones) &^ x & high
}

// find returns where a hash is. If it is not there, group is the first with a
// free slot.
func (t *idTable) find(hash uint64) (slot, group int, ok bool) {
	mark := markOf(hash)
	for g := home(hash, len(t.marks)); ; {
		w := t.marks[g]
		for m := marked(w, mark); m != 0; m &= m - 1 {
			if i := g*idGroup + bits.TrailingZeros64(m)/8; t.keys[i] == hash {
				return i, g, true
			}
		}
		if w>>56 == 0 {
			return 0, g, false
		}
		if g++; g == len(t.marks) {
			g = 0
		}
	}
}

func (t *idTable) get(hash uint64) (offset uint16, ok bool) {
	i, _, ok := t.find(hash)
	if !ok {
		return 0, false
	}
	return t.offsets[i], true
}

func (t *idTable) put(hash uint64, offset uint16) {
	if t.used*5 >= len(t.keys)*4 {
		t.grow()
	}
	i, g, ok := t.find(hash)
	if !ok {
		i = t.insert(hash, g)
	}
	t.offsets[i] = offset
}

// insert takes the first free slot of a group.
func (t *idTable) insert(hash uint64, group int) int {
	n := (bits.Len64(t.marks[group]) + 7) / 8
	t.marks[group] |= markOf(hash) << (8 * n)
	i := group*idGroup + n
	t.keys[i] = hash
	t.used++
	return i
}

func (t *idTable) grow() {
	old := *t
	*t = *idTableOf(2 * len(old.marks))
	for i, hash := range old.keys {
		if old.marks[i/idGroup]>>(8*(i%idGroup))&0xff == 0 {
			continue
		}
		_, g, _ := t.find(hash)
		t.offsets[t.insert(hash, g)] = old.offsets[i]
	}
}

// tableKey keeps 0 free for "no entry".
func tableKey(hash uint64) uint64 { return max(hash, 1) }
