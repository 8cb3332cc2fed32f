package conformance

import (
	"context"
	"strings"
)

// withID makes a check that an id, whatever it is, opens a stream: after any
// other answer a browser's EventSource never comes back.
func withID(line string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		a, err := p.get(ctx, line)
		if err != nil {
			return fail("%v", err)
		}
		defer a.close()
		if !a.isStream() {
			return fail("status %d, %q: a browser would never come back", a.status, a.header.Get("Content-Type"))
		}
		return pass("")
	}
}

var resuming = []Check{
	{ID: "resume.id", Title: "a client that shows the id of an event is not sent that event again", Level: Must, Source: "WHATWG HTML 9.2.4", judge: resumes},
	{ID: "resume.unknown", Title: "an id that the server never gave opens a stream", Level: Must, Source: "WHATWG HTML 9.2.3", judge: withID("Last-Event-ID: conformance-unknown")},
	{ID: "resume.empty", Title: "an empty id opens a stream", Level: Must, Source: "WHATWG HTML 9.2.3", judge: withID("Last-Event-ID:")},
	{ID: "resume.utf8", Title: "an id beyond ASCII opens a stream: browsers send UTF-8", Level: Must, Source: "WHATWG HTML 9.2.4", judge: withID("Last-Event-ID: d\u00e9j\u00e0-\u6771")},
	{ID: "resume.long", Title: "an id of 2 KiB opens a stream", Level: Should, Source: "WHATWG HTML 9.2.3", judge: withID("Last-Event-ID: " + strings.Repeat("A", 2<<10))},
	{ID: "resume.odd", Title: "an id of odd bytes opens a stream", Level: Must, Source: "WHATWG HTML 9.2.3", judge: withID("Last-Event-ID: %00../../%0d%0a\"'<>{};,")},
	{ID: "resume.number", Title: "an id that is a huge or negative number opens a stream", Level: Must, Source: "WHATWG HTML 9.2.3", judge: withID("Last-Event-ID: -99999999999999999999999")},
}

func resumes(ctx context.Context, p *probe) outcome {
	a, err := p.get(ctx)
	if err != nil {
		return fail("%v", err)
	}
	b, _ := a.read(p.Wait, some(5))
	a.close()
	var last *event
	for _, e := range eventsOf(b) {
		if e.hasID && e.id != "" {
			last = &e
		}
	}
	if last == nil {
		return none("no event had an id")
	}
	if a, err = p.get(ctx, "Last-Event-ID: "+last.id); err != nil {
		return fail("%v", err)
	}
	defer a.close()
	if !a.isStream() {
		return fail("status %d with the id of the last event", a.status)
	}
	b, _ = a.read(p.Wait/2, some(5))
	for _, e := range eventsOf(b) {
		if e.hasID && e.id == last.id && e.name == last.name && e.data == last.data {
			return fail("the event with the id %.60q came again", last.id)
		}
	}
	return pass("")
}
