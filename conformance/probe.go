package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"livemap/sse"
)

// Bounds of what is read of one answer: in all before somebody asks for it, and
// at a time.
const (
	maxRead = 4 << 20
	maxPart = 4 << 10
)

// probe asks one server. It may be used by many at once.
type probe struct {
	Target
	url *url.URL
}

// answer is the head of an answer, and the connection from which its body comes.
type answer struct {
	conn   net.Conn
	status int
	proto  string
	header http.Header
	raw    *bufio.Reader // the connection, behind the head
	body   io.Reader     // the body without its framing
	length int64         // of the body as the head tells it, or -1
	chunks bool
	pump   *pump // nil before the first read
	broken error // by which reading the body ended, but for its end and for time
}

// close ends the connection, and what reads from it.
func (a *answer) close() {
	a.conn.Close()
	if a.pump != nil {
		<-a.pump.done
	}
}

// errDial says that there was no connection to ask over: of the server's answer
// it says nothing.
var errDial = errors.New("no connection")

// dial opens a connection that is closed at the latest when ctx is done.
func (p *probe) dial(ctx context.Context) (net.Conn, error) {
	host := p.url.Host
	if p.url.Port() == "" {
		host = net.JoinHostPort(p.url.Hostname(), map[string]string{"http": "80", "https": "443"}[p.url.Scheme])
	}
	d := net.Dialer{Timeout: p.Wait}
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	if p.url.Scheme == "http" {
		return c, nil
	}
	config := &tls.Config{ServerName: p.url.Hostname(), MinVersion: tls.VersionTLS12}
	if p.TLS != nil {
		config = p.TLS.Clone()
		config.ServerName = p.url.Hostname()
	}
	config.NextProtos = []string{"http/1.1"} // what is judged is HTTP/1.1
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	return secured, nil
}

// path returns the target of the stream.
func (p *probe) path() string { return p.url.RequestURI() }

// head builds the head of a request: the request line, Host, what every request
// has, and more lines.
func (p *probe) head(method, target, version string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n", method, target, version, p.url.Host)
	for _, l := range append(append([]string{}, p.Header...), lines...) {
		b.WriteString(l + "\r\n")
	}
	return b.String() + "\r\n"
}

// get asks for the stream as a browser does, with more header lines.
func (p *probe) get(ctx context.Context, lines ...string) (*answer, error) {
	return p.send(ctx, p.head("GET", p.path(), "HTTP/1.1", append([]string{"Accept: text/event-stream"}, lines...)...))
}

// send sends bytes and reads the head of the answer.
func (p *probe) send(ctx context.Context, request string) (*answer, error) {
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(p.Wait)) //nolint:errcheck // then reading fails
	if _, err := io.WriteString(c, request); err != nil && !errors.Is(err, net.ErrClosed) && !refused(err) {
		c.Close()
		return nil, err
	}
	a, err := readAnswer(c, bufio.NewReader(c), strings.SplitN(request, " ", 2)[0])
	if err != nil {
		c.Close()
	}
	return a, err
}

// refused says whether the peer ended the connection: a server may do that while
// a request is still being sent, and its answer may be there.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "write" || errors.Is(err, io.ErrClosedPipe)
}

func readAnswer(c net.Conn, r *bufio.Reader, method string) (*answer, error) {
	peeked, err := r.Peek(5)
	if err != nil {
		return nil, err
	}
	if string(peeked) != "HTTP/" {
		return nil, fmt.Errorf("the answer begins with %q", peeked)
	}
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != 101 {
			continue
		}
		return &answer{
			conn: c, status: resp.StatusCode, proto: resp.Proto, header: resp.Header, raw: r, body: resp.Body,
			length: resp.ContentLength, chunks: len(resp.TransferEncoding) > 0,
		}, nil
	}
}

// pump reads a body to its end, beside who waits for it: a reader of chunks that
// has met a deadline once would be of no more use.
type pump struct {
	more chan []byte
	done chan struct{} // closed when there is no more; err is set before
	err  error
}

func (a *answer) start() {
	a.pump = &pump{more: make(chan []byte, maxRead/maxPart), done: make(chan struct{})}
	a.conn.SetReadDeadline(time.Time{}) //nolint:errcheck // then reading fails
	go func() {
		defer close(a.pump.done)
		for {
			b := make([]byte, maxPart)
			n, err := a.body.Read(b)
			if n > 0 {
				select {
				case a.pump.more <- b[:n]:
				default: // nobody asks for so much
					a.pump.err = errors.New("more than is read")
					return
				}
			}
			if err != nil {
				a.pump.err = err
				return
			}
		}
	}()
}

// read returns what has come of the body, until enough says so, the body ends,
// or the time is up; ended tells whether the body did.
func (a *answer) read(wait time.Duration, enough func([]byte) bool) (b []byte, ended bool) {
	if a.pump == nil {
		a.start()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for len(b) < maxRead && !enough(b) {
		select {
		case part := <-a.pump.more:
			b = append(b, part...)
			continue
		default:
		}
		select {
		case part := <-a.pump.more:
			b = append(b, part...)
		case <-timer.C:
			return b, false
		case <-a.pump.done:
			if len(a.pump.more) > 0 {
				continue
			}
			if !errors.Is(a.pump.err, io.EOF) {
				a.broken = a.pump.err
			}
			return b, true
		}
	}
	return b, false
}

// event is a complete event, copied.
type event struct {
	name, data, id string
	hasID          bool
}

// eventsOf parses what was read of a stream.
func eventsOf(b []byte) []event {
	var all []event
	var parser sse.Parser
	parser.Parse(b, func(e *sse.Event) { //nolint:errcheck // what came before counts
		all = append(all, event{string(e.Name), string(e.Data), string(e.ID), e.HasID})
	})
	return all
}

// some returns an enough for n complete events.
func some(n int) func([]byte) bool {
	return func(b []byte) bool { return len(b) > 0 && len(eventsOf(b)) >= n }
}

// anything is an enough for any byte.
func anything(b []byte) bool { return len(b) > 0 }

// never is an enough for reading as long as there is time.
func never([]byte) bool { return false }

// isStream says whether an answer is one that a browser takes for a stream.
func (a *answer) isStream() bool {
	essence, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return a.status == 200 && strings.EqualFold(strings.TrimSpace(essence), "text/event-stream")
}

// serves says whether the server still serves a stream to somebody new.
func (p *probe) serves(ctx context.Context) error {
	a, err := p.get(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	if !a.isStream() {
		return fmt.Errorf("status %d, %q", a.status, a.header.Get("Content-Type"))
	}
	if p.Publish == nil {
		return nil // it may be quiet
	}
	for deadline := time.Now().Add(p.Wait); time.Now().Before(deadline); {
		if err := p.Publish(ctx, []byte(`{"conformance":"`+newStamp()+`"}`)); err != nil {
			return err
		}
		if b, _ := a.read(p.Wait/10, anything); len(b) > 0 {
			return nil
		}
	}
	return errors.New("a stream without a byte")
}

// closed waits until the server closes a connection, and returns what it said
// before.
func closed(c net.Conn, wait time.Duration) (said []byte, yes bool) {
	c.SetReadDeadline(time.Now().Add(wait)) //nolint:errcheck // then reading fails
	var b bytes.Buffer
	_, err := io.Copy(&b, io.LimitReader(c, maxRead))
	return b.Bytes(), !isTimeout(err)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
