package hub

import (
	"time"

	"livemap/hub/internal/poll"
	"livemap/orders"
)

// arrival is a client on its way into a shard.
type arrival struct {
	fd         int
	view       *view
	permission Permission // nil: none
	opening    []byte     // goes out first
	prefix     *prefix    // nil: it goes on in the ring, at next and behind id
	next       uint64
	id         []byte
	expires    orders.Time
	reason     uint8
	ending     bool              // for that reason, and by now
	over       func(CloseReason) // tests only
}

// arrive takes a client in and sends it what it is owed.
func (s *shard) arrive(p *poll.Poller, a *arrival) {
	i, c := s.slab.take(a.fd)
	c.expires, c.reason, c.ending = a.expires, a.reason, a.ending
	if a.view.ring.isOver() && !a.ending {
		c.expires, c.reason, c.ending = s.now, reasonIndex(CloseRebalance), true
	}
	s.enlist(c, a.view)
	s.hold(c, a.permission)
	if a.over != nil {
		s.overs[i] = a.over
	}
	if s.slab.used == 1 {
		s.nextSweep = s.now
	}
	if len(a.opening) > 0 {
		place, r := s.rests.take()
		r.data, r.counted = a.opening, len(a.opening)
		c.rest = place
		s.restBytes += r.counted
	}
	if a.prefix != nil {
		s.enterPrefix(c, a.prefix)
	} else {
		c.position = s.place(*s.audiences.at(c.audience), a.next, a.id)
	}
	if err := p.Add(a.fd, ticket{i, c.turn}.token()); err != nil {
		s.hub.config.Logger.Error("watch a client's socket", "err", err)
		s.drop(i, CloseOverload)
		return
	}
	s.flush(i)
}

func (s *shard) enterPrefix(c *slot, x *prefix) {
	place, p := s.prefixes.take()
	*p = owed{x, s.now.Add(x.allowed(s.hub.config.StallTimeout))}
	c.prefix, c.offset = place, 0
	s.move(c, none)
}

// leavePrefix puts a client that has its prefix where the ring goes on.
func (s *shard) leavePrefix(c *slot) {
	x := s.prefixes.at(c.prefix)
	s.move(c, s.place(*s.audiences.at(c.audience), x.cut, []byte(x.id[idHeadText:])))
	s.forgetPrefix(c)
	c.offset = 0
}

func (s *shard) forgetPrefix(c *slot) {
	p := s.prefixes.at(c.prefix)
	s.hub.prefixes.release(p.prefix)
	*p = owed{}
	s.prefixes.give(c.prefix)
	c.prefix = none
}

// drop closes a client's socket and forgets it. One that was to go anyway went
// for that reason.
func (s *shard) drop(i int32, reason CloseReason) {
	c := s.slab.at(i)
	if c.ending {
		reason = closeReasons[c.reason]
	}
	poll.Close(int(c.fd))
	s.rank(i, c, busy) // out of the list
	if c.prefix != none {
		s.forgetPrefix(c)
	}
	if c.rest != none {
		s.consumeRest(c, len(s.rests.at(c.rest).data))
	}
	s.move(c, none)
	s.discharge(c)
	s.release(c)
	s.slab.give(i)
	s.hub.metrics.closes[reason].Inc()
	s.hub.clients.leftShard(s)
	if over := s.overs[i]; over != nil {
		delete(s.overs, i)
		over(reason)
	}
}

// sweep looks for clients whose time has come.
func (s *shard) sweep() {
	interval := sweepInterval
	if s.draining {
		interval = drainInterval
	}
	s.nextSweep = s.now.Add(interval)
	stalled, over := s.now.Add(-s.hub.config.StallTimeout), s.now.Add(-cutGrace)
	for i := range s.slab.size() {
		c := s.slab.at(i)
		switch {
		case c.fd == none:
		case s.cutAt != 0 && s.now >= s.cutAt && c.ending:
			poll.Abandon(int(c.fd))
			s.drop(i, CloseDrain)
		case c.ending && c.expires <= over && closeReasons[c.reason].permissionOver():
			poll.Abandon(int(c.fd))
			s.drop(i, closeReasons[c.reason])
		case c.state == full && (c.since <= stalled || c.prefix != none && s.prefixes.at(c.prefix).due <= s.now):
			poll.Abandon(int(c.fd))
			s.drop(i, CloseSlow)
		case c.expires <= s.now && !c.ending:
			s.end(i, s.whyNow(c))
		case s.waitsLong(c):
			s.assure(i, c)
		}
	}
	s.ungather()
}

// end has a client say goodbye, as soon as its socket takes it.
func (s *shard) end(i int32, reason CloseReason) {
	c := s.slab.at(i)
	if c.ending {
		return
	}
	c.ending, c.reason, c.expires = true, reasonIndex(reason), s.now
	if c.state != full {
		s.flush(i)
	}
}

// appendGoodbye appends a client's last event.
func (s *shard) appendGoodbye(b []byte, c *slot) []byte {
	reason := closeReasons[c.reason]
	return AppendGoodbye(b, reason.told(), s.hub.retryAfter(reason))
}

// drain spreads the ends of all streams over the window.
func (s *shard) drain(now orders.Time, window time.Duration) {
	s.draining, s.nextSweep = true, s.now
	for i := range s.slab.size() {
		c := s.slab.at(i)
		if end := now.Add(between(0, window)); c.fd != none && end < c.expires {
			c.expires, c.reason = end, reasonIndex(CloseDrain)
		}
	}
}

// leave ends the streams of a ring that is over.
func (s *shard) leave(r *ring) {
	for i := range s.slab.size() {
		if c := s.slab.at(i); c.fd != none && (*s.audiences.at(c.audience)).view.ring == r {
			s.end(i, CloseRebalance)
		}
	}
}

// cutOff ends all streams. Those that do not take their goodbye before at are
// cut off.
func (s *shard) cutOff(at orders.Time) {
	s.draining, s.cutAt, s.nextSweep = true, at, s.now
	for i := range s.slab.size() {
		if s.slab.at(i).fd != none {
			s.end(i, CloseDrain)
		}
	}
}

// keepRest copies b as what a client must get before all else. It declines
// where that is too much, of one or of all.
func (s *shard) keepRest(c *slot, b []byte) bool {
	if len(b) > maxRestBytes || s.restBytes+len(b) > s.restLimit {
		return false
	}
	i, r := s.rests.take()
	r.buffer = append(r.buffer[:0], b...)
	r.data, r.counted = r.buffer, len(b)
	c.rest = i
	s.restBytes += len(b)
	return true
}

// remain keeps b, or else closes the client: what was cut short and is not
// completed must not be followed by anything.
func (s *shard) remain(i int32, c *slot, b []byte) progress {
	if !s.keepRest(c, b) {
		s.drop(i, CloseSlow)
		return parted
	}
	return cut
}

// consumeRest takes n bytes off a client's rest, and says whether that was all.
func (s *shard) consumeRest(c *slot, n int) bool {
	r := s.rests.at(c.rest)
	r.data = r.data[n:]
	if len(r.data) > 0 {
		return false
	}
	s.restBytes -= r.counted
	r.data, r.counted = nil, 0
	if cap(r.buffer) > maxIdleBuffer {
		r.buffer = nil
	}
	s.rests.give(c.rest)
	c.rest = none
	return true
}
