package hub

import "livemap/orders"

// slot is all that a shard keeps of a client: numbers and places in the shard's
// own tables. It has no pointer, so that the collector has nothing to look at
// however many there are. Most clients have nothing in any table for themselves:
// they share a position with all others who were sent the same.
type slot struct {
	expires orders.Time // when the stream ends by itself; of one that is ending: when that began
	since   orders.Time // of a full socket: when it last accepted something

	fd         int32  // none: the slot is free
	turn       uint32 // counts the clients that had this slot
	audience   int32
	permission int32  // or none
	position   int32  // none: in the prefix
	prefix     int32  // none: over
	offset     uint32 // bytes sent of the prefix, or of the frame at position
	rest       int32  // bytes that must go out before all else; or none
	before     int32  // neighbours in the audience's list of the idle;
	behind     int32  // behind is also the next of the free

	state  slotState
	reason uint8 // index into closeReasons: why the stream ends, or ended
	ending bool  // goodbye is due
	said   bool  // goodbye is on its way: close when the rest is out
}

// inRing says whether what a client is owed are whole frames of the ring, and
// nothing else.
func (c *slot) inRing() bool {
	return c.rest == none && c.prefix == none && c.offset == 0 && !c.ending
}

// none is the place of what is not there.
const none = -1

// slotState says what a client waits for.
type slotState uint8

const (
	busy slotState = iota // for its turn: there is more to send
	idle                  // for news; in its audience's list
	full                  // for its socket
	away                  // for a prefix, for the ring has left it behind
)

// slab holds slots in chunks that never move.
type slab struct {
	chunks []*[slabChunk]slot
	free   int32 // the first of the free; none: grow
	used   int
}

const slabChunk = 256

func (s *slab) at(i int32) *slot { return &s.chunks[i/slabChunk][i%slabChunk] }

// size returns the number of slots, free ones included.
func (s *slab) size() int32 { return int32(len(s.chunks)) * slabChunk }

// take returns a slot for a client.
func (s *slab) take(fd int) (int32, *slot) {
	if s.free == none {
		first := s.size()
		s.chunks = append(s.chunks, new([slabChunk]slot))
		for i := first + slabChunk - 1; i >= first; i-- {
			c := s.at(i)
			c.fd, c.behind = none, s.free
			s.free = i
		}
	}
	i := s.free
	c := s.at(i)
	s.free = c.behind
	s.used++
	*c = slot{
		fd: int32(fd), turn: c.turn + 1,
		audience: none, permission: none, position: none, prefix: none, rest: none, before: none, behind: none,
	}
	return i, c
}

// give takes a slot back.
func (s *slab) give(i int32) {
	c := s.at(i)
	c.fd, c.behind = none, s.free
	s.free = i
	s.used--
}

// places is a list of which the places are used again that are used again.
type places[T any] struct {
	all  []T
	free []int32
}

// take returns a place, which holds what was left there.
func (p *places[T]) take() (int32, *T) {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i, &p.all[i]
	}
	var zero T
	p.all = append(p.all, zero)
	i := int32(len(p.all) - 1)
	return i, &p.all[i]
}

func (p *places[T]) at(i int32) *T { return &p.all[i] }

func (p *places[T]) give(i int32) { p.free = append(p.free, i) }

// position is a place in a view, and what a client there was sent last. It is
// shared by clients, as they nearly always stand in a few places.
type position struct {
	next uint64 // number of the frame to send next
	id   []byte // characters of the newest id sent, behind its head
	refs int32
}

// owed is a prefix that a client is in.
type owed struct {
	*prefix
	due orders.Time // when it must have been taken
}

// rest is what a full socket is still owed of what was begun: an opening, or the
// end of a frame that the ring may drop meanwhile.
type rest struct {
	data    []byte // not sent yet
	buffer  []byte // of data, where it was copied
	counted int    // bytes counted against the shard's limit
}

// maxIdleBuffer is the largest buffer of a rest that is kept for the next.
const maxIdleBuffer = 1 << 10
