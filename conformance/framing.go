package conformance

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"
)

// onStream makes a check of what a stream says for a while.
func onStream(judge func(b []byte) outcome) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		for range 3 {
			if p.Publish == nil || p.Publish(ctx, []byte(`{"conformance":"`+newStamp()+`"}`)) != nil {
				break // what comes by itself must do
			}
		}
		b, _ := a.read(p.Wait, some(20))
		if len(b) == 0 {
			return none("nothing came for %s", p.Wait)
		}
		return judge(whole(b))
	}
}

// whole returns what was read up to its last line end: the rest was cut by us.
func whole(b []byte) []byte { return b[:bytes.LastIndexAny(b, "\r\n")+1] }

// lines splits a stream at its line ends, whichever they are.
func lines(b []byte) []string {
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r", "\n"), "\n"), "\n")
}

// fields calls visit for each field of a stream, comments left out.
func fields(b []byte, visit func(name, value string)) {
	for _, l := range lines(b) {
		name, value, _ := strings.Cut(l, ":")
		if l != "" && name != "" {
			visit(name, strings.TrimPrefix(value, " "))
		}
	}
}

const mark = "\ufeff"

var framing = []Check{
	{ID: "frame.utf8", Title: "the stream is valid UTF-8", Level: Must, Source: "WHATWG HTML 9.2.5", judge: onStream(func(b []byte) outcome {
		if !utf8.Valid(b) {
			return fail("it is not: browsers put U+FFFD in its place")
		}
		return pass("")
	})},
	{ID: "frame.bom", Title: "a byte order mark stands nowhere but at the beginning", Level: Must, Source: "WHATWG HTML 9.2.5", judge: onStream(func(b []byte) outcome {
		for i, l := range lines(b) {
			if i > 0 && strings.HasPrefix(l, mark) || strings.HasPrefix(l, mark+mark) {
				return fail("line %d begins with one, which becomes part of the field's name", i+1)
			}
		}
		return pass("")
	})},
	{ID: "frame.ends", Title: "no lone CR among other line ends: that is how events are forged", Level: Should, Source: "WHATWG HTML 9.2.5", judge: onStream(lineEnds)},
	{ID: "frame.fields", Title: "no line has a field that clients ignore", Level: Should, Source: "WHATWG HTML 9.2.6", judge: onStream(func(b []byte) (o outcome) {
		o = pass("")
		fields(b, func(name, _ string) {
			if strings.TrimPrefix(name, mark) != "data" && name != "event" && name != "id" && name != "retry" {
				o = fail("field %q", name)
			}
		})
		return o
	})},
	{ID: "frame.retry", Title: "retry is a number of milliseconds, in digits", Level: Must, Source: "WHATWG HTML 9.2.6", judge: onStream(func(b []byte) (o outcome) {
		o = none("no retry was seen")
		fields(b, func(name, value string) {
			switch {
			case name != "retry" || o.verdict == Fail:
			case value == "" || strings.Trim(value, "0123456789") != "":
				o = fail("retry %q is ignored", value)
			default:
				o = pass("")
			}
		})
		return o
	})},
	{ID: "frame.id", Title: "ids hold no NUL, and are short enough to come back in a header", Level: Must, Source: "WHATWG HTML 9.2.6", judge: onStream(func(b []byte) (o outcome) {
		o = none("no id was seen")
		fields(b, func(name, value string) {
			switch {
			case name != "id" || o.verdict == Fail:
			case strings.Contains(value, "\x00"):
				o = fail("id %q is ignored", value)
			case len(value) > 4<<10:
				o = fail("an id of %d bytes", len(value))
			default:
				o = pass("")
			}
		})
		return o
	})},
	{ID: "frame.data", Title: "every event has data: without, it reaches nobody", Level: Should, Source: "WHATWG HTML 9.2.6", judge: onStream(eventsHaveData)},
	{ID: "frame.chunks", Title: "the framing of HTTP is right from chunk to chunk", Level: Must, Source: "RFC 9112 7.1", judge: func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		if !a.chunks {
			return none("the body ends with the connection")
		}
		if b, _ := a.read(p.Wait, some(20)); a.broken != nil {
			return fail("the stream breaks off after %d bytes: %v", len(b), a.broken)
		}
		return pass("")
	}},
}

func lineEnds(b []byte) outcome {
	crlf := bytes.Count(b, []byte("\r\n"))
	cr, lf := bytes.Count(b, []byte("\r"))-crlf, bytes.Count(b, []byte("\n"))-crlf
	if cr > 0 && crlf+lf > 0 {
		return fail("%d lines end with CRLF, %d with CR, %d with LF", crlf, cr, lf)
	}
	return pass("")
}

func eventsHaveData(b []byte) outcome {
	named, hasData := "", false
	for _, l := range lines(b) {
		field, value, _ := strings.Cut(l, ":")
		switch {
		case l == "":
			if named != "" && !hasData {
				return fail("event %q has none", named)
			}
			named, hasData = "", false
		case field == "event":
			named = strings.TrimSpace(value)
		case field == "data":
			hasData = true
		}
	}
	return pass("")
}
