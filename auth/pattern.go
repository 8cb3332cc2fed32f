package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a permit may hold. A token beyond them is refused.
const (
	MaxPatterns     = 1024 // in each of topics and keys
	MaxPatternBytes = 512  // of one pattern, after {sub} was replaced
	MaxSubjectBytes = 256  // of sub, and of jti
)

// subjectMark is replaced by the subject in a pattern.
const subjectMark = "{sub}"

// Patterns is a set of names: some exactly, some by how they begin. It is
// immutable, and canonical: two values that were built from the same patterns,
// in any order, with repetitions or with patterns that others contain, are equal
// in every respect, [Patterns.Hash] included. The zero value holds no name.
//
// Names are compared byte by byte: no case folding, no percent-decoding, no
// Unicode normalisation. A look-alike is another name.
type Patterns struct {
	_ [0]func() // not comparable: sets that are equal may be two
	// A pointer, because a pod keeps a permit for each token, and most of them
	// have their patterns in common.
	*lists
}

// lists are what Patterns hold. Immutable.
type lists struct {
	exact    []string // sorted; none begins with one of prefixes
	prefixes []string // sorted; none begins with another
}

var (
	nothing    = &lists{}
	everything = &lists{prefixes: []string{""}} // every name begins with that
)

// Everything returns the set of all names.
func Everything() Patterns { return Patterns{lists: everything} }

// list returns what the set holds; the zero value holds nothing.
func (p Patterns) list() *lists {
	if p.lists == nil {
		return nothing
	}
	return p.lists
}

// Exactly returns the set of these names, each taken as it is: an asterisk is
// an asterisk. It is what a client's own list of keys becomes.
func Exactly(names ...string) Patterns { return canonical(slices.Clone(names), nil) }

// ParsePatterns reads patterns as the claim livemap has them. An asterisk at the
// end stands for any rest, and {sub} for the subject.
//
// The wildcard is found before the subject is put in, so nothing in a subject
// can become one. A subject is put in only when it cannot reach beyond its own
// name: see checkSubject. An asterisk elsewhere, a placeholder other than {sub},
// and {sub} followed by a wildcard without a slash between them are errors (the
// subject "al" would see what belongs to "alice").
func ParsePatterns(texts []string, subject string) (Patterns, error) {
	if len(texts) > MaxPatterns {
		return Patterns{}, fmt.Errorf("%d patterns: at most %d are allowed", len(texts), MaxPatterns)
	}
	names := make([]string, len(texts)) // exact ones from the front, prefixes from the back
	exact, prefixes := 0, len(texts)
	for i, text := range texts {
		name, wild, err := parsePattern(text, subject)
		if err != nil {
			return Patterns{}, fmt.Errorf("[%d] %s: %w", i, quote(text), err)
		}
		if wild {
			prefixes--
			names[prefixes] = name
		} else {
			names[exact] = name
			exact++
		}
	}
	return canonical(names[:exact:exact], names[prefixes:]), nil
}

func parsePattern(text, subject string) (name string, wild bool, err error) {
	if text == "" {
		return "", false, errors.New("is empty")
	}
	if err := checkText(text); err != nil {
		return "", false, err
	}
	name, wild = strings.CutSuffix(text, "*")
	if strings.Contains(name, "*") {
		return "", false, errors.New("an asterisk may only stand at the end")
	}
	if other := placeholder(name); other != "" {
		return "", false, fmt.Errorf("unknown placeholder %s; there is only %s", other, subjectMark)
	}
	if last := strings.LastIndex(name, subjectMark); last >= 0 {
		if err := checkSubject(subject); err != nil {
			return "", false, err
		}
		if wild && !strings.Contains(name[last:], "/") {
			return "", false, fmt.Errorf("%s and * need a / between them, or one subject could see what belongs to another that begins with the same letters", subjectMark)
		}
		name = strings.ReplaceAll(name, subjectMark, subject)
	}
	if len(name) > MaxPatternBytes {
		return "", false, fmt.Errorf("is longer than %d bytes", MaxPatternBytes)
	}
	return name, wild, nil
}

// placeholder returns the first {word} in a pattern that is not {sub}. Other
// uses of braces are part of the name, as keys may well be JSON.
func placeholder(s string) string {
	for rest := s; ; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			return ""
		}
		rest = rest[open:]
		end := 1
		for end < len(rest) && (rest[end]|0x20 >= 'a' && rest[end]|0x20 <= 'z' || rest[end] == '_') {
			end++
		}
		if end > 1 && end < len(rest) && rest[end] == '}' && rest[:end+1] != subjectMark {
			return rest[:end+1]
		}
		rest = rest[1:]
	}
}

// checkText refuses what no name in a token has a use for.
func checkText(s string) error {
	if plainASCII(s) { // nearly always
		return nil
	}
	if !utf8.ValidString(s) {
		return errors.New("is not UTF-8")
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return errors.New("contains a control character")
	}
	return nil
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// checkSubject says whether a subject may stand for {sub}. A slash would lead
// into the names of another subject ("alice/orders" lies inside "alice"), an
// empty one into those of all; asterisks and braces are refused because someone
// will read them as what they are not.
func checkSubject(subject string) error {
	switch {
	case plainSubject(subject):
		return nil
	case subject == "":
		return fmt.Errorf("has %s, but the token has no subject", subjectMark)
	case strings.ContainsAny(subject, "/*{}"):
		return fmt.Errorf("has %s, but the subject contains one of / * { }", subjectMark)
	}
	if err := checkText(subject); err != nil {
		return fmt.Errorf("has %s, but the subject %w", subjectMark, err)
	}
	return nil
}

// plainSubject says whether a subject is of those that nearly all are: printable
// ASCII without what checkSubject refuses.
func plainSubject(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '/' || c == '*' || c == '{' || c == '}' {
			return false
		}
	}
	return s != ""
}

// canonical sorts, and drops what another pattern contains.
func canonical(exact, prefixes []string) Patterns {
	l := &lists{exact: exact, prefixes: prefixes}
	l.tidy()
	return Patterns{lists: l}
}

// tidy sorts, and drops what another pattern contains. Lists of one, as those of
// most tokens are, are left alone.
func (l *lists) tidy() {
	if len(l.prefixes) > 1 {
		slices.Sort(l.prefixes)
		kept := l.prefixes[:0]
		for _, p := range l.prefixes { // the shorter of two nested prefixes sorts first
			if len(kept) == 0 || !strings.HasPrefix(p, kept[len(kept)-1]) {
				kept = append(kept, p)
			}
		}
		l.prefixes = kept
	}
	if len(l.exact) > 1 {
		slices.Sort(l.exact)
		l.exact = slices.Compact(l.exact)
	}
	if len(l.prefixes) > 0 {
		l.exact = slices.DeleteFunc(l.exact, l.matchPrefix)
	}
}

// Match says whether name is in the set.
func (p Patterns) Match(name string) bool {
	l := p.list()
	_, ok := slices.BinarySearch(l.exact, name)
	return ok || l.matchPrefix(name)
}

// matchPrefix looks at one prefix only: the greatest that does not sort after
// name. Were a smaller one to match, the greatest would begin with it, and the
// canonical form has no such pair.
func (l *lists) matchPrefix(name string) bool {
	i := sort.Search(len(l.prefixes), func(i int) bool { return l.prefixes[i] > name })
	return i > 0 && strings.HasPrefix(name, l.prefixes[i-1])
}

// All says whether every name is in the set.
func (p Patterns) All() bool {
	prefixes := p.list().prefixes
	return len(prefixes) == 1 && prefixes[0] == ""
}

// Empty says whether no name is in the set.
func (p Patterns) Empty() bool { return len(p.list().exact) == 0 && len(p.list().prefixes) == 0 }

// Names returns the names that are in the set exactly, sorted. The slice is the
// caller's own.
func (p Patterns) Names() []string { return slices.Clone(p.list().exact) }

// Prefixes returns the beginnings of names in the set, sorted. The slice is the
// caller's own.
func (p Patterns) Prefixes() []string { return slices.Clone(p.list().prefixes) }

// bytes is about what the set occupies.
func (p Patterns) bytes() (n int) {
	for _, list := range [][]string{p.list().exact, p.list().prefixes} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	return n
}

// String describes the set for people: quoted names, those with a wildcard last.
// It is not a key for anything; use [Patterns.Hash].
func (p Patterns) String() string {
	switch {
	case p.All():
		return "all"
	case p.Empty():
		return "none"
	}
	var b strings.Builder
	for _, s := range p.list().exact {
		b.WriteString(", " + quote(s))
	}
	for _, s := range p.list().prefixes {
		b.WriteString(", " + quote(s) + "…")
	}
	return b.String()[2:]
}

// quote makes any text fit for one line of a log or a terminal.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

// Hash identifies a set of names: equal for equal sets in canonical form, and
// without collisions as far as SHA-256 goes. It is comparable, so that it can be
// the key of a map.
type Hash [sha256.Size]byte

// Hash returns the identity of the set. Every field goes in with its length
// before it, so that no two lists of names come out as the same bytes (joined
// strings did, in CVE-2026-39972).
func (p Patterns) Hash() Hash {
	b := []byte("livemap patterns 1\x00")
	for _, list := range [][]string{p.list().exact, p.list().prefixes} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return sha256.Sum256(b)
}
