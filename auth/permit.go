package auth

import (
	"errors"
	"fmt"
	"time"
)

// Permit is what somebody may see, and until when. It is immutable once made
// and may be shared. The zero value permits nothing. A pod keeps one for each
// token of its streams, so it is small.
type Permit struct {
	// Subject is whom the permit was given to, for limits and logs; empty for
	// anonymous permits and for tokens without sub.
	Subject string
	// Topics and Keys are what may be seen. A record is seen when both match.
	Topics, Keys Patterns
	// ID is the token's jti, empty if it has none.
	ID string

	ends   moment  // leeway included; 0: never
	issued moment  // iat; 0: the token has none
	by     *signer // who verified the token; nil: nobody
}

// moment is a time in microseconds since the epoch; 0 stands for none.
type moment int64

// momentOf rounds down; the zero time becomes 0.
func momentOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(t.UnixMicro())
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

// signer is whom the permits of one key have in common. Immutable.
type signer struct {
	verifier *Verifier
	key      fingerprint
}

// anonymous stands in the permits of those who show no token.
var anonymous = &signer{}

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
	return &Permit{Topics: p, Keys: Everything(), by: anonymous}, nil
}

// Anonymous says whether the permit was given without a token.
func (p *Permit) Anonymous() bool { return p.by == anonymous }

// Expires returns the end of the permit, leeway included: nothing is to be sent
// from then on. The zero time means never, and only anonymous permits have it.
func (p *Permit) Expires() time.Time { return p.ends.time() }

// Revoked says whether the permit no longer counts although it has not expired:
// its token or its subject was revoked, or the key that verified it was
// withdrawn. Anonymous permits are never revoked, the zero value always is. Safe
// for concurrent use.
func (p *Permit) Revoked() bool {
	if p.by == nil || p.Anonymous() {
		return p.by == nil
	}
	st := p.by.verifier.state.Load()
	return !st.keys.has(p.by.key) || st.revoked.hit(p)
}

// Topic says whether the topic may be seen.
func (p *Permit) Topic(name string) bool { return p.Topics.Match(name) }

// Key says whether records with this key may be seen, in the topics that may.
func (p *Permit) Key(key string) bool { return p.Keys.Match(key) }

// AllKeys says whether every key may be seen, so that nobody need ask for each.
func (p *Permit) AllKeys() bool { return p.Keys.All() }

// Ended says whether the permit has expired at now.
func (p *Permit) Ended(now time.Time) bool { return p.ends != 0 && !now.Before(p.ends.time()) }

// bytes is about what the permit occupies besides its own fields: more than its
// token, when a long subject is put into many patterns.
func (p *Permit) bytes() int {
	return len(p.Subject) + len(p.ID) + p.Topics.bytes() + p.Keys.bytes()
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
