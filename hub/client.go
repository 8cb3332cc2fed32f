package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"livemap/orders"
)

// Errors of Join.
var (
	ErrFull         = errors.New("hub: as many clients as allowed")
	ErrDraining     = errors.New("hub: draining")
	ErrUnknownTopic = errors.New("hub: no such topic")
	ErrNoTopic      = errors.New("hub: no topic asked for")
	ErrKeys         = errors.New("hub: too many keys asked for")
	// ErrBadID says that an id is not one of this server's.
	ErrBadID = errID
)

// Subscription is what a client asks for.
type Subscription struct {
	Topics []string // at least one; order and repetition do not matter
	Keys   []string // only records with these keys
	// Beginnings are those of further keys, of which nobody has a list: records
	// whose key begins with one of them. Both nil: every record.
	Beginnings []string
	Envelope   bool   // data is {topic,partition,offset,at,key,value}
	LastID     string // of the last event that it had; empty: none
	// Span is the time that is asked for, of log topics that LastID does not know;
	// nil: from now on. A span that is over needs Serve.
	Span *Span
	// Until is when the stream ends with the reason end; zero: never.
	Until time.Time
	// Expires is when the stream must end with the reason expired; zero: never.
	Expires time.Time
	// Permission is what the stream depends on besides; nil: on nothing.
	Permission Permission
}

// CheckID returns an error that wraps ErrBadID unless text is an id.
func CheckID(text string) error {
	_, err := parseID(text)
	return err
}

// cursor is all that must be kept of a client between two writes, whatever
// drives it: a handful of numbers without a pointer.
type cursor struct {
	next    uint64      // number of the frame to send next
	offset  uint32      // bytes of the prefix sent
	expires orders.Time // when the stream ends
	reason  uint8       // index into closeReasons: why it ends then
}

// Client is one connection. It is made by Join and driven by Serve, or lives
// only until HandOver.
type Client struct {
	hub        *Hub
	view       *view
	topics     []Topic // as hello lists them
	origin     origin
	permission Permission // nil: none

	cursor cursor // owned by Serve, but expires and reason: guarded by clients.mu

	stop   chan struct{} // closed by end, once
	why    atomic.Value  // CloseReason, set before stop is closed
	sink   Sink          // guarded by clients.mu: whom to cut off when the drain is over
	ending bool          // guarded by clients.mu

	over func(CloseReason) // told by a shard; nil but in tests
}

// Join admits a client. HandOver or Serve must be called: until then, and while
// the stream lasts, the client counts.
func (h *Hub) Join(s Subscription) (*Client, error) {
	topics, err := h.resolve(s.Topics)
	if err != nil {
		return nil, err
	}
	keys, err := keySetOf(s)
	if err != nil {
		return nil, err
	}
	c := &Client{hub: h, stop: make(chan struct{}), permission: s.Permission}
	if s.LastID != "" {
		c.origin.id, err = parseID(s.LastID)
		c.origin.unusable = err != nil
		if err == nil {
			c.origin.text = s.LastID
		}
	}
	for _, i := range topics {
		c.topics = append(c.topics, h.config.Topics[i])
	}
	c.setExpiry(s.Expires, s.Until)
	if err := h.clients.add(c, h.config.MaxClients); err != nil {
		return nil, err
	}
	enc := plain
	if s.Envelope {
		enc = envelope
	}
	h.mu.Lock()
	var p pins
	if !s.Span.Over() && s.Until.IsZero() {
		p = h.pinned(topics, keys, c.origin.id)
	}
	c.view, err = h.enter(topics, keys, enc, p)
	h.mu.Unlock()
	if err != nil {
		h.clients.remove(c)
		return nil, fmt.Errorf("%w: %w", ErrFull, err)
	}
	c.origin.within(s.Span, c.view)
	return c, nil
}

// resolve returns the indexes of topics, ascending.
func (h *Hub) resolve(names []string) ([]int, error) {
	if len(names) == 0 {
		return nil, ErrNoTopic
	}
	var topics []int
	for _, name := range names {
		i, ok := h.byName[name]
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrUnknownTopic, name)
		}
		topics = append(topics, i)
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

// setExpiry settles when the stream ends by itself: at the age limit, give or
// take a fifth, when the permission ends, or when the time asked for does,
// whichever is first.
func (c *Client) setExpiry(permission, until time.Time) {
	now := c.hub.clock.now()
	c.cursor.expires = 1<<63 - 1
	if age := c.hub.config.MaxStreamAge; age > 0 {
		c.cursor.expires = now.Add(between(age*4/5, age*6/5))
		c.cursor.reason = reasonIndex(CloseRebalance)
	}
	if at := c.hub.clock.at(permission); !permission.IsZero() && at < c.cursor.expires {
		c.cursor.expires = at
		c.cursor.reason = reasonIndex(CloseExpired)
	}
	if at := c.hub.clock.at(until); !until.IsZero() && at < c.cursor.expires {
		c.cursor.expires = at
		c.cursor.reason = reasonIndex(CloseEnd)
	}
}

// retryAfter returns how long a client is asked to stay away. Who only has to move,
// from a pod that ends or is full of old streams, may come back at once: the ends of
// those streams are spread over time already.
func (h *Hub) retryAfter(reason CloseReason) time.Duration {
	if reason == CloseDrain || reason == CloseRebalance {
		return between(drainRetry/5, drainRetry)
	}
	return between(h.config.RetryMin, h.config.RetryMax)
}

func reasonIndex(r CloseReason) uint8 { return uint8(slices.Index(closeReasons, r)) }

// clients are all that are connected.
type clients struct {
	mu       sync.Mutex
	all      map[*Client]struct{} // but those of shards
	sharded  int
	handed   int // handed over to shards since the beginning
	draining bool
	gone     broadcast // sent when one left, under mu
}

func (cs *clients) init() {
	cs.all = map[*Client]struct{}{}
	cs.gone.init()
}

func (cs *clients) add(c *Client, limit int) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.draining:
		return ErrDraining
	case len(cs.all)+cs.sharded >= limit:
		return ErrFull
	}
	cs.all[c] = struct{}{}
	return nil
}

func (cs *clients) remove(c *Client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.all, c)
	cs.gone.send()
}

// left counts out a client that was admitted.
func (c *Client) left(reason CloseReason) {
	c.hub.leave(c.view)
	c.hub.metrics.closes[reason].Inc()
	if c.permission != nil {
		c.permission.Left()
	}
	c.hub.clients.remove(c)
}

// expire ends the streams whose time has come. One look at all clients a second
// is cheaper than a timer for each.
func (cs *clients) expire(now orders.Time) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.all {
		if c.cursor.expires <= now {
			c.endLocked(closeReasons[c.cursor.reason])
		}
	}
	cs.cutOver(now)
}

// endLocked asks the client's walker to say goodbye and leave. Needs
// clients.mu.
func (c *Client) endLocked(reason CloseReason) {
	if !c.ending {
		c.ending = true
		c.why.Store(reason)
		close(c.stop)
	}
}

// handedOver returns how many clients were handed over since the beginning.
func (cs *clients) handedOver() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.handed
}

// Clients returns how many clients are connected.
func (h *Hub) Clients() int {
	h.clients.mu.Lock()
	defer h.clients.mu.Unlock()
	return len(h.clients.all) + h.clients.sharded
}

// Drain refuses new clients and ends the streams of all, spread evenly at
// random over the window, each with a short retry. It returns when the last is
// gone; when ctx is done first, it cuts off those that are left.
func (h *Hub) Drain(ctx context.Context, window time.Duration) {
	cs := &h.clients
	cs.mu.Lock()
	cs.draining = true
	now := h.clock.now()
	for c := range cs.all {
		end := now.Add(between(0, window))
		if end < c.cursor.expires {
			c.cursor.expires, c.cursor.reason = end, reasonIndex(CloseDrain)
		}
	}
	h.shards.drain(now, window)
	cs.mu.Unlock()
	tick := time.NewTicker(max(window/200, 10*time.Millisecond))
	defer tick.Stop()
	done := ctx.Done()
	var late time.Time // when those that are left are cut off; zero: not yet
	for {
		if !late.IsZero() { // again each time: a walker may just have set its own deadline
			cs.cut(late)
			h.shards.cut(late)
		}
		cs.expire(h.clock.now())
		cs.mu.Lock()
		left, gone := len(cs.all)+cs.sharded, cs.gone.wait()
		cs.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-done:
			done, late = nil, time.Now().Add(cutGrace)
		case <-tick.C:
		case <-gone:
		}
	}
}

// cut ends all streams, and lets no write take longer than until.
func (cs *clients) cut(until time.Time) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.all {
		c.endLocked(CloseDrain)
		if c.sink != nil {
			c.sink.SetWriteDeadline(until) // an error here means it is closed already
		}
	}
}
