package auth

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Limits of the JSON in tokens and key sets. What is beyond them is refused.
const (
	maxDepth   = 16  // objects and arrays inside each other
	maxMembers = 256 // of one object
)

// scanner reads JSON (RFC 8259) strictly. encoding/json will not do for bytes
// that decide who sees what: it takes the last of two members with one name,
// matches names whatever their case ("EXP" fills exp), and repairs broken
// Unicode. Here each of these is an error, at every depth. FuzzClaims holds the
// scanner against encoding/json.
type scanner struct {
	b     []byte
	i     int
	depth int
}

var (
	errJSON  = errors.New("is not JSON")
	errDepth = fmt.Errorf("is nested deeper than %d", maxDepth)
)

// document reads one object and nothing after it. For each member it calls
// member, which must read the value.
func (s *scanner) document(member func(name []byte) error) error {
	if err := s.object(member); err != nil {
		return err
	}
	s.space()
	if s.i != len(s.b) {
		return errJSON
	}
	return nil
}

// object reads an object. Two members of one name are an error, escapes undone.
func (s *scanner) object(member func(name []byte) error) error {
	if !s.take('{') {
		return errJSON
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	var room [16][]byte
	seen := room[:0]
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		for _, other := range seen {
			if bytes.Equal(name, other) {
				return fmt.Errorf("has the member %s twice", quote(string(name)))
			}
		}
		if seen = append(seen, name); len(seen) > maxMembers {
			return fmt.Errorf("has an object of more than %d members", maxMembers)
		}
		if !s.take(':') {
			return errJSON
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// array reads an array. For each element it calls element, which must read it.
func (s *scanner) array(element func() error) error {
	if !s.take('[') {
		return errJSON
	}
	if s.depth++; s.depth > maxDepth {
		return errDepth
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// skip reads any value and forgets it.
func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func([]byte) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		_, err := s.text()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	_, err := s.number()
	return err
}

// space skips white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// take reads c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return errJSON
	}
	s.i += len(w)
	return nil
}

// text reads a string. The result is a part of the input when nothing is
// escaped in it.
func (s *scanner) text() ([]byte, error) {
	if !s.take('"') {
		return nil, errJSON
	}
	start, ascii := s.i, true
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			t := s.b[start:s.i]
			s.i++
			if !ascii && !utf8.Valid(t) {
				return nil, errJSON
			}
			return t, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, errJSON
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, errJSON
}

// escaped reads the rest of a string that began at start and has its first
// escape at s.i.
func (s *scanner) escaped(start int) ([]byte, error) {
	t := bytes.Clone(s.b[start:s.i])
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			if !utf8.Valid(t) {
				return nil, errJSON
			}
			return t, nil
		case c < ' ':
			return nil, errJSON
		case c != '\\':
			t = append(t, c)
			continue
		}
		if s.i == len(s.b) {
			return nil, errJSON
		}
		c = s.b[s.i]
		s.i++
		if c == 'u' {
			r, err := s.rune()
			if err != nil {
				return nil, err
			}
			t = utf8.AppendRune(t, r)
			continue
		}
		plain := bytes.IndexByte([]byte(`"\/bfnrt`), c)
		if plain < 0 {
			return nil, errJSON
		}
		t = append(t, "\"\\/\b\f\n\r\t"[plain])
	}
	return nil, errJSON
}

// rune reads what follows \u, and the second half of a surrogate pair. Half a
// pair is an error: replaced by U+FFFD, as is common, two names would become one.
func (s *scanner) rune() (rune, error) {
	high, err := s.hex4()
	if err != nil || high < 0xD800 || high > 0xDFFF {
		return high, err
	}
	if high > 0xDBFF || !bytes.HasPrefix(s.b[s.i:], []byte(`\u`)) {
		return 0, errJSON
	}
	s.i += 2
	low, err := s.hex4()
	if err != nil || low < 0xDC00 || low > 0xDFFF {
		return 0, errJSON
	}
	return 0x10000 + (high-0xD800)<<10 + (low - 0xDC00), nil
}

func (s *scanner) hex4() (rune, error) {
	if len(s.b)-s.i < 4 {
		return 0, errJSON
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, errJSON
		}
	}
	s.i += 4
	return r, nil
}

// number reads a number.
func (s *scanner) number() (float64, error) {
	s.space()
	start := s.i
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	zero := s.i < len(s.b) && s.b[s.i] == '0'
	whole := s.digits()
	if whole == 0 || zero && whole > 1 {
		return 0, errJSON
	}
	fast := s.i-start == whole && whole < 16
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if fast = false; s.digits() == 0 {
			return 0, errJSON
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if fast = false; s.digits() == 0 {
			return 0, errJSON
		}
	}
	if fast {
		var n int64
		for _, c := range s.b[start:s.i] {
			n = n*10 + int64(c-'0')
		}
		return float64(n), nil
	}
	f, err := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, errors.New("has a number out of range")
	}
	return f, nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}
