package server

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Door looks at a request and says what it may see. An error is answered with
// 403; nothing of it but a [Refusal]'s own words reaches the client.
type Door func(*http.Request) (Permit, error)

// Permit is what somebody may see, and until when. The zero value is that of
// the anonymous: everything, for ever.
type Permit struct {
	Topics  []string // names, or beginnings followed by *; nil: every topic
	Keys    []string // likewise; nil: every key
	Subject string   // for the log
	Expires time.Time
}

// topic says whether the topic may be seen.
func (p Permit) topic(name string) bool { return p.Topics == nil || matches(p.Topics, name) }

// key says whether records with that key may be seen.
func (p Permit) key(key string) bool { return p.Keys == nil || matches(p.Keys, key) }

// matches says whether one of the patterns fits name.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if begin, wild := strings.CutSuffix(p, "*"); wild {
			return strings.HasPrefix(name, begin)
		}
		return p == name
	})
}

// wild says whether a pattern stands for more than one name.
func wild(pattern string) bool { return strings.HasSuffix(pattern, "*") }
