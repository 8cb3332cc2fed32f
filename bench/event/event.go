// Package event is the event that every measurement publishes: 200 bytes of
// JSON that end in a number and in the time for which its publication was
// scheduled. Start at [Append]; [Scan] reads the stamps back out of a stream.
//
// The stamp stands at the end, so a client that has read it has read the whole
// event, and it has a fixed width, so a swarm can find it in a few nanoseconds
// whatever frame a server put around it. Nothing here knows SSE or HTTP.
package event

import "bytes"

const (
	// Size is the length of an event in bytes.
	Size = 200

	opening = `{"pad":"`
	marker  = `","n":`
	between = `,"at":`
	closing = `}`

	// Numbers are written from firstNumber on, so that all have as many digits
	// and are JSON without leading zeros.
	firstNumber  = 1_000_000_000
	numberDigits = 10
	timeDigits   = 16

	// StampSize is the length of the stamp: all of the event from its marker on.
	StampSize = len(marker) + numberDigits + len(between) + timeDigits + len(closing)
	padSize   = Size - len(opening) - StampSize
)

var (
	markerBytes = []byte(marker)
	filler      = bytes.Repeat([]byte("0123456789abcdef"), Size/16+1)
)

// Stamp is what an event says of itself.
type Stamp struct {
	Number int64 // 0 to 8,999,999,999
	At     int64 // scheduled publication, microseconds since the epoch
}

// Append appends the event with stamp s.
func Append(b []byte, s Stamp) []byte {
	b = append(b, opening...)
	b = append(b, filler[:padSize]...)
	b = append(b, marker...)
	b = appendDigits(b, firstNumber+s.Number, numberDigits)
	b = append(b, between...)
	b = appendDigits(b, s.At, timeDigits)
	return append(b, closing...)
}

// Scan looks for the first stamp in b. It returns the stamp and the bytes behind
// it, or ok false and the end of b that may be the beginning of a stamp: shorter
// than StampSize, to be put before the bytes that follow.
func Scan(b []byte) (s Stamp, rest []byte, ok bool) {
	for {
		i := bytes.Index(b, markerBytes)
		if i < 0 {
			return Stamp{}, b[len(b)-begun(b):], false
		}
		if len(b)-i < StampSize {
			return Stamp{}, b[i:], false
		}
		if s, ok := parse(b[i : i+StampSize]); ok {
			return s, b[i+StampSize:], true
		}
		b = b[i+1:]
	}
}

// begun returns how many of the last bytes of b may begin a marker.
func begun(b []byte) int {
	for n := min(len(marker)-1, len(b)); n > 0; n-- {
		if bytes.HasPrefix(markerBytes, b[len(b)-n:]) {
			return n
		}
	}
	return 0
}

// parse reads a stamp that begins with its marker.
func parse(b []byte) (s Stamp, ok bool) {
	number, rest := b[len(marker):len(marker)+numberDigits], b[len(marker)+numberDigits:]
	at, end := rest[len(between):len(between)+timeDigits], rest[len(between)+timeDigits:]
	if string(rest[:len(between)]) != between || string(end) != closing {
		return Stamp{}, false
	}
	var ok1, ok2 bool
	s.Number, ok1 = digits(number)
	s.At, ok2 = digits(at)
	s.Number -= firstNumber
	return s, ok1 && ok2 && s.Number >= 0
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		} else {
			n = n*10 + int64(c)
		}
	}
	return n, true
}

func appendDigits(b []byte, n int64, width int) []byte {
	at := len(b)
	b = append(b, filler[:width]...)
	for i := at + width - 1; i >= at; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
