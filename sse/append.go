// Package sse is the wire format of Server-Sent Events, as section 9.2 of the
// WHATWG HTML standard defines it: an encoder that appends to a buffer
// ([AppendName], [AppendData], [AppendID], [AppendRetry], [AppendEnd]) and an
// incremental, bounded parser ([Parser]).
//
// It opens no connection and never reconnects: that is the business of those
// who use it.
package sse

import (
	"bytes"
	"strconv"
)

// AppendName appends the line that names an event. CR, LF and NUL in name are
// left out: they would end the line and let a name forge other fields.
func AppendName(b []byte, name string) []byte {
	b = append(b, "event: "...)
	b = appendField(b, name)
	return append(b, '\n')
}

// AppendID appends the line that carries an event's id. CR, LF and NUL in id
// are left out: the first two end the line, and a reader ignores the whole id
// when it holds the third.
func AppendID(b []byte, id string) []byte {
	b = append(b, "id: "...)
	b = appendField(b, id)
	return append(b, '\n')
}

// AppendRetry appends the line that asks the client to wait that many
// milliseconds before it reconnects. Negative values count as zero.
func AppendRetry(b []byte, milliseconds int) []byte {
	b = append(b, "retry: "...)
	b = strconv.AppendInt(b, int64(max(milliseconds, 0)), 10)
	return append(b, '\n')
}

// AppendData appends data as one line for each of its own lines. A line of
// data ends at LF, CR LF or a lone CR, because a reader ends lines at all
// three; what arrives has LF for each. The space after the colon is always
// written, so that a space which begins a line survives.
func AppendData(b, data []byte) []byte {
	for {
		b = append(b, "data: "...)
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			b = append(b, data...)
			return append(b, '\n')
		}
		b = append(b, data[:end]...)
		b = append(b, '\n')
		if data[end] == '\r' && end+1 < len(data) && data[end+1] == '\n' {
			end++
		}
		data = data[end+1:]
	}
}

// AppendEnd appends the blank line at which a reader dispatches the event.
func AppendEnd(b []byte) []byte { return append(b, '\n') }

// appendField appends s without the bytes that a field of one line cannot hold.
func appendField(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '\r' && c != '\n' && c != 0 {
			b = append(b, c)
		}
	}
	return b
}
