package hub

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// cutGrace is how long a client has to take its goodbye when the drain is over.
const cutGrace = 100 * time.Millisecond

// Sink takes the bytes of one client. It is a socket, or an HTTP/2 stream.
type Sink interface {
	// WriteBuffers writes and consumes all of b, returning how much was
	// accepted. Beyond the write deadline it returns an error that is
	// os.ErrDeadlineExceeded.
	WriteBuffers(b *net.Buffers) (int64, error)
	// SetWriteDeadline is called concurrently with WriteBuffers.
	SetWriteDeadline(t time.Time) error
}

// walker drives one client from the goroutine of its HTTP handler: the way for
// all systems, and for streams that are not sockets. Between two writes it
// waits for its view's broadcast.
type walker struct {
	*Client
	sink   Sink
	due    time.Time // until when the prefix must have been taken; zero without one
	batch  batch
	opener []byte // what goes out first
	prefix *prefix
	lastID []byte // characters of the newest id sent, behind its head
	idle   func() // called before a wait for admission; nil: nobody cares
}

// Serve sends opening and the stream until ctx is done, the client leaves or
// the hub ends it, and returns why. It must be called exactly once.
func (c *Client) Serve(ctx context.Context, sink Sink, opening []byte) CloseReason {
	h := c.hub
	h.clients.mu.Lock()
	c.sink = sink
	h.clients.mu.Unlock()
	w := &walker{Client: c, sink: sink}
	reason := w.run(ctx, opening)
	w.leave(reason)
	return reason
}

// leave gives back all that the client had.
func (w *walker) leave(reason CloseReason) {
	if w.prefix != nil {
		w.hub.prefixes.release(w.prefix)
	}
	w.left(reason)
}

// Reject gives up a client that was admitted but cannot be served.
func (c *Client) Reject() {
	c.left(CloseLeft)
}

// run is the life of a client.
func (w *walker) run(ctx context.Context, opening []byte) CloseReason {
	if err := w.begin(ctx, opening); err != nil {
		return w.goodbye(err)
	}
	for {
		if err := w.step(ctx); err != nil {
			return w.goodbye(err)
		}
	}
}

// begin greets the client and finds its place.
func (w *walker) begin(ctx context.Context, opening []byte) error {
	now := orders.TimeOf(time.Now())
	retry := between(w.hub.config.RetryMin, w.hub.config.RetryMax)
	w.opener = appendHello(opening, w.hub.config.Server, w.hub.config.Heartbeat, retry, now, w.topics)
	behind, err := w.behind(ctx)
	if err != nil {
		return err
	}
	if behind && !w.truncated(ctx) {
		return errBehind
	}
	return w.enter(ctx)
}

// Ways in which a walker's loop ends, besides a failed write.
var (
	errStopped = errors.New("hub: stream ended")
	errBehind  = errors.New("hub: behind the client's id")
	errStalled = errors.New("hub: client accepts nothing")
	errNoPlace = errors.New("hub: no descriptor left")
	errEnd     = errors.New("hub: the range is over")
	errOver    = errors.New("hub: what was away is back")
	errCut     = errors.New("hub: stream ended in the middle of a frame")
)

// behind waits until the hub has read as far as the client's id. The client is
// told hello meanwhile. It returns true when the wait was in vain.
func (w *walker) behind(ctx context.Context) (bool, error) {
	var give <-chan time.Time
	newer := w.newer(ctx)
	for {
		w.hub.mu.Lock()
		ahead := w.hub.ahead(w.view, w.origin.id, newer)
		progress := w.hub.progress.wait()
		w.hub.mu.Unlock()
		if !ahead {
			return false, nil
		}
		if give == nil {
			timer := time.NewTimer(w.hub.config.BehindWait)
			defer timer.Stop()
			give = timer.C
			if err := w.open(); err != nil {
				return false, err
			}
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-w.stop:
			return false, errStopped
		case <-progress:
		case <-give:
			return true, nil
		}
	}
}

// ahead says whether an id is beyond what the hub has read. Newer are topics of
// which the id knows another life than the hub, and the right one. Needs mu.
func (h *Hub) ahead(v *view, from *id, newer []int) bool {
	if from == nil {
		return false
	}
	for _, i := range v.ring.topics {
		t := h.topics[i]
		had := from.topic(t.name)
		if had == nil {
			continue
		}
		void := t.Kind == feed.State && from.keys != v.hash // it starts fresh, from what there is
		if had.uuid != t.uuidHash {
			if slices.Contains(newer, i) {
				return true
			}
			continue
		}
		here := v.ring.pins.positions(i, t.next)
		for k, next := range had.next {
			if k >= len(here) || next > here[k] && !(void && t.away[int32(k)]) {
				return true
			}
		}
	}
	return false
}

// enter finds the place from which the client goes on: in the ring, where it
// has exactly that position, in front of a page of the history where the
// journals do not reach back to it, and behind a prefix otherwise.
func (w *walker) enter(ctx context.Context) error {
	if w.origin.id != nil && !w.origin.lapped && w.origin.until == nil && w.resume() {
		return nil
	}
	if w.enterPast() {
		return nil
	}
	p, err := w.hub.prefix(patience{ctx: ctx, stop: w.stop, before: w.open}, w.view, w.origin)
	if errors.Is(err, errHistory) && w.enterPast() { // the journals went on meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	w.take(p)
	return nil
}

// take puts the client into a prefix.
func (w *walker) take(p *prefix) {
	w.prefix, w.cursor.offset, w.cursor.next = p, 0, p.cut
	w.due = time.Now().Add(p.allowed(w.hub.config.StallTimeout))
}

// resume sets the cursor behind the frame whose id the client showed, if the
// ring has it. The key set must be the same.
func (w *walker) resume() bool {
	from, ring := w.origin.id, w.view.ring
	if from.keys != w.view.hash {
		return false
	}
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	asked := id{keys: from.keys}
	var sum mark
	for _, i := range ring.topics {
		had := from.topic(w.hub.topics[i].name)
		if had == nil {
			return false
		}
		asked.topics = append(asked.topics, *had)
		for _, next := range had.next {
			sum += mark(next + 1)
		}
	}
	tail := asked.appendTail(nil)
	next, ok := ring.find(sum, tail, w.hub.tail(ring))
	if ok {
		w.cursor.next = next
		w.lastID = tail
	}
	return ok
}

// step sends what there is, or waits for more.
func (w *walker) step(ctx context.Context) error {
	news, err := w.advance(ctx)
	if err != nil {
		return err
	}
	if news == nil { // there may be more already
		news = closed
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errStopped
	case <-w.view.ring.over:
		return errOver
	default:
	}
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errStopped
	case <-w.view.ring.over:
		return errOver
	}
}

// closed is ready at once.
var closed = func() chan struct{} { ch := make(chan struct{}); close(ch); return ch }()

// advance sends what one write holds. Where there was nothing to send it
// returns the channel that is closed when there is.
func (w *walker) advance(ctx context.Context) (news <-chan struct{}, err error) {
	if w.prefix != nil {
		return nil, w.sendPrefix()
	}
	if w.cursor.next == notInRing {
		return nil, w.turnPage(ctx)
	}
	w.batch.reset()
	next, result, news := w.view.collect(w.cursor.next, &w.batch)
	switch result {
	case lapped:
		return nil, w.rejoin(ctx)
	case waiting:
		w.cursor.next = next
		return news, w.open()
	}
	w.lastID = append(w.lastID[:0], w.batch.last...)
	frames := w.batch.frames
	if err := w.send(); err != nil {
		return nil, err
	}
	w.cursor.next = next
	w.hub.metrics.sent.Add(float64(frames))
	return nil, nil
}

// rejoin puts a client that the ring has left behind where one would be that
// connected with its last id.
func (w *walker) rejoin(ctx context.Context) error {
	w.hub.metrics.lapped.Inc()
	text := string(w.view.head[:]) + string(w.lastID)
	last, err := parseID(text)
	if err != nil {
		return err // it was ours
	}
	w.origin = origin{id: last, text: text, lapped: true}
	return w.enter(ctx)
}

// sendPrefix sends the next part of the prefix. Behind the last comes a
// heartbeat with the id of the cut.
func (w *walker) sendPrefix() error {
	w.batch.reset()
	rest := wholeFrames(w.prefix.data[w.cursor.offset:], maxWriteBytes)
	w.batch.add(rest)
	w.cursor.offset += uint32(len(rest))
	last := int(w.cursor.offset) == len(w.prefix.data)
	if last {
		final := appendHeartbeat(nil, orders.TimeOf(time.Now()))
		w.batch.add(appendFinal(nil, final, w.prefix.id))
		w.lastID = append(w.lastID[:0], w.prefix.id[idHeadText:]...)
	}
	if err := w.send(); err != nil {
		return err
	}
	if last {
		over := w.prefix.end
		w.hub.prefixes.release(w.prefix)
		w.prefix, w.due = nil, time.Time{}
		if over {
			return errEnd
		}
	}
	return nil
}

// wholeFrames returns the frames at the beginning of b, as many as n bytes hold
// but at least one: between two writes a goodbye may have to go out.
func wholeFrames(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	if end := bytes.LastIndex(b[:n], []byte(frameEnd)); end >= 0 {
		return b[:end+len(frameEnd)]
	}
	return b[:n+bytes.Index(b[n-1:], []byte(frameEnd))+len(frameEnd)-1]
}

// open sends what goes out first, if it has not gone out yet.
func (w *walker) open() error {
	if w.idle != nil {
		w.idle()
	}
	if len(w.opener) == 0 {
		return nil
	}
	w.batch.reset()
	return w.send()
}

// send writes the batch, behind the opener the first time.
func (w *walker) send() error {
	b := &w.batch
	if len(w.opener) > 0 {
		b.slices = append(b.slices, nil)
		copy(b.slices[1:], b.slices)
		b.slices[0] = w.opener
		w.opener = nil
	}
	b.out = b.slices
	return w.write(&b.out)
}

// write writes until all is accepted. A client that takes a little at a time is
// slow, but alive; one that takes nothing for the stall timeout is not. While it
// holds a prefix, which others may wait for, its time is bounded in all.
func (w *walker) write(out *net.Buffers) error {
	for {
		until := time.Now().Add(w.hub.config.StallTimeout)
		if !w.due.IsZero() && w.due.Before(until) {
			until = w.due
		}
		if err := w.sink.SetWriteDeadline(until); err != nil {
			return err
		}
		n, err := w.sink.WriteBuffers(out)
		w.hub.metrics.bytes.Add(float64(n))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case w.stopped():
			return errCut
		case n == 0, until.Equal(w.due):
			return errStalled
		}
	}
}

func (w *walker) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// goodbye ends the stream: what lies between the cursor and the head goes out,
// then the reason. Nobody waits for a client that is gone or takes nothing.
func (w *walker) goodbye(err error) CloseReason {
	reason := CloseLeft
	switch {
	case errors.Is(err, errStalled):
		return CloseSlow
	case errors.Is(err, errCut):
		return w.why.Load().(CloseReason)
	case errors.Is(err, errBehind):
		reason = CloseBehind
	case errors.Is(err, errOver):
		reason = CloseRebalance
	case errors.Is(err, errEnd):
		reason = CloseEnd
	case errors.Is(err, errNoPlace):
		reason = CloseOverload
	case errors.Is(err, errStopped):
		reason = w.why.Load().(CloseReason)
		if reason == CloseEnd && (w.prefix != nil || w.cursor.next == notInRing) {
			reason = CloseRebalance // there is more to come before the end
		}
	default:
		return CloseLeft
	}
	w.batch.reset()
	if w.prefix == nil && w.cursor.next > 0 && reason != CloseRevoked {
		w.view.collect(w.cursor.next, &w.batch)
	}
	w.batch.add(AppendGoodbye(nil, reason.told(), w.hub.retryAfter(reason)))
	if err := w.send(); err != nil {
		w.hub.config.Logger.Debug("goodbye not delivered", "reason", reason, "err", err)
	}
	return reason
}
