package hub

import "livemap/hub/internal/poll"

// gathered is what the clients at one position are owed, put together once.
// Nearly all clients of an audience stand at the same place, so that what
// remains to do for each of them is one system call.
type gathered struct {
	valid    bool
	audience int32
	from     int32 // position; holds a reference
	end      int32 // position; holds a reference; none: nothing to send
	result   outcome
	whole    bool // end is the head of the ring
	batch    batch
	joined   []byte // the batch in one piece, where it is small
	send     poll.Send
}

// maxJoined is how many bytes are copied together for all clients, so that for
// each of them the kernel finds one piece: a frame of a view of keys is three.
const maxJoined = 8 << 10

// gather returns what is owed to a client that is in the ring.
func (s *shard) gather(c *slot) *gathered {
	g := &s.gathered
	a := *s.audiences.at(c.audience)
	if g.fits(c, a) {
		return g
	}
	s.ungather()
	from := s.positions.at(c.position)
	from.refs++
	g.valid, g.audience, g.from, g.end = true, c.audience, c.position, none
	var next uint64
	next, g.result = a.view.peek(from.next, &g.batch)
	g.whole = next == g.batch.head
	if g.result == some {
		g.end = s.place(a, next, g.batch.last)
		g.fill()
	}
	return g
}

// fits says whether it is what is owed to c, one of the audience a.
func (g *gathered) fits(c *slot, a *audience) bool {
	return g.valid && g.audience == c.audience && g.from == c.position && g.batch.head == a.view.ring.head.Load()
}

// fill makes the batch what is sent.
func (g *gathered) fill() {
	if len(g.batch.slices) == 1 || g.batch.bytes > maxJoined {
		for _, b := range g.batch.slices {
			g.send.Add(b)
		}
		return
	}
	g.joined = g.joined[:0]
	for _, b := range g.batch.slices {
		g.joined = append(g.joined, b...)
	}
	g.send.Add(g.joined)
}

// ungather forgets what was gathered, so that no segment outlives the ring for
// its sake.
func (s *shard) ungather() {
	g := &s.gathered
	if !g.valid {
		return
	}
	s.releasePosition(g.from)
	s.releasePosition(g.end)
	g.valid = false
	g.batch.reset()
	g.send.Reset()
}

// split moves a client to where its socket was full: sent bytes of g went out.
// The end of a frame that was begun is kept for the client if there is room;
// then the ring may go on. Otherwise the client stays in that frame.
func (s *shard) split(c *slot, g *gathered, sent int) {
	a := *s.audiences.at(c.audience)
	at := a.view.locate(&g.batch, sent)
	next, id := at.segment.first+uint64(at.frame), at.id
	if id == nil {
		id = s.positions.at(g.from).id
	}
	c.offset = 0
	if at.begun > 0 {
		s.scratch = append(append(s.scratch[:0], at.front...), at.back...)
		if s.keepRest(c, s.scratch) {
			next, id = next+1, at.own
		} else {
			c.offset = uint32(at.begun)
		}
	}
	s.move(c, s.place(a, next, id))
}
