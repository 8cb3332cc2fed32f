package auth

import (
	"bytes"
	"errors"
	"fmt"
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
// scanner against encoding/json. After an error it is of no further use.
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
	if s.take('}') {
		s.depth--
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
		switch s.peek() {
		case '}':
			s.i++
			s.depth--
			return nil
		case ',':
			s.i++
		default:
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
	if s.take(']') {
		s.depth--
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch s.peek() {
		case ']':
			s.i++
			s.depth--
			return nil
		case ',':
			s.i++
		default:
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
	if s.i < len(s.b) && s.b[s.i] > ' ' { // nearly always
		return s.b[s.i]
	}
	return s.peekBeyond()
}

func (s *scanner) peekBeyond() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// take reads c, which is not 0, if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
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
