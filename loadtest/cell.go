package loadtest

// windowBits is how far behind the highest offset a record may come and still
// be told from a duplicate.
const windowBits = 256

// cell is what one client has received of one partition, since it was last owed
// everything: a span of offsets.
//
// The alternative, the set of all offsets that the client received, costs a
// page for every client where this costs a hundred bytes. A span and a number
// are enough: what a client was owed within its span is known from the truth,
// and a record is lost if it is there and was not counted here. Only to tell a
// record that came twice from one that came late does a client need to know
// which, and for that the last 256 offsets serve. A record that is later than
// that counts as lost, and as a duplicate when it comes.
type cell struct {
	first  int64 // first offset owed
	next   int64 // behind the highest offset received
	floor  int64 // offsets from here to first were announced as missing
	seen   int64 // different offsets received of first <= o < next
	window [windowBits / 64]uint64
	open   bool

	// latest holds, of a state topic, the lower half of the highest offset
	// received of each key, plus 1; 0: none.
	latest []uint32
}

// arrival is what a record means to the client that received it.
type arrival uint8

const (
	fresh       arrival = iota
	late                // after a record with a higher offset
	duplicate           // the client has it
	superfluous         // it had been announced as missing
)

// receive notes the record at offset o.
func (c *cell) receive(o int64) arrival {
	if !c.open {
		c.open, c.first, c.next, c.floor, c.seen = true, o, o+1, o, 1
		c.window = [len(c.window)]uint64{1}
		return fresh
	}
	if o >= c.next {
		c.shift(o - c.next + 1)
		c.window[0] |= 1
		c.next = o + 1
		c.seen++
		return fresh
	}
	if o < c.first && o >= c.floor {
		return superfluous
	}
	back := c.next - 1 - o
	if back >= windowBits || c.window[back/64]&(1<<(back%64)) != 0 {
		return duplicate
	}
	c.window[back/64] |= 1 << (back % 64)
	c.seen++
	if o < c.first {
		c.first, c.floor = o, o
	}
	return late
}

// shift moves the window n offsets on.
func (c *cell) shift(n int64) {
	for ; n >= 64; n -= 64 {
		if n >= windowBits {
			c.window = [len(c.window)]uint64{}
			return
		}
		copy(c.window[1:], c.window[:])
		c.window[0] = 0
	}
	if n == 0 {
		return
	}
	for i := len(c.window) - 1; i > 0; i-- {
		c.window[i] = c.window[i]<<n | c.window[i-1]>>(64-n)
	}
	c.window[0] <<= n
}

// gap begins a new span behind an announced gap, from <= o < to; negative: not
// known.
func (c *cell) gap(from, to int64) {
	if to < 0 {
		c.open = false
		return
	}
	next := to
	if c.open {
		next = max(to, c.next)
	}
	c.open, c.seen = true, 0
	c.first, c.next = next, next
	c.floor = max(from, 0)
	c.window = [len(c.window)]uint64{}
}

// span is a finished run of offsets, to be judged once all that any client
// received is known.
type span struct {
	partition *partition
	from, to  int64
	seen      int64 // records received of them
	kind      spanKind
}

type spanKind uint8

const (
	owed      spanKind = iota // every record of them was owed
	announced                 // missing, and announced
	tail                      // behind what the client had when the run ended
)

// judge adds what a span says to the counts.
func (s *span) judge(n *Counts) {
	if s.partition.broken.Load() {
		n[Unjudged]++
		return
	}
	missing := max(s.partition.truth.count(s.from, s.to)-s.seen, 0)
	switch {
	case s.kind == announced:
		n[Missed] += missing
	case s.kind == tail:
		n[Behind] += missing
	case s.partition.state:
		n[Superseded] += missing
	default:
		n[Lost] += missing
	}
}
