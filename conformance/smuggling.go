package conformance

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// hidden is a request that stands where a server and a proxy in front of it may
// disagree whether it is a body. Its method is refused in a way that is known.
const hidden = "GET /conformance-hidden HTTP/1.1\r\nHost: HOST\r\n\r\n"

// smuggles makes a check of a request whose end is ambiguous: it must be refused
// (strict), or at least what is hidden in it must not be answered.
func smuggles(strict bool, request string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		c, err := p.dial(ctx)
		if err != nil {
			return fail("%v", err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(p.Wait))                                //nolint:errcheck // then reading fails
		fmt.Fprint(c, p.fill(strings.ReplaceAll(request, "HIDDEN", hidden))) //nolint:errcheck // a refusal may come before the end
		r := bufio.NewReader(c)
		first, err := http.ReadResponse(r, nil)
		switch {
		case isTimeout(err) && strict:
			return fail("neither an answer nor an end within %s", p.Wait)
		case isTimeout(err):
			return pass("it waits for more")
		case err != nil:
			return pass("closed")
		}
		if first.StatusCode < 400 {
			if strict {
				return fail("status %d", first.StatusCode)
			}
			return another(first, p.Wait/4, func(at time.Time) { c.SetReadDeadline(at) }) //nolint:errcheck // then reading fails
		}
		// Refused: then the connection must end, or what is left is the next request.
		if _, err := first.Body.Read(make([]byte, 64<<10)); err == nil {
			first.Body.Close()
		}
		c.SetReadDeadline(time.Now().Add(p.Wait / 4)) //nolint:errcheck // then reading fails
		if second, err := http.ReadResponse(r, nil); err == nil {
			return fail("%d, and then what is hidden in it is answered: %d", first.StatusCode, second.StatusCode)
		}
		return pass("%d", first.StatusCode)
	}
}

// another looks for a second answer inside a stream.
func another(first *http.Response, wait time.Duration, deadline func(time.Time)) outcome {
	deadline(time.Now().Add(wait))
	b := make([]byte, 0, 64<<10)
	for len(b) < cap(b) {
		n, err := first.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			break
		}
	}
	if strings.Contains(string(b), "HTTP/1.") {
		return fail("what is hidden in it is answered, too")
	}
	return pass("%d, and what is hidden in it is not answered", first.StatusCode)
}

const begin = "GET PATH HTTP/1.1\r\nHost: HOST\r\nHEADERAccept: text/event-stream\r\n"

var smuggling = []Check{
	{ID: "smuggle.both", Title: "Content-Length beside Transfer-Encoding opens no second request", Level: Must, Source: "RFC 9112 6.3", judge: smuggles(false, begin+"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nXHIDDEN")},
	{ID: "smuggle.lengths", Title: "two different lengths are refused", Level: Must, Source: "RFC 9112 6.3", judge: smuggles(true, begin+"Content-Length: 0\r\nContent-Length: 44\r\n\r\nHIDDEN")},
	{ID: "smuggle.list", Title: "a list of different lengths is refused", Level: Must, Source: "RFC 9112 6.3", judge: smuggles(true, begin+"Content-Length: 0, 44\r\n\r\nHIDDEN")},
	{ID: "smuggle.sign", Title: "a length with a sign is refused", Level: Must, Source: "RFC 9110 8.6", judge: smuggles(true, begin+"Content-Length: +0\r\n\r\nHIDDEN")},
	{ID: "smuggle.hex", Title: "a length that is no decimal number is refused", Level: Must, Source: "RFC 9110 8.6", judge: smuggles(true, begin+"Content-Length: 0x10\r\n\r\nHIDDEN")},
	{ID: "smuggle.negative", Title: "a negative length is refused", Level: Must, Source: "RFC 9110 8.6", judge: smuggles(true, begin+"Content-Length: -1\r\n\r\nHIDDEN")},
	{ID: "smuggle.huge", Title: "a length beyond 64 bits is refused", Level: Must, Source: "RFC 9110 8.6", judge: smuggles(true, begin+"Content-Length: 99999999999999999999999\r\n\r\nHIDDEN")},
	{ID: "smuggle.coding", Title: "a transfer coding that is not known is refused", Level: Must, Source: "RFC 9112 6.1", judge: smuggles(true, begin+"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nHIDDEN")},
	{ID: "smuggle.last", Title: "chunked that is not the last coding is refused", Level: Must, Source: "RFC 9112 6.3", judge: smuggles(true, begin+"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nHIDDEN")},
	{ID: "smuggle.tab", Title: "a coding behind a vertical tab is refused", Level: Must, Source: "RFC 9110 5.5", judge: smuggles(true, begin+"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nHIDDEN")},
	{ID: "smuggle.chunk", Title: "a chunk larger than 64 bits opens no second request", Level: Must, Source: "RFC 9112 7.1", judge: smuggles(false, begin+"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nHIDDEN")},
	{ID: "smuggle.space", Title: "space before the colon is refused", Level: Must, Source: "RFC 9112 5.1", judge: smuggles(true, begin+"Content-Length : 44\r\n\r\nHIDDEN")},
	{ID: "smuggle.fold", Title: "a folded line opens no second request", Level: Must, Source: "RFC 9112 5.2", judge: smuggles(false, begin+"X-Folded: a\r\n Content-Length: 44\r\n\r\nHIDDEN")},
	{ID: "smuggle.cr", Title: "a lone CR in a field is refused, or a space", Level: Must, Source: "RFC 9112 2.2", judge: smuggles(false, begin+"X-Odd: a\rTransfer-Encoding: chunked\r\n\r\nHIDDEN")},
	{ID: "smuggle.nul", Title: "NUL in a field is refused", Level: Must, Source: "RFC 9110 5.5", judge: smuggles(true, begin+"X-Odd: a\x00b\r\n\r\n")},
	{ID: "smuggle.name", Title: "a field name that is no token is refused", Level: Must, Source: "RFC 9112 5.1", judge: smuggles(true, begin+"X(Odd): a\r\n\r\n")},
	{ID: "smuggle.colon", Title: "a line without a colon is refused", Level: Must, Source: "RFC 9112 5", judge: smuggles(true, begin+"Transfer-Encoding chunked\r\n\r\n")},
}
