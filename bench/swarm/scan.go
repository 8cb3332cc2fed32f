package swarm

import (
	"livemap/bench/event"
)

// chunks takes the chunked framing off a body (RFC 9112, 7.1). A server that
// sends many events at once may end a chunk in the middle of one.
type chunks struct {
	left  int32 // bytes of the chunk that are to come
	size  int32 // of the size line, so far
	state chunkState
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	inData
	inEnd // the line end behind the data
	broken
)

// next returns the next run of data in b and what is behind it.
func (k *chunks) next(b []byte) (data, rest []byte) {
	for i := 0; i < len(b); i++ {
		if k.state == inData {
			n := min(int(k.left), len(b)-i)
			if k.left -= int32(n); k.left == 0 {
				k.state = inEnd
			}
			return b[i : i+n], b[i+n:]
		}
		k.control(b[i])
	}
	return nil, nil
}

// maxChunk bounds what a size line may say.
const maxChunk = 1 << 27

// control handles a byte between two runs of data. The last chunk, of size 0,
// leaves the state broken: a stream has no end.
func (k *chunks) control(c byte) {
	switch k.state {
	case inSize:
		switch {
		case c >= '0' && c <= '9':
			k.size = k.size<<4 | int32(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			k.size = k.size<<4 | int32(c|0x20-'a'+10)
		case c == '\n' && k.size > 0:
			k.left, k.size, k.state = k.size, 0, inData
		case c == '\r':
		case c == ';':
			k.state = inExtension
		default:
			k.state = broken
		}
		if k.size > maxChunk {
			k.state = broken
		}
	case inExtension:
		if c == '\n' {
			k.left, k.size, k.state = k.size, 0, inData
		}
	case inEnd:
		if c == '\n' {
			k.state = inSize
		}
	}
}

// body takes the bytes b of a body, which stand in the swarm's buffer, read at
// the given time. It reports false when the framing is broken.
func (s *swarm) body(c *client, b []byte, now int64) bool {
	if !c.framed {
		s.data(c, b, now)
		return true
	}
	for len(b) > 0 {
		var data []byte
		if data, b = c.chunks.next(b); len(data) > 0 {
			s.data(c, data, now)
		}
	}
	return c.chunks.state != broken
}

// data counts the events that end in b.
func (s *swarm) data(c *client, b []byte, now int64) {
	if c == &s.clients[0] {
		s.watched(b)
	}
	if c.kept > 0 {
		b = s.finish(c, b, now)
	}
	for {
		stamp, rest, ok := event.Scan(b)
		if ok {
			s.count(c, stamp, now)
			b = rest
			continue
		}
		// What finish left is kept already.
		if len(b) > 0 {
			c.kept = uint8(copy(c.keep[:], rest))
		}
		return
	}
}

// finish puts what the client kept before as much of b as completes a stamp, and
// returns what of b is left to scan.
func (s *swarm) finish(c *client, b []byte, now int64) []byte {
	for c.kept > 0 {
		n := copy(c.keep[c.kept:], b)
		joined := c.keep[:int(c.kept)+n]
		stamp, rest, ok := event.Scan(joined)
		if ok {
			// A stamp fills all of keep, so it ended with the last byte taken.
			s.count(c, stamp, now)
			c.kept = 0
			return b[n:]
		}
		if len(rest) <= n && n > 0 && len(joined) == len(c.keep) {
			// No stamp began in what was kept: b is scanned as it stands.
			c.kept = 0
			return b
		}
		if len(joined) < len(c.keep) {
			// b was too short to decide.
			c.kept = uint8(copy(c.keep[:], rest))
			return nil
		}
		// A second candidate began within what was kept.
		kept := len(rest) - n
		c.kept = uint8(copy(c.keep[:], rest[:kept]))
	}
	return b
}

// count enters an event that client c has read completely.
func (s *swarm) count(c *client, e event.Stamp, now int64) {
	s.report.Events++
	switch {
	case c.newest == 0 || e.Number == c.newest+1:
	case e.Number > c.newest:
		s.report.Missing += e.Number - c.newest - 1
	default:
		s.report.Again++
		return
	}
	c.newest = e.Number
	s.report.Newest = max(s.report.Newest, e.Number)
	late := now - e.At
	// The histogram refuses nothing between its ends.
	_ = s.latency.RecordValue(min(max(late, 1), maxLatency.Microseconds()))
}
