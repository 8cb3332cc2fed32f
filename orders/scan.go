package orders

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the objects and arrays within each other; an order itself
// needs three.
const maxDepth = 32

// kind is the sort of a JSON value, told by its first byte.
type kind byte

const (
	none kind = iota // no value begins here
	object
	array
	text
	number
	literal // true, false or null
)

// scanner reads JSON (RFC 8259) from a slice in one pass. Its error is sticky:
// once the input proves malformed, it stands at the end of the input and every
// method returns zero values, so that callers need no check after each call.
//
// It is stricter than encoding/json where a lenient reading would change what
// is read: strings must be UTF-8 and surrogates must come in pairs.
type scanner struct {
	b   []byte
	i   int    // next byte
	bad string // why the input is malformed; empty while it is not
}

func (s *scanner) fail(what string) {
	if s.bad == "" {
		s.bad = fmt.Sprintf("byte %d: %s", s.i, what)
		s.i = len(s.b)
	}
}

// kind skips white space and returns the kind of the value that begins there.
func (s *scanner) kind() kind {
	s.space()
	if s.i == len(s.b) {
		return none
	}
	switch c := s.b[s.i]; c {
	case '{':
		return object
	case '[':
		return array
	case '"':
		return text
	case 't', 'f', 'n':
		return literal
	default:
		if c == '-' || isDigit(c) {
			return number
		}
		return none
	}
}

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

// take consumes c, after white space, if it comes next.
func (s *scanner) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// key consumes what stands before an object's next value, and the end of the
// object when there is none. The object's brace has been consumed; first says
// that no value has been read yet. The key is valid until the next call.
func (s *scanner) key(first bool) (key []byte, more bool) {
	if s.take('}') {
		return nil, false
	}
	if !first && !s.take(',') {
		s.fail("wants , or } after a value of an object")
		return nil, false
	}
	if s.kind() != text {
		s.fail("wants a key in quotes")
		return nil, false
	}
	raw, escaped := s.str()
	if !s.take(':') {
		s.fail("wants : after a key")
		return nil, false
	}
	if escaped {
		raw = unescape(raw)
	}
	return raw, s.bad == ""
}

// element consumes what stands before an array's next value, and the end of the
// array when there is none. The array's bracket has been consumed.
func (s *scanner) element(first bool) (more bool) {
	if s.take(']') {
		return false
	}
	if !first && !s.take(',') {
		s.fail("wants , or ] after a value of an array")
		return false
	}
	return s.bad == ""
}

// str consumes a string, whose opening quote comes next, and returns what
// stands between the quotes. If it is escaped, unescape turns it into text; it
// is proven valid here.
func (s *scanner) str() (raw []byte, escaped bool) {
	start := s.i + 1
	wide := false
	for i := start; i < len(s.b); i++ {
		c := s.b[i]
		switch {
		case c == '"':
			raw = s.b[start:i]
			if wide && !utf8.Valid(raw) {
				s.fail("string is not UTF-8")
				return nil, false
			}
			s.i = i + 1
			return raw, escaped
		case c == '\\':
			n := escapeLen(s.b[i:])
			if n == 0 {
				s.i = i
				s.fail("wrong escape in a string")
				return nil, false
			}
			escaped = true
			i += n - 1
		case c < ' ':
			s.i = i
			s.fail("control character in a string")
			return nil, false
		case c >= utf8.RuneSelf:
			wide = true
		}
	}
	s.fail("string does not end")
	return nil, false
}

// escapeLen returns the length of the escape at the beginning of b, which is
// that of both halves for a surrogate pair, or 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hexRune(b)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		low, ok := hexRune(b[6:])
		if ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

// hexRune reads \uXXXX at the beginning of b.
func hexRune(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape returns the text of a string that str has found valid.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		n := escapeLen(raw[i:])
		switch c := raw[i+1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hexRune(raw[i:])
			if n == 12 {
				low, _ := hexRune(raw[i+6:])
				r = utf16.DecodeRune(r, low)
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
		i += n
	}
	return out
}

// num consumes a number, whose first byte comes next. whole says that it has
// neither fraction nor exponent.
func (s *scanner) num() (raw []byte, whole bool) {
	start := s.i
	i := start
	if s.b[i] == '-' {
		i++
	}
	intStart := i
	i = skipDigits(s.b, i)
	if i == intStart || (s.b[intStart] == '0' && i > intStart+1) {
		s.fail("wrong number")
		return nil, false
	}
	whole = true
	if i < len(s.b) && s.b[i] == '.' {
		whole = false
		from := i + 1
		if i = skipDigits(s.b, from); i == from {
			s.fail("wrong number")
			return nil, false
		}
	}
	if i < len(s.b) && (s.b[i] == 'e' || s.b[i] == 'E') {
		whole = false
		i++
		if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		from := i
		if i = skipDigits(s.b, from); i == from {
			s.fail("wrong number")
			return nil, false
		}
	}
	s.i = i
	return s.b[start:i], whole
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// skip consumes one value of any kind, with depth objects and arrays around it.
func (s *scanner) skip(depth int) {
	kind := s.kind()
	if depth >= maxDepth && (kind == object || kind == array) {
		s.fail("nested deeper than " + strconv.Itoa(maxDepth))
		return
	}
	switch kind {
	case object:
		s.i++
		for first := true; ; first = false {
			if _, more := s.key(first); !more {
				return
			}
			s.skip(depth + 1)
		}
	case array:
		s.i++
		for first := true; s.element(first); first = false {
			s.skip(depth + 1)
		}
	case text:
		s.str()
	case number:
		s.num()
	case literal:
		s.literal()
	default:
		s.fail("wants a value")
	}
}

func (s *scanner) literal() {
	for _, word := range [...]string{"true", "false", "null"} {
		if n := len(word); len(s.b)-s.i >= n && string(s.b[s.i:s.i+n]) == word {
			s.i += n
			return
		}
	}
	s.fail("wants true, false or null")
}
