package conformance

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"time"
)

var hostile = []Check{
	{ID: "hostile.slow", Title: "a head that never ends is given up", Level: Must, Source: "RFC 9110 15.5.9, CWE-400", judge: slowHead},
	{ID: "hostile.silent", Title: "a connection that says nothing is given up", Level: Should, Source: "RFC 9112 9.5, CWE-400", judge: silentConnection},
	{ID: "hostile.header", Title: "a head of 2 MiB is refused", Level: Must, Source: "RFC 6585 5", judge: hugeHead("GET PATH HTTP/1.1\r\nHost: HOST\r\nX-Huge: " + strings.Repeat("x", 2<<20) + "\r\n\r\n")},
	{ID: "hostile.fields", Title: "a head of 50,000 fields is refused", Level: Must, Source: "RFC 6585 5", judge: hugeHead("GET PATH HTTP/1.1\r\nHost: HOST\r\n" + strings.Repeat("X-Many: 0123456789abcdef\r\n", 50_000) + "\r\n")},
	{ID: "hostile.target", Title: "a target of 128 KiB is refused", Level: Should, Source: "RFC 9110 15.5.15", judge: hugeHead("GET PATH?" + strings.Repeat("x", 128<<10) + " HTTP/1.1\r\nHost: HOST\r\n\r\n")},
	{ID: "hostile.body", Title: "a body that was announced and does not come holds no stream back for ever", Level: Should, Source: "RFC 9112 6.3, CWE-400", judge: absentBody},
	{ID: "hostile.half", Title: "a client that closes its half of the connection gets a stream or an end, and harms nobody", Level: Must, Source: "RFC 9112 9.6", Alone: true, judge: halfClosed},
	{ID: "hostile.reset", Title: "a hundred clients that break off harm nobody", Level: Must, Source: "RFC 9112 9.6", Alone: true, judge: resets},
	{ID: "hostile.stalled", Title: "ten clients that do not read hold nobody up", Level: Must, Source: "CWE-400", Alone: true, judge: stalled},
	{ID: "hostile.alive", Title: "after all this the server serves", Level: Must, Source: "", Alone: true, judge: func(ctx context.Context, p *probe) outcome {
		if err := p.serves(ctx); err != nil {
			return fail("%v", err)
		}
		return pass("")
	}},
}

// slowHead sends a line of a head a second, for as long as its patience lasts.
func slowHead(ctx context.Context, p *probe) outcome {
	c, err := p.dial(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, p.fill("GET PATH HTTP/1.1\r\nHost: HOST\r\n")); err != nil {
		return fail("%v", err)
	}
	began := time.Now()
	for time.Since(began) < p.Patience {
		if _, yes := closed(c, time.Second); yes {
			return pass("after %s", time.Since(began).Round(time.Second))
		}
		if _, err := io.WriteString(c, "X-Slow: x\r\n"); err != nil {
			return pass("after %s", time.Since(began).Round(time.Second))
		}
	}
	return fail("not within %s", p.Patience)
}

func silentConnection(ctx context.Context, p *probe) outcome {
	c, err := p.dial(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer c.Close()
	began := time.Now()
	if _, yes := closed(c, p.Patience); !yes {
		return fail("not within %s", p.Patience)
	}
	return pass("after %s", time.Since(began).Round(time.Second))
}

func hugeHead(request string) func(context.Context, *probe) outcome {
	return raw(request, refuses)
}

// absentBody announces a body and sends none. A server may answer without it,
// refuse it, or give up waiting.
func absentBody(ctx context.Context, p *probe) outcome {
	c, err := p.dial(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, p.head("GET", p.path(), "HTTP/1.1", "Accept: text/event-stream", "Content-Length: 1000000")); err != nil {
		return fail("%v", err)
	}
	c.SetReadDeadline(time.Now().Add(p.Patience)) //nolint:errcheck // then reading fails
	var b [12]byte
	n, err := io.ReadFull(c, b[:])
	if n == 0 && isTimeout(err) {
		return fail("neither an answer nor an end within %s", p.Patience)
	}
	if n < len(b) {
		return pass("closed")
	}
	return pass("%s", strings.TrimPrefix(string(b[:]), "HTTP/1.1 "))
}

// closeWrite is what sockets and TLS can do.
type closeWrite interface{ CloseWrite() error }

func halfClosed(ctx context.Context, p *probe) outcome {
	c, err := p.dial(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, p.head("GET", p.path(), "HTTP/1.1", "Accept: text/event-stream")); err != nil {
		return fail("%v", err)
	}
	if h, ok := c.(closeWrite); ok {
		if err := h.CloseWrite(); err != nil {
			return fail("%v", err)
		}
	}
	said, yes := closed(c, p.Wait/4)
	if len(said) > 0 && !strings.HasPrefix(string(said), "HTTP/1.") {
		return fail("it answers %.40q", said)
	}
	if err := p.serves(ctx); err != nil {
		return fail("afterwards: %v", err)
	}
	if yes {
		return pass("it is closed")
	}
	return pass("the stream goes on")
}

func resets(ctx context.Context, p *probe) outcome {
	for range 100 {
		a, err := p.get(ctx)
		if err != nil {
			return fail("%v", err)
		}
		if s, ok := a.conn.(*net.TCPConn); ok {
			s.SetLinger(0) //nolint:errcheck // then it is closed in order
		}
		a.close()
	}
	if err := p.serves(ctx); err != nil {
		return fail("afterwards: %v", err)
	}
	return pass("")
}

// stalled opens streams and reads nothing of them. If the stream of somebody who
// reads moved before, it must move on.
func stalled(ctx context.Context, p *probe) outcome {
	reader, err := p.get(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer reader.close()
	reader.read(p.Wait, anything)
	moves := func() bool {
		if p.Publish == nil {
			b, _ := reader.read(p.Wait, anything)
			return len(b) > 0
		}
		stamp := newStamp()
		if err := p.Publish(ctx, []byte(stamp+strings.Repeat("s", 16<<10))); err != nil {
			return false
		}
		b, _ := reader.read(p.Wait, func(b []byte) bool { return bytes.Contains(b, []byte(stamp)) })
		return bytes.Contains(b, []byte(stamp))
	}
	if !moves() {
		return none("the stream does not move by itself")
	}
	for range 10 {
		a, err := p.get(ctx)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
	}
	for range 100 {
		if !moves() {
			return fail("nothing came for %s", p.Wait)
		}
		if p.Publish == nil {
			break // the stream is paced by others
		}
	}
	return pass("")
}
