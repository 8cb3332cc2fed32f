package loadtest

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"livemap/sse"
)

// Limits of what is held of streams. A connection that goes beyond one is
// closed and counted as too large.
const (
	maxIDBytes    = 4 << 10
	maxHeldBytes  = 512 << 20 // of unfinished events, of one loop
	maxKeptParser = 64 << 10  // a parser that was fed more is not kept
	maxKept       = 1024      // parsers that wait to be borrowed
)

// failure is an error that ends a connection, and what it counts as.
type failure struct {
	count Count
	err   error
	// final says that coming back would be wrong: an answer of 4xx.
	final bool
	// retryAfter is how many seconds the server asks to wait, 0: not told.
	retryAfter int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(c Count, format string, args ...any) error {
	return &failure{count: c, err: fmt.Errorf(format, args...)}
}

// receiver is what a loop does with the bytes that its clients receive: it
// knows no socket. Not safe for concurrent use.
type receiver struct {
	*meter
	accounts *accounts
	reading  reading
	maxEvent int
	seed     maphash.Seed
	emit     func(*sse.Event)

	now  int64 // when the bytes at hand came, microseconds since the epoch
	cur  *client
	kept []*sse.Parser
	held int
	load []byte // scratch, to prepare a parser
}

func newReceiver(c *Config, t *target, l *ledger) *receiver {
	r := &receiver{meter: newMeter(), maxEvent: c.MaxEventBytes, seed: maphash.MakeSeed(), reading: readingOf(c, t)}
	r.accounts = newAccounts(l, &r.counts)
	r.emit = r.event
	return r
}

// receive handles the next bytes of a client's connection. It returns io.EOF
// when the answer is complete, or a *failure.
func (r *receiver) receive(c *client, b []byte) error {
	r.counts[Bytes] += int64(len(b))
	c.heard = r.now
	if c.state == awaiting {
		var err error
		if b, err = r.receiveHead(c, b); err != nil || c.state == awaiting {
			return err
		}
	}
	for len(b) > 0 {
		data, rest, err := c.body.next(b)
		if len(data) > 0 {
			if err := r.parse(c, data); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return err
		}
		if err != nil {
			return fail(BadAnswer, "%w", err)
		}
		b = rest
	}
	return nil
}

// receiveHead handles the bytes of a head and returns those behind it.
func (r *receiver) receiveHead(c *client, b []byte) ([]byte, error) {
	if len(c.head) > 0 {
		c.head = append(c.head, b...)
		b = c.head
	}
	h, n, err := parseHead(b)
	switch {
	case err != nil:
		return nil, fail(BadAnswer, "%w", err)
	case n == 0:
		if len(c.head) == 0 {
			c.head = append(c.head, b...)
		}
		return nil, nil
	}
	c.head = nil
	if err := check(&h); err != nil {
		return nil, err
	}
	c.state, c.joined = streaming, true
	c.body = body{framing: h.framing, left: h.length}
	c.failures = 0
	r.connected++
	r.counts[Connected]++
	times := r.connect
	if len(c.id) > 0 {
		r.counts[Resumed]++
		times = r.resume
	}
	record(times, r.now-c.due, &r.counts)
	if h.framing == sized && h.length == 0 {
		return nil, io.EOF
	}
	return b[n:], nil
}

// check says whether an answer is a stream of events.
func check(h *head) error {
	f := &failure{count: BadAnswer, retryAfter: h.retryAfter}
	switch {
	case h.status >= 500:
		f.count, f.err = Status5xx, fmt.Errorf("the server answers %d", h.status)
	case h.status >= 400:
		f.count, f.err = Status4xx, fmt.Errorf("the server answers %d", h.status)
		if h.status == 401 {
			f.err = errors.New("the server answers 401: it wants a token, or another one")
		}
		f.final = h.status != 408 && h.status != 425 && h.status != 429
	case h.status >= 300:
		f.err, f.final = fmt.Errorf("the server answers %d: use %s as the URL", h.status, excerpt([]byte(h.location))), true
	case h.status == 204:
		f.err, f.final = errors.New("the server answers 204, which asks clients not to come back"), true
	case h.status != 200:
		f.err = fmt.Errorf("the server answers %d", h.status)
	case h.contentType != "text/event-stream":
		f.err, f.final = fmt.Errorf("the answer is %s, not text/event-stream", excerpt([]byte(h.contentType))), true
	case h.encoding != "":
		f.err, f.final = fmt.Errorf("the answer is encoded as %s, which was not asked for", excerpt([]byte(h.encoding))), true
	default:
		return nil
	}
	return f
}

// parse feeds the client's stream to a parser.
func (r *receiver) parse(c *client, data []byte) error {
	p := c.parser
	if p == nil {
		p = r.borrow(c)
	}
	r.cur = c
	c.held += len(data)
	r.held += len(data)
	if err := p.Parse(data, r.emit); err != nil {
		r.giveBack(c, false)
		return fail(TooLarge, "%w", err)
	}
	if endsEvent(data) {
		return r.giveBack(c, true)
	}
	if r.held > maxHeldBytes {
		r.giveBack(c, false)
		return fail(TooLarge, "unfinished events hold more than %d bytes", maxHeldBytes)
	}
	return nil
}

// endsEvent says whether a stream that ends in b is between two events, so that
// its parser holds nothing of one. It may say no where that is so: the parser
// is then borrowed for longer.
func endsEvent(b []byte) bool {
	n := len(b)
	return n >= 2 && b[n-1] == '\n' && (b[n-2] == '\n' || n >= 4 && string(b[n-4:]) == "\r\n\r\n")
}

// borrow gives the client a parser that knows its last id and retry.
func (r *receiver) borrow(c *client) *sse.Parser {
	var p *sse.Parser
	if n := len(r.kept); n > 0 {
		p = r.kept[n-1]
		r.kept = r.kept[:n-1]
	} else {
		p = &sse.Parser{MaxEventBytes: r.maxEvent}
	}
	// The parser keeps both over a Reset as the standard has it. They are set by
	// what a server would send.
	p.Reset()
	r.load = sse.AppendID(r.load[:0], string(c.id))
	r.load = sse.AppendRetry(r.load, int(c.retry))
	r.load = sse.AppendEnd(r.load)
	_ = p.Parse(r.load, r.emit) // no data: there is no event, and it is within any limit
	if !c.began {
		p.Reset() // what follows is the beginning of a stream
		c.began = true
	}
	c.parser, c.held = p, 0
	return p
}

// giveBack ends the borrowing of a parser; fit says that it can be used again.
func (r *receiver) giveBack(c *client, fit bool) error {
	p := c.parser
	if p == nil {
		return nil
	}
	c.parser = nil
	r.held -= c.held
	id := p.LastEventID()
	c.retry = int32(p.RetryMilliseconds())
	if fit && c.held <= maxKeptParser && len(r.kept) < maxKept {
		r.kept = append(r.kept, p)
	}
	c.held = 0
	if len(id) > maxIDBytes {
		return fail(TooLarge, "an id of %d bytes: at most %d are sent back", len(id), maxIDBytes)
	}
	c.id = append(c.id[:0], id...)
	return nil
}

// hangUp forgets a client's connection. What it knows stays.
func (r *receiver) hangUp(c *client) {
	_ = r.giveBack(c, true) // an id that is too large is left out
	if c.joined {
		r.connected--
	}
	c.joined, c.began, c.goodbye, c.paused = false, false, false, false
	c.head, c.body, c.sent = nil, body{}, 0
	c.state = idle
	c.generation++
}

// startOver makes the client a new one, that was never here.
func (r *receiver) startOver(c *client, atEnd bool) {
	r.accounts.close(&c.cells, atEnd)
	c.id, c.retry, c.lastRecord, c.ended, c.failures = c.id[:0], 0, 0, false, 0
}
