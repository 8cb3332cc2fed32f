package hub

import (
	"context"
	"sync"
)

// laps are the clients that the ring has left behind and that wait for a prefix.
// Making one may have to wait for room among the prefixes, which the loop must
// not; so a goroutine of the shard makes them, one after the other. They are no
// more than the shard's clients.
type laps struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting []lap
}

// lap is one of them. It holds its view.
type lap struct {
	ticket
	view *view
	id   string
}

func (l *laps) init() { l.wake = make(chan struct{}, 1) }

func (l *laps) put(x lap) {
	l.mu.Lock()
	l.waiting = append(l.waiting, x)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *laps) next() (x lap, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.waiting = nil
		return lap{}, false
	}
	x = l.waiting[0]
	l.waiting = l.waiting[1:]
	return x, true
}

// rejoin puts a client that the ring has left behind where one would be that
// connected with its last id. One that was in the middle of a frame of which no
// copy was kept is closed: an event that is cut short does not move its id, so
// that it loses nothing when it comes back.
func (s *shard) rejoin(i int32, c *slot) progress {
	if c.offset > 0 {
		s.drop(i, CloseSlow)
		return parted
	}
	a := *s.audiences.at(c.audience)
	s.hub.metrics.lapped.Inc()
	s.hub.mu.Lock()
	a.view.clients++
	s.hub.mu.Unlock()
	id := string(a.view.head[:]) + string(s.positions.at(c.position).id)
	s.rank(i, c, away)
	s.lap.put(lap{ticket{i, c.turn}, a.view, id})
	return parted
}

// serveLaps makes prefixes for those who wait, until ctx is done.
func (s *shard) serveLaps(ctx context.Context) {
	patience := patience{ctx: ctx, before: func() error { return nil }}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lap.wake:
		}
		for l, ok := s.lap.next(); ok; l, ok = s.lap.next() {
			var x *prefix
			last, err := parseID(l.id)
			if err == nil {
				x, err = s.hub.prefix(patience, l.view, origin{id: last, text: l.id, lapped: true})
			}
			s.post(func(m *mail) { m.calls = append(m.calls, func() { s.caughtUp(l, x, err) }) })
		}
	}
}

// caughtUp gives a client the prefix that was made for it.
func (s *shard) caughtUp(l lap, x *prefix, err error) {
	c := s.slab.at(l.slot)
	here := c.turn == l.turn && c.fd != none && c.state == away && !c.ending
	switch {
	case !here && err == nil:
		s.hub.prefixes.release(x)
	case here && err != nil:
		s.drop(l.slot, CloseLeft)
	case here:
		s.enterPrefix(c, x)
		s.flush(l.slot)
	}
	s.hub.leave(l.view)
}
