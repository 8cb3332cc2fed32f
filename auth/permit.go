package auth

import (
	"errors"
	"fmt"
	"time"
)

// Permit is what somebody may see, and until when. It is immutable once made
// and may be shared. The zero value permits nothing.
type Permit struct {
	// Subject is whom the permit was given to, for limits and logs; empty for
	// anonymous permits and for tokens without sub.
	Subject string
	// Topics and Keys are what may be seen. A record is seen when both match.
	Topics, Keys Patterns
	// Expires is the end of the permit, leeway included: nothing is to be sent
	// from then on. The zero time means never, and only anonymous permits have it.
	Expires time.Time
	// ID is the token's jti, empty if it has none.
	ID string

	anonymous bool
	key       *fingerprint // of the key that verified the token; nil: anonymous
	issued    time.Time    // iat, zero if the token has none
}

// Anonymous returns the permit of those who show no token: all keys of the given
// topics, for ever. Topics are patterns without {sub}.
func Anonymous(topics ...string) (*Permit, error) {
	p, err := ParsePatterns(topics, "")
	if err != nil {
		return nil, fmt.Errorf("anonymous topics%w", err)
	}
	if p.Empty() {
		return nil, errors.New("anonymous topics: none given; name them, or \"*\" for all")
	}
	return &Permit{Topics: p, Keys: Everything(), anonymous: true}, nil
}

// Anonymous says whether the permit was given without a token.
func (p *Permit) Anonymous() bool { return p.anonymous }

// Topic says whether the topic may be seen.
func (p *Permit) Topic(name string) bool { return p.Topics.Match(name) }

// Key says whether records with this key may be seen, in the topics that may.
func (p *Permit) Key(key string) bool { return p.Keys.Match(key) }

// AllKeys says whether every key may be seen, so that nobody need ask for each.
func (p *Permit) AllKeys() bool { return p.Keys.All() }

// Ended says whether the permit has expired at now.
func (p *Permit) Ended(now time.Time) bool { return !p.Expires.IsZero() && !now.Before(p.Expires) }

// bytes is about what the permit occupies: more than its token, when a long
// subject is put into many patterns.
func (p *Permit) bytes() int {
	return 160 + len(p.Subject) + len(p.ID) + p.Topics.bytes() + p.Keys.bytes()
}

// Allow checks what a request names: every topic, and every key. It returns the
// effective key set of the request: the keys it names, or, when it names none
// (nil), all that the permit has. The error is a [*Refusal].
//
// Ask it before whether a topic exists, and answer alike, or the difference
// tells outsiders which topics there are.
func (p *Permit) Allow(topics, keys []string) (Patterns, error) {
	for _, t := range topics {
		if !p.Topic(t) {
			return Patterns{}, refuse(ProblemTopic, "the token does not permit the topic "+quote(t), nil)
		}
	}
	if keys == nil {
		return p.Keys, nil
	}
	for _, k := range keys {
		if !p.Key(k) {
			return Patterns{}, refuse(ProblemKey, "the token does not permit the key "+quote(k), nil)
		}
	}
	return Exactly(keys...), nil
}
