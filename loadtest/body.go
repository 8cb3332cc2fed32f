package loadtest

import (
	"errors"
	"io"
)

// errChunk is the error of a chunked body that does not keep to the form.
var errChunk = errors.New("broken chunk in the answer")

// Limits of chunks: digits of a size, bytes of a size line with its extensions
// and of the trailer.
const (
	maxChunkDigits = 15
	maxChunkLine   = 4 << 10
)

// chunkState is the part of a chunked body that is read next (RFC 9112, 7.1).
type chunkState uint8

const (
	inSize      chunkState = iota
	inExtension            // of a size line, up to its end
	inData
	inDataEnd // CR LF after the data
	inTrailer // after the last chunk, at the beginning of a line
	inTrailerLine
)

// body takes the framing off the bytes of an answer, whatever the pieces that
// they come in. The zero value reads until the connection closes.
type body struct {
	framing framing
	state   chunkState
	digits  uint8
	line    uint16 // bytes of the size line or trailer so far
	left    int64  // bytes of the chunk, or of a sized body
}

// next returns the next run of data in b and the rest of b behind it. At the
// end of the body it returns io.EOF.
func (d *body) next(b []byte) (data, rest []byte, err error) {
	switch d.framing {
	case untilClose:
		return b, nil, nil
	case sized:
		n := min(d.left, int64(len(b)))
		d.left -= n
		if d.left == 0 {
			err = io.EOF
		}
		return b[:n], nil, err
	}
	for i := 0; i < len(b); i++ {
		if d.state == inData {
			n := min(d.left, int64(len(b)-i))
			if d.left -= n; d.left == 0 {
				d.state = inDataEnd
			}
			return b[i : i+int(n)], b[i+int(n):], nil
		}
		if err := d.control(b[i]); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

// control handles one byte that is not data.
func (d *body) control(c byte) error {
	if d.line++; d.line > maxChunkLine {
		return errChunk
	}
	switch d.state {
	case inSize:
		return d.size(c)
	case inExtension:
		if c == '\n' {
			d.beginData()
		}
	case inDataEnd:
		switch c {
		case '\r':
		case '\n':
			d.state, d.left, d.digits, d.line = inSize, 0, 0, 0
		default:
			return errChunk
		}
	case inTrailer:
		switch c {
		case '\r':
		case '\n':
			return io.EOF
		default:
			d.state = inTrailerLine
		}
	case inTrailerLine:
		if c == '\n' {
			d.state = inTrailer
		}
	}
	return nil
}

func (d *body) size(c byte) error {
	digit := int64(-1)
	switch {
	case c >= '0' && c <= '9':
		digit = int64(c - '0')
	case c >= 'a' && c <= 'f':
		digit = int64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		digit = int64(c-'A') + 10
	}
	switch {
	case digit >= 0:
		if d.digits++; d.digits > maxChunkDigits {
			return errChunk
		}
		d.left = d.left<<4 | digit
	case d.digits == 0:
		return errChunk
	case c == '\n':
		d.beginData()
	case c == '\r' || c == ';' || c == ' ' || c == '\t':
		d.state = inExtension
	default:
		return errChunk
	}
	return nil
}

// beginData goes on behind a size line: to the data, or after the last chunk to
// the trailer.
func (d *body) beginData() {
	d.line = 0
	if d.state = inData; d.left == 0 {
		d.state = inTrailer
	}
}
