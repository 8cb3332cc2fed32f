package conformance

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"io"
	"mime"
	"strings"
	"time"
)

// withHead makes a check of the head of a usual answer.
func withHead(judge func(*answer) outcome, lines ...string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx, lines...)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		return judge(a)
	}
}

// directives returns those of Cache-Control.
func (a *answer) directives() map[string]bool {
	all := map[string]bool{}
	for _, v := range a.header.Values("Cache-Control") {
		for d := range strings.SplitSeq(v, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			all[name] = true
		}
	}
	return all
}

// foreign is an origin that no server has reason to trust.
const foreign = "https://conformance.invalid"

var heads = []Check{
	{ID: "head.type", Title: "the stream is text/event-stream, in UTF-8", Level: Must, Source: "WHATWG HTML 9.2.3, 9.2.5", judge: withHead(func(a *answer) outcome {
		essence, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
		if err != nil || essence != "text/event-stream" {
			return fail("Content-Type %q", a.header.Get("Content-Type"))
		}
		if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
			return fail("charset %q: a browser reads UTF-8 whatever it says", c)
		}
		return pass("")
	})},
	{ID: "head.cache", Title: "no cache may keep it", Level: Should, Source: "RFC 9111 5.2.2", judge: withHead(func(a *answer) outcome {
		if d := a.directives(); d["no-store"] || d["no-cache"] {
			return pass("")
		}
		return fail("Cache-Control %q", a.header.Get("Cache-Control"))
	})},
	{ID: "head.transform", Title: "no proxy may change it (no-transform): one that compresses holds events back", Level: Should, Source: "RFC 9110 7.7, RFC 9111 5.2.2.6", judge: withHead(func(a *answer) outcome {
		if a.directives()["no-transform"] {
			return pass("")
		}
		return fail("Cache-Control %q", a.header.Get("Cache-Control"))
	})},
	{ID: "head.buffering", Title: "asks nginx not to buffer (X-Accel-Buffering: no)", Level: Should, Source: "nginx, ngx_http_proxy_module", judge: withHead(func(a *answer) outcome {
		if strings.EqualFold(a.header.Get("X-Accel-Buffering"), "no") {
			return pass("")
		}
		return fail("X-Accel-Buffering %q", a.header.Get("X-Accel-Buffering"))
	})},
	{ID: "head.nosniff", Title: "browsers must not guess another type (nosniff)", Level: Should, Source: "Fetch 3.6", judge: withHead(func(a *answer) outcome {
		if strings.EqualFold(a.header.Get("X-Content-Type-Options"), "nosniff") {
			return pass("")
		}
		return fail("X-Content-Type-Options %q", a.header.Get("X-Content-Type-Options"))
	})},
	{ID: "head.length", Title: "an endless body has no length", Level: Must, Source: "RFC 9112 6.3", judge: withHead(func(a *answer) outcome {
		if l := a.header.Get("Content-Length"); l != "" {
			return fail("Content-Length %s", l)
		}
		return pass("")
	})},
	{ID: "head.first", Title: "the first bytes come with the head: some proxies hold a head until there are", Level: Should, Source: "WHATWG HTML 9.2.7", judge: firstBytes},
	{ID: "head.gzip", Title: "compressed streams are flushed event by event", Level: Must, Source: "RFC 9110 8.4", judge: compressed},
	{ID: "head.cors", Title: "a foreign page is not let in with the visitor's cookies", Level: Must, Source: "Fetch 3.3.5", judge: withHead(func(a *answer) outcome {
		allowed, credentials := a.header.Get("Access-Control-Allow-Origin"), a.header.Get("Access-Control-Allow-Credentials")
		if allowed == foreign && credentials == "true" {
			return fail("any origin is allowed, with credentials")
		}
		return pass("")
	}, "Origin: "+foreign)},
	{ID: "head.vary", Title: "an answer made for one origin says so (Vary: Origin)", Level: Must, Source: "Fetch 3.3.7", judge: withHead(func(a *answer) outcome {
		switch allowed := a.header.Get("Access-Control-Allow-Origin"); {
		case allowed == "" || allowed == "*":
			return none("no answer is made for one origin")
		case strings.Contains(strings.ToLower(strings.Join(a.header.Values("Vary"), ",")), "origin"):
			return pass("")
		}
		return fail("Access-Control-Allow-Origin is the request's, and Vary %q", a.header.Get("Vary"))
	}, "Origin: "+foreign)},
}

func firstBytes(ctx context.Context, p *probe) outcome {
	a, err := p.get(ctx)
	if err != nil {
		return fail("%v", err)
	}
	defer a.close()
	if b, _ := a.read(p.Wait, anything); len(b) == 0 {
		return fail("nothing for %s: a comment would do", p.Wait)
	}
	return pass("")
}

// compressed asks for a compressed stream. The reader of gzip gives out an event
// only when the server has flushed it.
func compressed(ctx context.Context, p *probe) outcome {
	a, err := p.get(ctx, "Accept-Encoding: gzip, deflate")
	if err != nil {
		return fail("%v", err)
	}
	defer a.close()
	a.conn.SetReadDeadline(time.Now().Add(p.Wait)) //nolint:errcheck // then reading fails
	var r io.Reader
	switch coding := a.header.Get("Content-Encoding"); coding {
	case "", "identity":
		return none("it does not compress")
	case "gzip":
		if r, err = gzip.NewReader(a.body); err != nil {
			return fail("gzip: %v", err)
		}
	case "deflate":
		r = flate.NewReader(a.body)
	default:
		return fail("Content-Encoding %q was not asked for", coding)
	}
	var b [1]byte
	if n, err := io.ReadFull(r, b[:]); n == 0 {
		return fail("no byte of an event for %s: %v", p.Wait, err)
	}
	return pass("")
}
