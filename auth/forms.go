package auth

import "strings"

// forms is a list of patterns that was read once for all subjects: most tokens
// of an issuer have the same, and reading a pattern costs as much as reading
// all else in a token. Immutable. The zero value knows nothing and leaves all to
// [ParsePatterns], which FuzzClaims holds it against.
type forms struct {
	same  *Patterns // what the list is for everybody; nil if {sub} is in it
	names []form    // of a list with {sub}: exact ones first
	exact int       // so many of names
}

// form is a pattern: fixed, or what stands around a subject.
type form struct {
	before, after string
	subject       bool
}

// everyName is what no list at all stands for.
var everyName = func() *forms { p := Everything(); return &forms{same: &p} }()

// newForms reads a list. What ParsePatterns would refuse, whoever the subject is,
// and patterns that name the subject twice, are left to it.
func newForms(texts []string) *forms {
	var exact, prefixes []form
	somebody := false
	for _, text := range texts {
		if _, _, err := parsePattern(text, "s"); err != nil {
			return &forms{}
		}
		name, wild := strings.CutSuffix(text, "*")
		before, after, subject := strings.Cut(name, subjectMark)
		if strings.Contains(after, subjectMark) {
			return &forms{}
		}
		somebody = somebody || subject
		if wild {
			prefixes = append(prefixes, form{before, after, subject})
		} else {
			exact = append(exact, form{before, after, subject})
		}
	}
	if somebody {
		return &forms{names: append(exact, prefixes...), exact: len(exact)}
	}
	p, err := ParsePatterns(texts, "")
	if err != nil {
		return &forms{}
	}
	return &forms{same: &p}
}

// of returns what ParsePatterns makes of the texts that were read and a subject.
// It may put it into room, if not nil.
func (f *forms) of(texts []string, subject string, room *shortLists) (Patterns, error) {
	if f.same != nil {
		return *f.same, nil
	}
	if f.names == nil || checkSubject(subject) != nil {
		return ParsePatterns(texts, subject)
	}
	var l *lists
	var names []string
	if room != nil && f.short() {
		l, names = &room.lists, room.names[:len(f.names)]
	} else {
		l, names = new(lists), make([]string, len(f.names))
	}
	for i, n := range f.names {
		if names[i] = n.before; n.subject {
			names[i] = n.before + subject + n.after
		}
		if len(names[i]) > MaxPatternBytes {
			return ParsePatterns(texts, subject)
		}
	}
	l.exact, l.prefixes = names[:f.exact:f.exact], names[f.exact:]
	l.tidy()
	return Patterns{lists: l}, nil
}

// short says whether the names of a subject go into shortLists.
func (f *forms) short() bool { return f.names != nil && len(f.names) <= len(shortLists{}.names) }

// shortLists are lists and the room for as many names as most tokens have.
type shortLists struct {
	lists
	names [2]string
}
