package sse

import (
	"bytes"
	"errors"
	"fmt"
)

// DefaultMaxEventBytes bounds one event where a Parser states no limit.
const DefaultMaxEventBytes = 4 << 20

// maxRetryDigits is how many digits of a retry field are believed: more would
// ask for a pause of more than eleven days.
const maxRetryDigits = 9

// ErrEventTooLarge is the sticky error of a Parser that met an event beyond its
// limit. What follows cannot be read: the connection is of no more use.
var ErrEventTooLarge = errors.New("sse: event is larger than the limit")

// unnamed is the name of events without one.
var unnamed = []byte("message")

// Event is one dispatched event. Its slices are valid only during the call
// that hands it over.
type Event struct {
	Name []byte // "message" when the stream named none
	Data []byte // lines joined by LF
	ID   []byte // last event id after this event, also when the event itself had none
	// HasID says that the event itself carried an id line.
	HasID bool
}

// Parser reads a stream of events from chunks of any size. The zero value is
// ready. It is not safe for concurrent use.
//
// Rules: WHATWG HTML, 9.2.6 "Interpreting an event stream". Bytes are not
// checked to be UTF-8.
type Parser struct {
	// MaxEventBytes bounds what is held for one event: its data, its name and
	// the line being read. Zero means DefaultMaxEventBytes.
	MaxEventBytes int

	line    []byte // the unfinished line
	data    []byte // of the event being read, each line ended by LF
	name    []byte
	id      []byte // the standard's "last event ID buffer"
	lastID  []byte // id of the last event that was complete
	hasID   bool   // the event being read has an id line
	retry   int    // milliseconds
	hasData bool
	event   Event // handed over; here because a local one would be allocated for each call of emit

	started bool // the first line was seen: no byte order mark any more
	afterCR bool // the last byte was a CR: a following LF belongs to it
	err     error
}

// Parse reads the next bytes of the stream and calls emit for each event that
// they complete. After an error it returns that error for ever.
func (p *Parser) Parse(b []byte, emit func(*Event)) error {
	if p.err != nil {
		return p.err
	}
	for len(b) > 0 {
		if p.afterCR {
			p.afterCR = false
			if b[0] == '\n' {
				b = b[1:]
				continue
			}
		}
		end := lineEnd(b)
		if end < 0 {
			if err := p.check(len(b)); err != nil {
				return err
			}
			p.line = append(p.line, b...)
			return nil
		}
		if err := p.check(end); err != nil {
			return err
		}
		p.afterCR = b[end] == '\r'
		p.endLine(b[:end], emit)
		b = b[end+1:]
	}
	return nil
}

// lineEnd returns the index of the first CR or LF, or -1. Two searches for a
// byte are quicker than one for either.
func lineEnd(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	before := b
	if end >= 0 {
		before = b[:end]
	}
	if cr := bytes.IndexByte(before, '\r'); cr >= 0 {
		return cr
	}
	return end
}

// LastEventID returns the id to send as Last-Event-ID when reconnecting: that
// of the last complete event that had one. The slice is valid until the next
// call of Parse.
func (p *Parser) LastEventID() []byte { return p.lastID }

// RetryMilliseconds returns the pause that the stream last asked for, or 0.
func (p *Parser) RetryMilliseconds() int { return p.retry }

// Reset prepares for a new connection of the same stream: the unfinished event
// is forgotten; the last event id and the retry stay, as the standard has it.
func (p *Parser) Reset() {
	p.clear()
	p.line = p.line[:0]
	p.id = append(p.id[:0], p.lastID...)
	p.started, p.afterCR, p.err = false, false, nil
}

// check refuses to hold n more bytes beyond the limit.
func (p *Parser) check(n int) error {
	limit := p.MaxEventBytes
	if limit <= 0 {
		limit = DefaultMaxEventBytes
	}
	if held := len(p.line) + len(p.data) + len(p.name) + n; held > limit {
		p.err = fmt.Errorf("%w of %d bytes", ErrEventTooLarge, limit)
		return p.err
	}
	return nil
}

// endLine handles a whole line, whose last part is tail.
func (p *Parser) endLine(tail []byte, emit func(*Event)) {
	line := tail
	if len(p.line) > 0 {
		p.line = append(p.line, tail...)
		line = p.line
	}
	if !p.started {
		p.started = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		p.dispatch(emit)
	} else {
		p.field(line)
	}
	p.line = p.line[:0]
}

// field handles a line that is not blank.
func (p *Parser) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		p.data = append(append(p.data, value...), '\n')
		p.hasData = true
	case "event":
		p.name = append(p.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			p.id = append(p.id[:0], value...)
			p.hasID = true
		}
	case "retry":
		if ms, ok := digits(value); ok {
			p.retry = ms
		}
	}
	// A line that begins with a colon is a comment, and other names are
	// ignored: neither is an error.
}

// dispatch ends the event being read. Without data there is none to hand over,
// but its id counts.
func (p *Parser) dispatch(emit func(*Event)) {
	p.lastID = append(p.lastID[:0], p.id...)
	if p.hasData {
		p.event = Event{Name: p.name, Data: p.data[:len(p.data)-1], ID: p.lastID, HasID: p.hasID}
		if len(p.name) == 0 {
			p.event.Name = unnamed
		}
		emit(&p.event)
	}
	p.clear()
}

func (p *Parser) clear() {
	p.data, p.name = p.data[:0], p.name[:0]
	p.hasData, p.hasID = false, false
}

// digits reads an unsigned decimal number; anything else is no number.
func digits(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > maxRetryDigits {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
