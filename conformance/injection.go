package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// published numbers what is published, so that each check finds its own.
var published atomic.Int64

func newStamp() string {
	return fmt.Sprintf("conformance-%d-%d", time.Now().UnixNano(), published.Add(1))
}

// carries makes a check that data comes out as one event, with these very lines.
// %s stands for a text that tells it from all others.
func carries(template string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		if p.Publish == nil {
			return none("there is no way to publish (-publish)")
		}
		a, err := p.get(ctx)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		if !p.hears(ctx, a) {
			return none("plain text does not come out: it takes data of one form only")
		}
		return p.carry(ctx, a, template)
	}
}

// hears publishes plain text until it comes out: a server may have answered
// before it has put the client on its list.
func (p *probe) hears(ctx context.Context, a *answer) bool {
	stamp := newStamp()
	for deadline := time.Now().Add(p.Wait); time.Now().Before(deadline); {
		if p.Publish(ctx, []byte(stamp)) != nil {
			return false
		}
		if b, ended := a.read(p.Wait/10, func(b []byte) bool { return strings.Contains(string(b), stamp) }); ended || strings.Contains(string(b), stamp) {
			return !ended
		}
	}
	return false
}

// carry publishes data and looks for it in a stream that is open.
func (p *probe) carry(ctx context.Context, a *answer, template string) outcome {
	stamp := newStamp()
	data := strings.ReplaceAll(template, "%s", stamp)
	if err := p.Publish(ctx, []byte(data)); err != nil {
		return none("it cannot be published: %v", err)
	}
	b, _ := a.read(p.Wait, func(b []byte) bool {
		return strings.Contains(string(b), stamp) && strings.HasSuffix(string(b), "\n\n")
	})
	want := strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
	found := 0
	for _, e := range eventsOf(b) {
		if e.name == "forged"+stamp || e.id == "forged"+stamp {
			return fail("data became an event of its own, or its id")
		}
		if !strings.Contains(e.data, stamp) {
			continue
		}
		if found++; !strings.Contains(e.data, want) {
			return fail("%.80q came out as %.80q", want, e.data)
		}
	}
	if found != 1 {
		return fail("%d events hold it", found)
	}
	return pass("")
}

var injection = []Check{
	{ID: "inject.lf", Title: "LF in data is a second line of it", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("%s\nsecond")},
	{ID: "inject.crlf", Title: "CRLF in data is a second line of it", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("%s\r\nsecond")},
	{ID: "inject.cr", Title: "a lone CR in data is a second line of it", Level: Must, Source: "WHATWG HTML 9.2.5", judge: carries("%s\rsecond")},
	{ID: "inject.event", Title: "an event inside data stays data", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("%s\n\nevent: forged%s\nid: forged%s\ndata: x\n\n.")},
	{ID: "inject.crevent", Title: "an event inside data stays data, with CR", Level: Must, Source: "WHATWG HTML 9.2.5", judge: carries("%s\r\revent: forged%s\rid: forged%s\rdata: x\r\r.")},
	{ID: "inject.id", Title: "an id inside data stays data", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("%s\rid: forged%s\revent: forged%s")},
	{ID: "inject.field", Title: "data that looks like a field keeps all of it", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("data: %s")},
	{ID: "inject.space", Title: "a space at the beginning of data is kept", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries(" %s")},
	{ID: "inject.colon", Title: "data that looks like a comment is kept", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries(": %s")},
	{ID: "inject.bom", Title: "a byte order mark in data is kept", Level: Must, Source: "WHATWG HTML 9.2.5", judge: carries(mark + "%s")},
	{ID: "inject.separators", Title: "what other formats take for line ends is not one", Level: Must, Source: "WHATWG HTML 9.2.5", judge: carries("%s\u2028\u2029\u0085\v\fevent: forged%s")},
	{ID: "inject.lines", Title: "empty lines inside data are kept", Level: Must, Source: "WHATWG HTML 9.2.6", judge: carries("%s\n\n\nend")},
	{ID: "inject.long", Title: "data of 32 KiB in one line is whole", Level: Should, Source: "WHATWG HTML 9.2.5", judge: carries("%s" + strings.Repeat("x", 32<<10))},
}
