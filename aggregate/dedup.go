package aggregate

import (
	"math/bits"
	"slices"

	"livemap/orders"
)

// seenID is an accepted order as the checkpoint has it for the duplicate check: the
// 64-bit hash of its id.
type seenID struct {
	hash      uint64
	partition int32
	offset    uint16 // milliseconds into its pane
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

// idTable maps a hash to a millisecond within its span: nine bytes a slot where a Go
// map takes four times that. Nearly every id that is looked up is not there, so what
// answers that is small and by itself: slots are in groups of eight, and a group's
// marks, a byte of each slot's hash, are one word, compared at once. All else of a
// group is a cache line, which only an id that is added, or is there, waits for.
//
// A key is 48 bits of the hash beside the 7 of its mark, and the group stands for the
// highest ones. Two different ids of the same group so are taken for one once in 3e16
// pairs, and some thirty ids are in the groups that an order is looked up in: about
// once in 10^15 orders.
//
// A hash cannot be had back from that, so a table does not grow by moving: it gets
// further parts, each as large as it looks as if the rest of the span needs. That is
// seldom, as a span is made as large as the one before was in the end.
type idTable struct {
	parts  []idPart
	used   int    // of all parts
	newest uint16 // highest offset
}

type idPart struct {
	marks  []uint64 // by group; a byte for each slot, from the lowest on; 0: free
	groups []idGroup
	used   int
}

// idGroup is a cache line.
type idGroup struct {
	low     [groupSlots]uint32
	high    [groupSlots]uint16
	offsets [groupSlots]uint16
}

const groupSlots = 8

func newIDTable(expected int) *idTable {
	const first = 2
	t := &idTable{}
	t.extend(max(first, (expected+expected/3)/groupSlots))
	return t
}

func (t *idTable) extend(groups int) {
	t.parts = append(t.parts, idPart{marks: make([]uint64, groups), groups: make([]idGroup, groups)})
}

// slots returns how many ids there are places for.
func (t *idTable) slots() (n int) {
	for i := range t.parts {
		n += len(t.parts[i].groups) * groupSlots
	}
	return n
}

// markOf is the byte of a hash in its group. The group goes by the high bits, and the
// key by those in between.
func markOf(hash uint64) uint64 { return hash&0x7f | 0x80 }

func keyOf(hash uint64) (low uint32, high uint16) { return uint32(hash >> 7), uint16(hash >> 39) }

// marked has the high bit set of each byte of w that is mark, and of no other: no
// byte's sum carries into the next.
func marked(w, mark uint64) uint64 {
	const ones, low = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	x := w ^ mark*ones
	return ^(x&low + low | x | low)
}

// find returns where a hash is: its group and its place there. If it is not there,
// the group is the first with a free slot.
func (p *idPart) find(hash uint64) (group, i int, ok bool) {
	mark := markOf(hash)
	low, high := keyOf(hash)
	for group = home(hash, len(p.marks)); ; {
		w := p.marks[group]
		for m := marked(w, mark); m != 0; m &= m - 1 {
			i, g := bits.TrailingZeros64(m)/8, &p.groups[group]
			if g.low[i] == low && g.high[i] == high {
				return group, i, true
			}
		}
		if w>>56 == 0 {
			return group, 0, false
		}
		if group++; group == len(p.marks) {
			group = 0
		}
	}
}

func (t *idTable) get(hash uint64) (offset uint16, ok bool) {
	for n := range t.parts {
		p := &t.parts[n]
		if group, i, ok := p.find(hash); ok {
			return p.groups[group].offsets[i], true
		}
	}
	return 0, false
}

// missing returns how many slots the next part should have, by how much of the span
// the ids so far are: at least as many as there are, at most 64 times that.
func (t *idTable) missing() int {
	have := t.slots()
	all := have * int(duplicateSpan) / (int(t.newest) + 1)
	return min(max(all-have, have), 64*have)
}

func (t *idTable) put(hash uint64, offset uint16) {
	t.newest = max(t.newest, offset)
	last := &t.parts[len(t.parts)-1]
	for n := range t.parts[:len(t.parts)-1] {
		p := &t.parts[n]
		if group, i, ok := p.find(hash); ok {
			p.groups[group].offsets[i] = offset
			return
		}
	}
	group, i, ok := last.find(hash)
	if !ok && last.used*5 >= len(last.groups)*groupSlots*4 {
		t.extend(t.missing() / groupSlots)
		last = &t.parts[len(t.parts)-1]
		group, _, _ = last.find(hash)
	}
	if !ok {
		i = last.insert(hash, group)
		t.used++
	}
	last.groups[group].offsets[i] = offset
}

// insert takes the first free slot of a group.
func (p *idPart) insert(hash uint64, group int) (i int) {
	i = (bits.Len64(p.marks[group]) + 7) / 8
	p.marks[group] |= markOf(hash) << (8 * i)
	g := &p.groups[group]
	g.low[i], g.high[i] = keyOf(hash)
	p.used++
	return i
}

// touch reads where the search for a hash begins.
func (t *idTable) touch(hash uint64) (sum uint64) {
	for n := range t.parts {
		marks := t.parts[n].marks
		sum += marks[home(hash, len(marks))]
	}
	return sum
}

// tableKey keeps 0 free for "no entry".
func tableKey(hash uint64) uint64 { return max(hash, 1) }
