package auth

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// MaxRevocationBytes bounds the file of revocations: some 100,000 lines.
const MaxRevocationBytes = 8 << 20

// revocations are tokens and subjects that no longer count. Immutable.
type revocations struct {
	ids      map[string]bool
	subjects map[string]time.Time // tokens issued before; the zero time: all
}

// parseRevocations reads the file of revocations: a line each,
//
//	jti ID
//	sub SUBJECT
//	before 2026-11-27T12:00:00Z sub SUBJECT
//
// the last for those who may come back with a token issued (iat) since then. ID
// and SUBJECT are the rest of the line. Empty lines, and lines that begin with
// #, say nothing. A line that is not understood is an error: left out silently,
// somebody would stay in.
func parseRevocations(b []byte) (*revocations, error) {
	r := &revocations{ids: map[string]bool{}, subjects: map[string]time.Time{}}
	number := 0
	for line := range bytes.Lines(b) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		kind, rest, _ := strings.Cut(text, " ")
		var before time.Time
		if kind == "before" {
			at, more, _ := strings.Cut(rest, " ")
			t, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return nil, fmt.Errorf("line %d: %s is not a time such as 2026-11-27T12:00:00Z", number, quote(at))
			}
			before = t
			kind, rest, _ = strings.Cut(more, " ")
		}
		rest = strings.TrimSpace(rest)
		switch {
		case rest != "" && kind == "sub":
			r.addSubject(rest, before)
		case rest != "" && kind == "jti" && before.IsZero():
			r.ids[rest] = true
		default:
			return nil, fmt.Errorf("line %d: %s is not \"jti ID\", \"sub SUBJECT\" or \"before TIME sub SUBJECT\"", number, quote(text))
		}
	}
	return r, nil
}

// addSubject keeps the stricter of two lines about one subject.
func (r *revocations) addSubject(subject string, before time.Time) {
	had, ok := r.subjects[subject]
	if ok && (had.IsZero() || !before.IsZero() && before.Before(had)) {
		return
	}
	r.subjects[subject] = before
}

// hit says whether the permit was revoked. A token that does not say when it was
// issued counts as issued long ago.
func (r *revocations) hit(p *Permit) bool {
	if p.ID != "" && r.ids[p.ID] {
		return true
	}
	before, ok := r.subjects[p.Subject]
	return ok && (before.IsZero() || p.issued.time().Before(before))
}
