package auth

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// header is what counts of a token's first part. Whatever else may stand there,
// key addresses (jku, x5u) and keys (jwk, x5c) included, is not looked at.
type header struct {
	alg string
	kid string // compared with the names of known keys, never a path or an address
}

// maxKeyNameBytes bounds kid.
const maxKeyNameBytes = 256

// parseHeader reads the first part of a token, decoded. These bytes are not
// authenticated: it accepts little.
func parseHeader(b []byte) (h header, err error) {
	s := scanner{b: b}
	err = s.document(func(name []byte) error {
		switch string(name) {
		case "alg":
			return s.string(&h.alg, "alg")
		case "kid":
			if err := s.string(&h.kid, "kid"); err != nil {
				return err
			}
			if len(h.kid) > maxKeyNameBytes {
				return fmt.Errorf("kid is longer than %d bytes", maxKeyNameBytes)
			}
			return nil
		case "typ":
			var typ string
			if err := s.string(&typ, "typ"); err != nil {
				return err
			}
			// RFC 8725 section 3.11: a token made for another purpose is not ours.
			typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
			if typ != "jwt" && typ != "at+jwt" {
				return errors.New("typ is neither JWT nor at+jwt")
			}
			return nil
		case "crit", "b64": // RFC 7515 section 4.1.11: not understood, so refused
			return fmt.Errorf("%s is not supported", name)
		case "cty", "enc", "zip":
			return fmt.Errorf("%s is not supported: the token must be a plain signed JWT, neither nested nor encrypted", name)
		}
		return s.skip()
	})
	if err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	if h.alg == "" {
		return header{}, errors.New("header: alg is missing")
	}
	return h, nil
}

// claims is what counts of a token's second part.
type claims struct {
	issuer, subject, id string

	audience                   []string
	expires, notBefore, issued time.Time // zero: not in the token

	grant *grant // the claim livemap; nil: not in the token
}

// grant is the claim livemap. Immutable once it was read, and shared by tokens.
type grant struct {
	text         string // as it stands in the token
	topics, keys []string
	someKeys     bool // keys is there; without it all are granted

	// What the lists grant, but for the subject.
	topicForms, keyForms *forms
}

// maxAudiences bounds aud.
const maxAudiences = 32

// parseClaims reads the second part of a token, decoded. Members are matched by
// their exact names. Where the claim livemap is that of known, if not nil, to the
// byte, it becomes known itself and is not read again: an object is the same at
// the same depth wherever it stands.
func parseClaims(b []byte, known *grant) (c claims, err error) {
	s := scanner{b: b}
	err = s.document(func(name []byte) error {
		switch string(name) {
		case "iss":
			return s.string(&c.issuer, "iss")
		case "sub":
			return s.string(&c.subject, "sub")
		case "jti":
			return s.string(&c.id, "jti")
		case "exp":
			return s.time(&c.expires, "exp")
		case "nbf":
			return s.time(&c.notBefore, "nbf")
		case "iat":
			return s.time(&c.issued, "iat")
		case "aud":
			return s.audience(&c.audience)
		case "livemap":
			return s.grant(&c.grant, known)
		}
		return s.skip()
	})
	if err != nil {
		return claims{}, err
	}
	if err := checkName(c.subject); err != nil {
		return claims{}, fmt.Errorf("sub %w", err)
	}
	if err := checkName(c.id); err != nil {
		return claims{}, fmt.Errorf("jti %w", err)
	}
	return c, nil
}

// checkName checks what goes into logs and stands on a line of the file of
// revocations, where space around it does not count.
func checkName(s string) error {
	if len(s) > MaxSubjectBytes {
		return fmt.Errorf("is longer than %d bytes", MaxSubjectBytes)
	}
	if plainASCII(s) && (s == "" || s[0] != ' ' && s[len(s)-1] != ' ') { // nearly always
		return nil
	}
	if strings.TrimSpace(s) != s {
		return errors.New("begins or ends with a space")
	}
	return checkText(s)
}

// grant reads the claim livemap. A member that is not known is an error: were
// "key" for "keys" just passed over, a slip of the pen would grant every key.
func (s *scanner) grant(to **grant, known *grant) error {
	if s.peek() != '{' {
		return errors.New("livemap is not an object")
	}
	start := s.i
	if rest := s.b[start:]; known != nil && len(rest) >= len(known.text) && string(rest[:len(known.text)]) == known.text {
		*to = known
		s.i += len(known.text)
		return nil
	}
	g := &grant{}
	err := s.object(func(name []byte) error {
		switch string(name) {
		case "topics":
			return s.strings(&g.topics, "livemap.topics", MaxPatterns)
		case "keys":
			g.someKeys = true
			return s.strings(&g.keys, "livemap.keys", MaxPatterns)
		}
		return fmt.Errorf("livemap.%s is not known; there are topics and keys", cleaned(name))
	})
	if err != nil {
		return err
	}
	g.text = string(s.b[start:s.i])
	g.topicForms, g.keyForms = newForms(g.topics), everyName
	if g.someKeys {
		g.keyForms = newForms(g.keys)
	}
	*to = g
	return nil
}

// cleaned makes a member's name printable without quotation marks around it.
func cleaned(name []byte) string { return strings.Trim(quote(string(name)), `"`) }

// string reads a string that is a member's value.
func (s *scanner) string(to *string, name string) error {
	if s.peek() != '"' {
		return fmt.Errorf("%s is not a string", name)
	}
	b, err := s.text()
	*to = string(b)
	return err
}

// strings reads an array of at most so many strings.
func (s *scanner) strings(to *[]string, name string, most int) error {
	if s.peek() != '[' {
		return fmt.Errorf("%s is not an array of strings", name)
	}
	list := make([]string, 0, 4)
	err := s.array(func() error {
		if len(list) == most {
			return fmt.Errorf("%s has more than %d entries", name, most)
		}
		if s.peek() != '"' {
			return fmt.Errorf("%s holds something that is not a string", name)
		}
		b, err := s.text()
		list = append(list, string(b))
		return err
	})
	*to = list
	return err
}

// audience reads aud, which is a string or an array of strings (RFC 7519
// section 4.1.3).
func (s *scanner) audience(to *[]string) error {
	if s.peek() == '[' {
		return s.strings(to, "aud", maxAudiences)
	}
	var one string
	if err := s.string(&one, "aud"); err != nil {
		return err
	}
	*to = []string{one}
	return nil
}

// lastSecond is the end of the year 9999, the last time RFC 3339 can write.
const lastSecond = 253402300799

// time reads a NumericDate: seconds since the epoch, fractions allowed.
func (s *scanner) time(to *time.Time, name string) error {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return fmt.Errorf("%s is not a number of seconds", name)
	}
	if n, ok := s.seconds(); ok {
		*to = time.Unix(n, 0).UTC()
		return nil
	}
	f, err := s.number()
	if err != nil {
		return err
	}
	if f < 0 || f > lastSecond {
		return fmt.Errorf("%s is not between 1970 and 9999; it counts seconds, not milliseconds", name)
	}
	whole, fraction := math.Modf(f)
	*to = time.Unix(int64(whole), int64(fraction*1e9)).UTC()
	return nil
}

// seconds reads a number as nearly all times are: of digits only, a positive one,
// below 10^11 (the year 5138). Of any other it reads nothing, and leaves it to
// [scanner.number].
func (s *scanner) seconds() (n int64, ok bool) {
	i := s.i
	for ; i < len(s.b) && i-s.i < 11 && s.b[i] >= '0' && s.b[i] <= '9'; i++ {
		n = n*10 + int64(s.b[i]-'0')
	}
	if i == s.i || s.b[s.i] == '0' || i == len(s.b) || s.b[i] != ',' && s.b[i] != '}' {
		return 0, false
	}
	s.i = i
	return n, true
}

// expectation is what this server demands of every token.
type expectation struct {
	issuer, audience string // empty: any issuer; none
	leeway           time.Duration
}

// entry checks the claims of a token whose signature holds, and says what it
// grants, in an entry for the cache that lacks the token and who verified it. The
// error is a [*Refusal].
func (e *expectation) entry(c *claims, now time.Time) (*cached, error) {
	ends := c.expires.Add(e.leeway)
	if err := e.check(c, now, ends); err != nil {
		return nil, err
	}
	if c.grant == nil {
		return nil, refuse(ProblemGrant, "", nil)
	}
	entry, room := newEntry(c.grant)
	topics, err := c.grant.topicForms.of(c.grant.topics, c.subject, nil)
	if err != nil {
		return nil, refuse(ProblemClaims, "livemap.topics"+err.Error(), err)
	}
	keys, err := c.grant.keyForms.of(c.grant.keys, c.subject, room)
	if err != nil {
		return nil, refuse(ProblemClaims, "livemap.keys"+err.Error(), err)
	}
	if topics.Empty() {
		return nil, refuse(ProblemGrant, "", nil)
	}
	entry.permit = Permit{
		Subject: c.subject, ID: c.id, Topics: topics, Keys: keys,
		ends: momentOf(ends), issued: momentOf(c.issued),
	}
	return entry, nil
}

// newEntry returns an empty entry, and, where each subject has a few keys of its
// own, room for them in one piece with it: a pod makes and keeps many of these.
func newEntry(g *grant) (*cached, *shortLists) {
	if !g.keyForms.short() {
		return new(cached), nil
	}
	both := new(struct {
		cached
		keys shortLists
	})
	return &both.cached, &both.keys
}

// check compares times, issuer and audience. exp is demanded (a token without an
// end cannot be lived down), and counts until ends (exp + leeway), exclusively;
// nbf counts from nbf - leeway.
func (e *expectation) check(c *claims, now, ends time.Time) error {
	switch {
	case c.expires.IsZero():
		return refuse(ProblemClaims, "exp is missing: every token must expire", nil)
	case !now.Before(ends):
		return refuse(ProblemExpired, "", fmt.Errorf("exp is %s, now %s", c.expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case !c.notBefore.IsZero() && now.Before(c.notBefore.Add(-e.leeway)):
		return refuse(ProblemNotYet, "", fmt.Errorf("nbf is %s, now %s", c.notBefore.Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case e.issuer != "" && c.issuer != e.issuer:
		return refuse(ProblemIssuer, "", fmt.Errorf("iss is %s, not %s", quote(c.issuer), quote(e.issuer)))
	}
	return e.checkAudience(c.audience)
}

// checkAudience also refuses a token that names an audience where this server
// has none: RFC 7519 section 4.1.3 demands it, for the token was made for
// somebody else.
func (e *expectation) checkAudience(audience []string) error {
	if e.audience == "" && len(audience) == 0 {
		return nil
	}
	for _, a := range audience {
		if e.audience != "" && a == e.audience {
			return nil
		}
	}
	if e.audience == "" {
		return refuse(ProblemAudience, "", fmt.Errorf("aud is %q, and this server has no audience: set one", audience))
	}
	return refuse(ProblemAudience, "", fmt.Errorf("aud is %q, without %s", audience, quote(e.audience)))
}
