package numbered

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"livemap/sse"
)

// Times of a client.
const (
	dialWithin   = 5 * time.Second
	silentWithin = 30 * time.Second // a stream without even a heartbeat for so long is given up
	firstPause   = 100 * time.Millisecond
	mostPause    = 2 * time.Second
	readBytes    = 8 << 10
)

// ClientConfig says how a client behaves.
type ClientConfig struct {
	Addr   string      // host:port to connect to
	Source string      // own address; empty: the system's choice
	Path   string      // with the query
	TLS    *tls.Config // nil: none
	Board  bool        // the query asks for Board
	// Every is the mean time after which the client cuts its connection by
	// itself, in the middle of whatever it is being sent; 0: never.
	Every time.Duration
	// Nap is a time to stay away once, after NapAfter; 0: never.
	Nap, NapAfter time.Duration
	// MaxAge is how long a client may be away and still be owed every record.
	MaxAge time.Duration
	Seed   uint64
}

// Client is a client of the stream that comes back as a browser does: with the
// id of its last complete event, after the pause that it was asked for. Unlike a
// browser it comes back after errors too.
type Client struct {
	config ClientConfig
	random *rand.Rand // of the goroutine of Run
	parser sse.Parser // likewise
	hurry  chan struct{}

	mu       sync.Mutex
	ledger   Ledger
	counts   Counts
	hello    bool          // on the present connection
	welcomed bool          // a hello was seen, ever
	began    time.Time     // when Run did
	cut      time.Time     // when the last stream ended
	heard    time.Time     // when the last event came, on any connection
	away     time.Duration // from the last event of the stream before to the hello of this one
	windows  map[string]string
}

// Counts are what happened to a client, besides its records.
type Counts struct {
	Reconnects int64
	Failed     int64 // attempts that brought no stream
	Goodbyes   map[string]int64
	Pauses     []time.Duration // from the end of each stream to the hello of the next
	Back       int64           // values of metrics whose window_end went back
	Away       time.Duration   // sum of Pauses
}

// NewClient returns a client; Run connects it.
func NewClient(c ClientConfig) *Client {
	return &Client{config: c, random: rand.New(rand.NewPCG(c.Seed, 2)), hurry: make(chan struct{}, 1)}
}

// Run follows the stream until ctx is done.
func (c *Client) Run(ctx context.Context) {
	nap := c.config.Nap
	c.mu.Lock()
	c.began = time.Now()
	c.mu.Unlock()
	failures := 0
	for ctx.Err() == nil {
		err := c.stream(ctx)
		c.mu.Lock()
		had := c.hello
		if had {
			failures, c.cut = 0, time.Now()
		} else {
			failures++
			c.counts.Failed++
		}
		c.hello = false
		c.mu.Unlock()
		pause := c.pause(failures)
		if nap > 0 && time.Since(c.began) > c.config.NapAfter {
			pause, nap = nap, 0
		} else if errors.Is(err, errDropped) {
			pause = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// pause is how long to wait: what the server asked for, and twice as long with
// each failure in a row.
func (c *Client) pause(failures int) time.Duration {
	asked := time.Duration(c.parser.RetryMilliseconds()) * time.Millisecond
	if failures == 0 && asked > 0 {
		return asked
	}
	p := min(firstPause<<min(failures, 10), mostPause)
	return p/2 + rand.N(p)
}

// Hurry has the client cut its connection soon.
func (c *Client) Hurry() {
	select {
	case c.hurry <- struct{}{}:
	default:
	}
}

// errDropped: the client cut the connection itself.
var errDropped = errors.New("dropped by the client")

// stream follows one connection to its end.
func (c *Client) stream(ctx context.Context) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // whatever it says, the stream is over
	over, dropped, watched := make(chan struct{}), make(chan struct{}), make(chan struct{})
	drop, stop := c.dropAfter()
	defer stop()
	go func() {
		defer close(watched)
		select {
		case <-ctx.Done():
		case <-over:
			return
		case <-drop:
			close(dropped)
		case <-c.hurry:
			close(dropped)
		}
		_ = conn.Close() // ends the read
	}()
	err = c.follow(conn)
	close(over)
	<-watched
	select {
	case <-dropped:
		return errDropped
	default:
		return err
	}
}

// dropAfter returns when to cut the connection next.
func (c *Client) dropAfter() (<-chan time.Time, func() bool) {
	if c.config.Every == 0 {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(c.config.Every/2 + time.Duration(c.random.Int64N(int64(c.config.Every))))
	return t.C, t.Stop
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin}
	if c.config.Source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.config.Source)}
	}
	if c.config.TLS != nil {
		return (&tls.Dialer{NetDialer: &d, Config: c.config.TLS}).DialContext(ctx, "tcp", c.config.Addr)
	}
	return d.DialContext(ctx, "tcp", c.config.Addr)
}

// follow asks for the stream and reads it to its end.
func (c *Client) follow(conn net.Conn) error {
	c.parser.Reset()
	request := "GET " + c.config.Path + " HTTP/1.1\r\nHost: livemap\r\nAccept: text/event-stream\r\n"
	if id := c.parser.LastEventID(); len(id) > 0 {
		request += "Last-Event-ID: " + string(id) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(silentWithin)); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // the connection is closed anyway
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		return fmt.Errorf("answer %s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	buf := make([]byte, readBytes)
	for {
		n, err := answer.Body.Read(buf)
		if n > 0 {
			c.mu.Lock()
			parseErr := c.parser.Parse(buf[:n], c.event)
			c.mu.Unlock()
			if parseErr != nil {
				return parseErr
			}
			if err := conn.SetReadDeadline(time.Now().Add(silentWithin)); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// event enters an event. Needs c.mu.
func (c *Client) event(e *sse.Event) {
	now := time.Now()
	switch string(e.Name) {
	case Topic:
		c.ledger.Event(e.Data)
	case Board:
		n, ok := number(e.Data, `"value":{"n":`)
		if !ok {
			n = Aborted
		}
		c.ledger.Value(text(e.Data, `"key":`), n)
	case "metrics":
		c.metrics(e.Data)
	case "gap":
		c.gap(e.Data)
	case "hello":
		c.greeted(now)
	case "goodbye":
		if c.counts.Goodbyes == nil {
			c.counts.Goodbyes = map[string]int64{}
		}
		c.counts.Goodbyes[text(e.Data, `"reason":`)]++
	}
	c.heard = now
}

// greeted notes that a stream has begun. Needs c.mu.
func (c *Client) greeted(now time.Time) {
	c.hello = true
	if c.welcomed {
		c.away = now.Sub(c.heard)
		c.counts.Reconnects++
		c.counts.Pauses = append(c.counts.Pauses, now.Sub(c.cut))
		c.counts.Away += now.Sub(c.cut)
	}
	c.welcomed = true
}

// gap enters an announced gap. Needs c.mu.
func (c *Client) gap(data []byte) {
	g := ParseGap(data)
	g.Excused = c.config.MaxAge > 0 && c.away > c.config.MaxAge
	c.ledger.Gap(g)
}

// metrics holds that window_end never goes back within a key. Needs c.mu.
func (c *Client) metrics(data []byte) {
	key, end := text(data, `"key":`), text(data, `"window_end":`)
	if c.windows == nil {
		c.windows = map[string]string{}
	}
	if end < c.windows[key] {
		c.counts.Back++
	}
	c.windows[key] = end
}

// Connected says whether the client has a stream now.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello
}

// Reconnects says how often the client got another stream.
func (c *Client) Reconnects() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts.Reconnects
}

// Last returns the highest number that the client has received of a partition;
// -1: none.
func (c *Client) Last(partition int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.account(partition).last
}

// Gaps returns the gaps that the client was told of.
func (c *Client) Gaps() []Gap {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ledger.gaps)
}

// At says whether the client has come to the end of the truth.
func (c *Client) At(t *Truth) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.At(t, c.config.Board)
}

// Judge holds what the client received against the truth, and returns what
// happened to it.
func (c *Client) Judge(t *Truth) (Verdict, Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.ledger.Judge(t, c.config.Board)
	if c.counts.Back > 0 {
		v.Reordered += c.counts.Back
		v.because("metrics went back %d times", c.counts.Back)
	}
	return v, c.counts
}
