package hub

import "time"

// audience are the clients of a shard that have the same view.
type audience struct {
	listener
	view *view

	// owned by the shard's loop
	clients int
	first   int32 // of the idle; or none
	recent  int32 // the position taken last, which the next client is likely to share; or none

	stirred bool // it is among the shard's news; guarded by mail.mu
}

// enlist makes a client one of a view's audience. From then on the shard is
// told of the view's news.
func (s *shard) enlist(c *slot, v *view) {
	i, known := s.byView[v]
	if !known {
		var p **audience
		i, p = s.audiences.take()
		a := &audience{view: v, first: none, recent: none}
		a.stir = func() { s.stir(a) }
		*p = a
		s.byView[v] = i
		v.listen(&a.listener)
	}
	c.audience = i
	(*s.audiences.at(i)).clients++
}

// discharge takes a client out. The view may be gone with it.
func (s *shard) discharge(c *slot) {
	p := s.audiences.at(c.audience)
	a := *p
	a.clients--
	if a.clients == 0 {
		s.releasePosition(a.recent)
		a.view.unlisten(&a.listener)
		delete(s.byView, a.view)
		*p = nil
		s.audiences.give(c.audience)
	}
	s.hub.leave(a.view)
}

// aloneClients is after how many clients, of those that each take a call, the
// clock is read for how long they waited.
const aloneClients = 16

// tell sends what is new to those who wait for it: since arrived, unless that is
// zero.
func (s *shard) tell(a *audience, arrived time.Time) {
	for i := a.first; i != none && a.clients > 0; {
		told := 0
		if s.queue != nil {
			i, told = s.tellTogether(a, i)
		} else {
			i, told = s.tellAlone(i)
		}
		if !arrived.IsZero() {
			s.waits.add(time.Since(arrived), told)
		}
	}
}

// tellAlone is tell for some clients of the list from i on, with a call for each.
// It returns who comes next, and how many they were.
func (s *shard) tellAlone(i int32) (next int32, told int) {
	for i != none && told < aloneClients {
		next = s.slab.at(i).behind // a client that is full or gone leaves the list
		s.flush(i)
		i = next
		told++
	}
	return i, told
}

// tellTogether is tellAlone with one call for all that are owed the same, as many
// as it takes.
func (s *shard) tellTogether(a *audience, i int32) (next int32, told int) {
	c := s.slab.at(i)
	if !c.inRing() || s.gather(c).result != some {
		next = c.behind
		s.flush(i)
		return next, 1
	}
	g := &s.gathered
	s.told = s.told[:0]
	for next = i; ; {
		s.queue.Add(int(c.fd), &g.send)
		s.told = append(s.told, next)
		next = c.behind
		if next == none || s.queue.Full() {
			break
		}
		if c = s.slab.at(next); !c.inRing() || !g.fits(c, a) {
			break
		}
	}
	told = len(s.told)
	s.sendTogether(g)
	return next, told
}

// rank puts a client into a state, and into or out of the list of the idle.
func (s *shard) rank(i int32, c *slot, state slotState) {
	if c.state == state {
		return
	}
	a := *s.audiences.at(c.audience)
	if c.state == idle {
		if c.before == none {
			a.first = c.behind
		} else {
			s.slab.at(c.before).behind = c.behind
		}
		if c.behind != none {
			s.slab.at(c.behind).before = c.before
		}
		c.before, c.behind = none, none
	}
	c.state = state
	if state != idle {
		return
	}
	c.before, c.behind = none, a.first
	if a.first != none {
		s.slab.at(a.first).before = i
	}
	a.first = i
}

// place returns the position of the audience with that number, with one more
// reference to it.
func (s *shard) place(a *audience, next uint64, id []byte) int32 {
	if a.recent != none {
		if p := s.positions.at(a.recent); p.next == next && string(p.id) == string(id) {
			p.refs++
			return a.recent
		}
	}
	i, p := s.positions.take()
	p.next, p.id, p.refs = next, append(p.id[:0], id...), 2 // of the caller and of the audience
	s.releasePosition(a.recent)
	a.recent = i
	return i
}

// move puts a client at a position, taking over the caller's reference.
func (s *shard) move(c *slot, to int32) {
	s.releasePosition(c.position)
	c.position = to
}

func (s *shard) releasePosition(i int32) {
	if i == none {
		return
	}
	p := s.positions.at(i)
	p.refs--
	if p.refs == 0 {
		s.positions.give(i)
	}
}
