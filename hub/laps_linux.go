package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// laps are the clients that wait for a prefix: those that the ring has left
// behind, and those that are caught up from the history. Making one may have to
// wait for room among the prefixes, which the loop must not; so a goroutine of
// the shard makes the former, one after the other, and asks the hub's builders
// for the latter. They are no more than the shard's clients, and a client that
// waits costs its slot and its place in line.
type laps struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting []lap
	later   []lap // whose history could not be read; by when
}

// lap is one of them. It holds its view.
type lap struct {
	ticket
	view   *view
	id     string
	lapped bool      // by the ring; otherwise a page follows another
	failed time.Time // when its history could not be read first
	again  time.Time // when it is tried again
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

// postpone puts a client that could not be served at the end, for later.
func (l *laps) postpone(x lap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.again = time.Now().Add(historyRest)
	if x.failed.IsZero() {
		x.failed = time.Now()
	}
	l.later = append(l.later, x)
}

// retry puts those back whose time has come.
func (l *laps) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	due, _ := slices.BinarySearchFunc(l.later, now, func(x lap, now time.Time) int { return x.again.Compare(now) })
	l.waiting = append(l.waiting, l.later[:due]...)
	l.later = slices.Delete(l.later, 0, due)
}

// rejoin puts a client that the ring has left behind, or whose page is over,
// where one would be that connected with its last id. One that was in the middle
// of a frame of which no copy was kept is closed: an event that is cut short does
// not move its id, so that it loses nothing when it comes back.
func (s *shard) rejoin(i int32, c *slot) progress {
	if c.offset > 0 {
		s.drop(i, CloseSlow)
		return parted
	}
	a := *s.audiences.at(c.audience)
	at := s.positions.at(c.position)
	lapped := at.next != notInRing
	if lapped {
		s.hub.metrics.lapped.Inc()
	}
	s.hub.mu.Lock()
	a.view.clients++
	s.hub.mu.Unlock()
	id := string(a.view.head[:]) + string(at.id)
	s.rank(i, c, away)
	c.since = s.now
	s.lap.put(lap{ticket: ticket{i, c.turn}, view: a.view, id: id, lapped: lapped})
	return parted
}

// serveLaps makes prefixes for those who wait, until ctx is done.
func (s *shard) serveLaps(ctx context.Context) {
	retry := time.NewTicker(historyRest / 2)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lap.wake:
		case <-retry.C:
			s.lap.retry()
		}
		for l, ok := s.lap.next(); ok; l, ok = s.lap.next() {
			s.serveLap(ctx, l)
		}
	}
}

// serveLap gets a client its prefix. It waits for that only where the prefix is
// not a page.
func (s *shard) serveLap(ctx context.Context, l lap) {
	done := func(x *prefix, err error) {
		s.post(func(m *mail) { m.calls = append(m.calls, func() { s.caughtUp(l, x, err) }) })
	}
	last, err := parseID(l.id)
	if err != nil {
		done(nil, err)
		return
	}
	from := origin{id: last, text: l.id, lapped: l.lapped}
	if s.hub.needsPage(l.view, from) {
		x := s.hub.page(l.view, from)
		s.hub.prefixes.whenReady(x, func() { done(x, x.err) })
		return
	}
	x, err := s.hub.prefix(patience{ctx: ctx, warned: true}, l.view, from)
	done(x, err)
}

// caughtUp gives a client the prefix that was made for it.
func (s *shard) caughtUp(l lap, x *prefix, err error) {
	c := s.slab.at(l.slot)
	here := c.turn == l.turn && c.fd != none && c.state == away && !c.ending
	if x != nil && (err != nil || !here) {
		s.hub.prefixes.release(x)
	}
	switch {
	case !here:
	case err == nil:
		s.enterPrefix(c, x)
		s.flush(l.slot)
	case !errors.Is(err, errHistory):
		s.drop(l.slot, CloseLeft)
	case !l.failed.IsZero() && time.Since(l.failed) > historyWait:
		s.end(l.slot, CloseBehind)
	default:
		s.lap.postpone(l)
		return
	}
	s.hub.leave(l.view)
}

// assure sends a client that waits for its prefix a heartbeat that tells nothing
// new, so that nobody takes it for dead.
func (s *shard) assure(i int32, c *slot) {
	c.since = s.now
	if c.rest != none { // it has not even taken what was sent last
		return
	}
	a := *s.audiences.at(c.audience)
	s.scratch = appendAssurance(s.scratch[:0], a.view, s.positions.at(c.position).id)
	s.out.Reset()
	s.out.Add(s.scratch)
	n, err := s.out.To(int(c.fd))
	switch {
	case err != nil:
		s.drop(i, CloseLeft)
	case n > 0 && n < len(s.scratch):
		s.count(c, n)
		s.remain(i, c, s.scratch[n:])
	default:
		s.count(c, n)
	}
}

// waitsLong says whether a client has waited for its prefix without a word for
// as long as heartbeats are apart.
func (s *shard) waitsLong(c *slot) bool {
	return c.state == away && !c.ending && c.position != none && c.since <= s.now.Add(-s.hub.config.Heartbeat)
}

// whyNow returns why a client's stream ends now that its time has come. One that
// asked for an end and was not sent all before it must come back for the rest.
func (s *shard) whyNow(c *slot) CloseReason {
	reason := closeReasons[c.reason]
	if reason == CloseEnd && (c.state == away || c.state == full || c.prefix != none) {
		return CloseRebalance
	}
	return reason
}
