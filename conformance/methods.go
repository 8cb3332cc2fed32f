package conformance

import (
	"context"
	"strings"
	"time"
)

// method makes a check of another method than GET.
func method(name string, judge func(*probe, *answer) outcome) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		lines := []string{"Accept: text/event-stream"}
		if name == "POST" || name == "PUT" {
			lines = append(lines, "Content-Length: 0")
		}
		a, err := p.send(ctx, p.head(name, p.path(), "HTTP/1.1", lines...))
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		return judge(p, a)
	}
}

// notAllowed wants a refusal; that of a method that is known names those that are.
func notAllowed(_ *probe, a *answer) outcome {
	switch {
	case a.status < 400:
		return fail("status %d", a.status)
	case a.status == 405 && a.header.Get("Allow") == "":
		return fail("405 without Allow")
	}
	return pass("%d", a.status)
}

var methods = []Check{
	{ID: "method.head", Title: "HEAD has the head of GET and no body", Level: Must, Source: "RFC 9110 9.3.2", judge: method("HEAD", func(p *probe, a *answer) outcome {
		if a.status == 405 && a.header.Get("Allow") != "" {
			return pass("405: it is not offered")
		}
		if !a.isStream() {
			return fail("status %d, %q", a.status, a.header.Get("Content-Type"))
		}
		a.conn.SetReadDeadline(time.Now().Add(p.Wait / 4)) //nolint:errcheck // then reading fails
		if b, err := a.raw.Peek(1); err == nil {
			return fail("a body that begins with %q", b)
		}
		return pass("")
	})},
	{ID: "method.put", Title: "PUT is refused, and what is allowed is named", Level: Must, Source: "RFC 9110 15.5.6", judge: method("PUT", notAllowed)},
	{ID: "method.delete", Title: "DELETE is refused, and what is allowed is named", Level: Must, Source: "RFC 9110 15.5.6", judge: method("DELETE", notAllowed)},
	{ID: "method.unknown", Title: "a method that there is not is refused", Level: Must, Source: "RFC 9110 9.1", judge: method("CONFORM", notAllowed)},
	{ID: "method.case", Title: "methods are compared with their case: get is not GET", Level: Must, Source: "RFC 9110 9.1", judge: method("get", notAllowed)},
	{ID: "method.trace", Title: "TRACE does not echo the request with its cookies", Level: Must, Source: "RFC 9110 9.3.8", judge: method("TRACE", func(p *probe, a *answer) outcome {
		b, _ := a.read(p.Wait/4, never)
		if a.status < 300 && strings.Contains(string(b), "TRACE ") {
			return fail("it does")
		}
		return pass("%d", a.status)
	})},
	{ID: "method.options", Title: "OPTIONS does not open a stream", Level: Must, Source: "RFC 9110 9.3.7", judge: method("OPTIONS", func(_ *probe, a *answer) outcome {
		if a.isStream() {
			return fail("it does")
		}
		return pass("%d", a.status)
	})},
}
