package hub

import (
	"context"
	"errors"
	"sync"
	"time"
)

// prefix is what a client needs from before the head: bytes that never change,
// encoded once and shared by all who come from the same place at about the same
// time. It ends exactly where frame cut begins.
type prefix struct {
	key  prefixKey
	data []byte
	cut  uint64 // notInRing: a page, behind which another follows
	id   string // of the cut
	end  bool   // nothing follows
	era  int64  // of a page: of the history

	// guarded by prefixes.mu
	refs  int
	bytes int // counted against the budget
	then  []func()

	ready chan struct{} // closed once data stands, or the build was given up
	err   error         // why it was given up; written before ready is closed
}

// prefixKey says for whom a prefix is true: those of one view that come from
// the same place. Typed fields, so that no two of them run into each other.
type prefixKey struct {
	view     *view
	text     string // id
	unusable bool
	lapped   bool
	end      string // of a range
}

// prefixes shares prefixes and keeps them within a budget of bytes. Those that
// nobody reads at the moment stay until the room is wanted: in a rush of joins
// the next client is a moment away. Beyond the budget joins wait.
type prefixes struct {
	mu     sync.Mutex
	byView map[*view]map[prefixKey]*prefix
	spare  map[*prefix]struct{} // finished, and read by nobody
	past   *past                // immutable; nil: there are no pages
	room   room                 // under mu
}

func newPrefixes(limit int, past *past) *prefixes {
	return &prefixes{
		past:   past,
		byView: map[*view]map[prefixKey]*prefix{}, spare: map[*prefix]struct{}{}, room: newRoom(limit),
	}
}

func (ps *prefixes) inUse() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.room.small + ps.room.large
}

// prefix returns the prefix of a view for clients of that origin, and the one
// who gets it releases it. It waits while the budget is used up; the errors are
// those of p.
func (h *Hub) prefix(p patience, v *view, from origin) (*prefix, error) {
	key := prefixKey{view: v, text: from.text, unusable: from.unusable, lapped: from.lapped, end: from.end}
	for {
		x, mine := h.prefixes.claim(key)
		if mine {
			h.build(&p, x, from)
		}
		err := p.wait(x.ready)
		if err == nil && x.err == nil {
			if !mine {
				h.metrics.shared.Inc()
			}
			return x, nil
		}
		h.prefixes.release(x)
		if err == nil && mine {
			err = x.err
		}
		if errors.Is(err, errAgain) {
			err = p.warn()
		}
		if err != nil {
			return nil, err
		} // otherwise the one who was to build it left: try again
	}
}

// patience is what somebody who waits for a prefix also listens to.
type patience struct {
	ctx  context.Context
	stop <-chan struct{} // closed: errStopped
	// before is called before a wait: whoever waits is told hello meanwhile.
	before func() error
	warned bool // before was called
}

// errAgain says that before must be called, and then all tried again.
var errAgain = errors.New("hub: not told of the wait yet")

// warn calls before. It may take as long as the client likes, so that nothing
// may be held meanwhile: neither room nor a prefix that others wait for.
func (p *patience) warn() error {
	p.warned = true
	return p.before()
}

// wait waits for ch, or returns errAgain where warn must come first.
func (p *patience) wait(ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	default:
	}
	if !p.warned {
		return errAgain
	}
	select {
	case <-ch:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-p.stop:
		return errStopped
	}
}

// claim takes a prefix that is still of use, or leaves a new one to build.
func (ps *prefixes) claim(key prefixKey) (p *prefix, mine bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p = ps.byView[key.view][key]
	if p != nil && ps.usable(p) {
		p.refs++
		delete(ps.spare, p)
		return p, false
	}
	if p != nil {
		ps.dropLocked(p)
	}
	p = &prefix{key: key, refs: 1, ready: make(chan struct{})}
	if ps.byView[key.view] == nil {
		ps.byView[key.view] = map[prefixKey]*prefix{}
	}
	ps.byView[key.view][key] = p
	return p, true
}

// usable says whether a newcomer may take p: the ring must still hold what
// comes behind it, and not so much that a new prefix would be shorter.
func (ps *prefixes) usable(p *prefix) bool {
	select {
	case <-p.ready:
	default:
		return true // being built
	}
	if p.err == nil && p.cut == notInRing {
		return ps.past != nil && ps.past.era.Load() == p.era // what a page holds stays true
	}
	behind, kept := p.key.view.ring.between(p.cut)
	return p.err == nil && kept && behind <= maxPrefixReuse
}

// maxPlans is how often at most a prefix is planned: where the estimate was far
// too low once more, behind those who have waited as long.
const maxPlans = 2

// build makes the bytes of x. Planning comes after room for the estimate is
// had, so that those who wait cost nothing.
func (h *Hub) build(p *patience, x *prefix, from origin) {
	defer h.prefixes.finish(x)
	need := h.estimate(x.key.view, from)
	for n := 1; ; n++ {
		if x.err = h.prefixes.reserve(p, x, need); x.err != nil {
			h.prefixes.giveUp(x)
			return
		}
		plan := h.plan(x.key.view, from)
		if plan.bytes > 2*need+maxWriteBytes && n < maxPlans {
			h.prefixes.correct(x, 0)
			need = plan.bytes
			continue
		}
		if plan.reaches != nil {
			if x.err = h.fill(p.ctx, plan); x.err != nil {
				h.prefixes.giveUp(x)
				return
			}
			h.metrics.pages.Inc()
		}
		h.metrics.built.Inc()
		h.encode(x, plan)
		h.prefixes.correct(x, len(x.data))
		for _, it := range plan.items {
			if it.record == nil {
				h.metrics.gap(it.gap.reason)
			}
		}
		return
	}
}

// encode makes the bytes of x. Those of pages take turns.
func (h *Hub) encode(x *prefix, plan *plan) {
	if plan.cut == notInRing {
		h.builders.encode <- struct{}{}
		defer func() { <-h.builders.encode }()
	}
	x.data = plan.encode(h.config.Topics, x.key.view.ring.encoding)
	x.cut, x.id, x.end, x.era = plan.cut, plan.head, plan.end, plan.era
}

// finish lets those who wait for x know that it stands, or was given up.
func (ps *prefixes) finish(x *prefix) {
	ps.mu.Lock()
	then := x.then
	x.then = nil
	close(x.ready)
	ps.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// whenReady calls f, which must not wait, once x stands or was given up.
func (ps *prefixes) whenReady(x *prefix, f func()) {
	ps.mu.Lock()
	select {
	case <-x.ready:
		ps.mu.Unlock()
		f()
		return
	default:
	}
	x.then = append(x.then, f)
	ps.mu.Unlock()
}

// share counts one more who uses x.
func (ps *prefixes) share(x *prefix) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	x.refs++
}

// wanted says whether anybody but its builder still waits for x.
func (ps *prefixes) wanted(x *prefix) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return x.refs > 1
}

// reserve counts n bytes for x, waiting for its turn where there is no room.
func (ps *prefixes) reserve(p *patience, x *prefix, n int) error {
	ps.mu.Lock()
	for other := range ps.spare {
		if ps.room.fits(n) {
			break
		}
		ps.dropLocked(other)
	}
	t := ps.room.enqueue(n)
	ps.mu.Unlock()
	err := p.wait(t.admitted)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if err != nil {
		ps.room.leave(t)
		return err
	}
	x.bytes = n
	return nil
}

// correct counts what x came to.
func (ps *prefixes) correct(x *prefix, n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.room.change(x.bytes, n)
	x.bytes = n
}

// giveUp lets the next who wants p build it.
func (ps *prefixes) giveUp(p *prefix) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.dropLocked(p)
}

// release gives back what claim took.
func (ps *prefixes) release(p *prefix) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.refs--
	if p.refs > 0 {
		return
	}
	if ps.byView[p.key.view][p.key] == p && !ps.room.wanted() {
		ps.spare[p] = struct{}{}
		return
	}
	ps.dropLocked(p)
}

// dropLocked takes p out. Its bytes count until the last who reads it is done.
func (ps *prefixes) dropLocked(p *prefix) {
	own := ps.byView[p.key.view]
	if own[p.key] == p {
		delete(own, p.key)
	}
	if len(own) == 0 {
		delete(ps.byView, p.key.view)
	}
	if p.refs == 0 {
		delete(ps.spare, p)
		ps.room.change(p.bytes, 0)
		p.bytes = 0
	}
}

// forget drops the prefixes of a view that is no more.
func (ps *prefixes) forget(v *view) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.byView[v] {
		ps.dropLocked(p)
	}
}

// lowestRate is how fast, in bytes a second, a client must at least take its
// prefix beyond the stall timeout: while it has not, it keeps others waiting.
const lowestRate = 16 << 10

// allowed returns how long a client may take for p. Beyond, it is slow.
func (p *prefix) allowed(stall time.Duration) time.Duration {
	return stall + time.Duration(len(p.data))*time.Second/lowestRate
}
