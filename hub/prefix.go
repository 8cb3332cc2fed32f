package hub

import (
	"context"
	"sync"
)

// prefix is what a client needs from before the head: bytes that never change,
// encoded once and shared by all who come from the same place at about the same
// time. It ends exactly where frame cut begins.
type prefix struct {
	key  prefixKey
	data []byte
	cut  uint64
	id   string // of the cut

	// guarded by prefixes.mu
	refs  int
	bytes int // counted against the budget

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
}

// prefixes shares prefixes and keeps them within a budget of bytes. Those that
// nobody reads at the moment stay until the room is wanted: in a rush of joins
// the next client is a moment away. Beyond the budget joins wait.
type prefixes struct {
	limit int

	mu    sync.Mutex
	byKey map[prefixKey]*prefix
	bytes int
	freed broadcast // under mu
}

func newPrefixes(limit int) *prefixes {
	p := &prefixes{limit: limit, byKey: map[prefixKey]*prefix{}}
	p.freed.init()
	return p
}

func (ps *prefixes) inUse() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.bytes
}

// prefix returns the prefix of a view for clients of that origin, and the one
// who gets it releases it. It waits while the budget is used up; the errors are
// those of p.
func (h *Hub) prefix(p patience, v *view, from origin) (*prefix, error) {
	key := prefixKey{view: v, text: from.text, unusable: from.unusable, lapped: from.lapped}
	for {
		x, mine := h.prefixes.claim(key)
		if mine {
			h.metrics.built.Inc()
			h.build(p, x, v, from)
		} else {
			h.metrics.shared.Inc()
		}
		err := p.wait(x.ready)
		if err == nil && x.err == nil {
			return x, nil
		}
		h.prefixes.release(x)
		if err == nil && mine {
			err = x.err
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
}

// wait waits for ch.
func (p patience) wait(ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	default:
	}
	if err := p.before(); err != nil {
		return err
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
	p = ps.byKey[key]
	if p != nil && p.usable() {
		p.refs++
		return p, false
	}
	if p != nil {
		ps.dropLocked(p)
	}
	p = &prefix{key: key, refs: 1, ready: make(chan struct{})}
	ps.byKey[key] = p
	return p, true
}

// usable says whether a newcomer may take p: the ring must still hold what
// comes behind it, and not so much that a new prefix would be shorter.
func (p *prefix) usable() bool {
	select {
	case <-p.ready:
	default:
		return true // being built
	}
	behind, kept := p.key.view.ring.between(p.cut)
	return p.err == nil && kept && behind <= maxPrefixReuse
}

// build makes the bytes of x. It plans anew after each wait for room: what it
// had planned may have grown old.
func (h *Hub) build(p patience, x *prefix, v *view, from origin) {
	defer close(x.ready)
	for {
		h.mu.Lock()
		plan := h.plan(v, from)
		h.mu.Unlock()
		room := h.prefixes.reserve(x, plan.bytes)
		if room == nil {
			x.data = plan.encode(h.config.Topics, v.ring.encoding)
			x.cut, x.id = plan.cut, plan.head
			h.prefixes.correct(x, len(x.data))
			for _, it := range plan.items {
				if it.record == nil {
					h.metrics.gap(it.gap.reason)
				}
			}
			return
		}
		if x.err = p.wait(room); x.err != nil {
			h.prefixes.giveUp(x)
			return
		}
	}
}

// reserve counts n bytes for p, or returns a channel that is closed when there
// may be room. One prefix is always let through, however large.
func (ps *prefixes) reserve(p *prefix, n int) <-chan struct{} {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, other := range ps.byKey {
		if ps.bytes+n <= ps.limit {
			break
		}
		if other.refs == 0 {
			ps.dropLocked(other)
		}
	}
	if ps.bytes > 0 && ps.bytes+n > ps.limit {
		return ps.freed.wait()
	}
	p.bytes = n
	ps.bytes += n
	return nil
}

// correct counts what p came to.
func (ps *prefixes) correct(p *prefix, n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.bytes += n - p.bytes
	p.bytes = n
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
	if p.refs == 0 {
		if ps.byKey[p.key] != p {
			ps.bytes -= p.bytes // it was replaced while in use
			p.bytes = 0
		}
		ps.freed.send()
	}
}

// dropLocked takes p out. Its bytes count until the last who reads it is done.
func (ps *prefixes) dropLocked(p *prefix) {
	if ps.byKey[p.key] == p {
		delete(ps.byKey, p.key)
	}
	if p.refs == 0 {
		ps.bytes -= p.bytes
		p.bytes = 0
		ps.freed.send()
	}
}

// forget drops the prefixes of a view that is no more.
func (ps *prefixes) forget(v *view) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for key, p := range ps.byKey {
		if key.view == v {
			ps.dropLocked(p)
		}
	}
}
