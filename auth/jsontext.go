package auth

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

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
