package conformance

import (
	"bytes"
	"context"
	"errors"
	"strings"
)

// streams makes a check that a request with more header lines opens the stream
// as if they were not there.
func streams(lines ...string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx, lines...)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		if !a.isStream() {
			return fail("status %d, %q", a.status, a.header.Get("Content-Type"))
		}
		return pass("")
	}
}

// raw makes a check of a request that is written out. HOST and PATH stand for
// the stream's, and the lines of each request for HEADER.
func raw(request string, judge func(*answer) outcome) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		a, err := p.send(ctx, p.fill(request))
		switch {
		case errors.Is(err, errDial):
			return fail("%v", err)
		case isTimeout(err):
			return fail("neither an answer nor an end within %s", p.Wait)
		case err != nil:
			return judge(&answer{}) // closing without an answer refuses, too
		}
		defer a.close()
		return judge(a)
	}
}

// fill puts the stream's own into a request.
func (p *probe) fill(request string) string {
	header := ""
	for _, l := range p.Header {
		header += l + "\r\n"
	}
	return strings.NewReplacer("HOST", p.url.Host, "PATH", p.path(), "HEADER", header, "SCHEME", p.url.Scheme).Replace(request)
}

// refuses wants a refusal, or a connection that is closed without an answer.
func refuses(a *answer) outcome {
	if a.status == 0 {
		return pass("closed")
	}
	if a.status < 400 {
		return fail("status %d", a.status)
	}
	return pass("%d", a.status)
}

var requests = []Check{
	{ID: "request.accept", Title: "Accept: */* opens the stream", Level: Must, Source: "RFC 9110 12.5.1", judge: func(ctx context.Context, p *probe) outcome {
		a, err := p.send(ctx, p.head("GET", p.path(), "HTTP/1.1", "Accept: */*"))
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		if !a.isStream() {
			return fail("status %d, %q", a.status, a.header.Get("Content-Type"))
		}
		return pass("")
	}},
	{ID: "request.match", Title: "If-None-Match does not turn a stream into 304", Level: Must, Source: "RFC 9110 13.1.2, WHATWG HTML 9.2.3", judge: streams("If-None-Match: *")},
	{ID: "request.since", Title: "If-Modified-Since does not, either", Level: Must, Source: "RFC 9110 13.1.3, WHATWG HTML 9.2.3", judge: streams("If-Modified-Since: Fri, 31 Dec 2199 23:59:59 GMT")},
	{ID: "request.range", Title: "Range is ignored: a stream has no parts", Level: Must, Source: "RFC 9110 14.2, WHATWG HTML 9.2.3", judge: streams("Range: bytes=0-9")},
	{ID: "request.ranges", Title: "many ranges are ignored", Level: Must, Source: "RFC 9110 14.2, 17.15", judge: streams("Range: bytes=" + strings.Repeat("0-,", 500) + "0-")},
	{ID: "request.upgrade", Title: "an offer to change the protocol does no harm", Level: Must, Source: "RFC 9110 7.8", judge: streams("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")},
	{ID: "request.expect", Title: "Expect: 100-continue gets an answer", Level: Must, Source: "RFC 9110 10.1.1", judge: func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx, "Expect: 100-continue")
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		return pass("%d", a.status)
	}},
	{ID: "request.absolute", Title: "the target may be a whole URL", Level: Must, Source: "RFC 9112 3.2.2", judge: raw("GET SCHEME://HOSTPATH HTTP/1.1\r\nHost: HOST\r\nHEADERAccept: text/event-stream\r\n\r\n", func(a *answer) outcome {
		if !a.isStream() {
			return fail("status %d", a.status)
		}
		return pass("")
	})},
	{ID: "request.http10", Title: "HTTP/1.0 gets a stream that ends with the connection, without chunks", Level: Must, Source: "RFC 9112 6.1", judge: raw("GET PATH HTTP/1.0\r\nHost: HOST\r\nHEADERAccept: text/event-stream\r\n\r\n", func(a *answer) outcome {
		switch {
		case a.status >= 400:
			return pass("%d: it is not spoken", a.status)
		case a.chunks:
			return fail("it gets Transfer-Encoding, which its clients read as data")
		case !a.isStream():
			return fail("status %d", a.status)
		}
		return pass("")
	})},
	{ID: "request.nohost", Title: "HTTP/1.1 without Host is refused", Level: Must, Source: "RFC 9112 3.2", judge: raw("GET PATH HTTP/1.1\r\nHEADER\r\n", refuses)},
	{ID: "request.hosts", Title: "two Hosts are refused", Level: Must, Source: "RFC 9112 3.2", judge: raw("GET PATH HTTP/1.1\r\nHost: HOST\r\nHost: conformance.invalid\r\nHEADER\r\n", refuses)},
	{ID: "request.version", Title: "another major version is refused", Level: Must, Source: "RFC 9110 2.5", judge: raw("GET PATH HTTP/9.9\r\nHost: HOST\r\nHEADER\r\n", refuses)},
	{ID: "request.name", Title: "the protocol's name is compared with its case", Level: Must, Source: "RFC 9112 2.3", judge: raw("GET PATH http/1.1\r\nHost: HOST\r\nHEADER\r\n", refuses)},
	{ID: "request.nonsense", Title: "what is no HTTP is refused", Level: Must, Source: "RFC 9112 2.2", judge: raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03conformance\r\n\r\n", refuses)},
	{ID: "request.pipeline", Title: "a request that was sent ahead does not end up inside the stream", Level: Must, Source: "RFC 9112 9.3.2", judge: pipelined},
}

// pipelined sends two requests at once. The first has no end, so the second can
// have no answer.
func pipelined(ctx context.Context, p *probe) outcome {
	one := p.head("GET", p.path(), "HTTP/1.1", "Accept: text/event-stream")
	a, err := p.send(ctx, one+one)
	if err != nil {
		return fail("%v", err)
	}
	defer a.close()
	if a.status >= 400 {
		return pass("%d: it is refused", a.status)
	}
	if b, _ := a.read(p.Wait/4, never); bytes.Contains(b, []byte("HTTP/1.")) {
		return fail("another answer stands in the stream")
	}
	return pass("")
}
