package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Anatomy is what a token says, whoever signed it: for people to look at, never
// to decide by.
type Anatomy struct {
	Algorithm, KeyID            string
	Issuer, Subject, ID         string
	Audience                    []string
	Issued, NotBefore, Expires  time.Time // zero: not in the token
	Topics, Keys                Patterns
	HeaderJSON, ClaimsJSON      []byte // decoded, as they stand in the token
	HeaderProblem, GrantProblem error  // why a server would not read that part

	claims claims
}

// Inspect takes a token apart without verifying it. The error says why it is no
// token at all.
func Inspect(token string) (*Anatomy, error) {
	parts := strings.Split(token, ".")
	switch {
	case len(parts) == 5:
		return nil, errors.New("five parts: this is an encrypted token (JWE); a signed one (JWS) is needed")
	case !oneLine(token):
		return nil, errors.New("there are line ends in it: a token is on one line")
	case len(parts) != 3:
		return nil, fmt.Errorf("%d parts: a token has three, with a dot between each", len(parts))
	}
	var a Anatomy
	var err error
	if a.HeaderJSON, err = strictBase64.DecodeString(parts[0]); err != nil {
		return nil, fmt.Errorf("the header is not base64url: %w", err)
	}
	if a.ClaimsJSON, err = strictBase64.DecodeString(parts[1]); err != nil {
		return nil, fmt.Errorf("the claims are not base64url: %w", err)
	}
	if _, err = strictBase64.DecodeString(parts[2]); err != nil {
		return nil, fmt.Errorf("the signature is not base64url: %w", err)
	}
	h, err := parseHeader(a.HeaderJSON)
	a.HeaderProblem = err
	a.Algorithm, a.KeyID = h.alg, h.kid
	c, err := parseClaims(a.ClaimsJSON, nil)
	if err != nil {
		return nil, fmt.Errorf("the claims: %w", err)
	}
	a.claims = c
	a.Issuer, a.Subject, a.ID, a.Audience = c.issuer, c.subject, c.id, c.audience
	a.Issued, a.NotBefore, a.Expires = c.issued, c.notBefore, c.expires
	a.explainGrant()
	return &a, nil
}

// explainGrant fills in what the token would let its holder see.
func (a *Anatomy) explainGrant() {
	g := a.claims.grant
	if g == nil {
		a.GrantProblem = errors.New("the claim livemap is missing")
		return
	}
	var err error
	if a.Topics, err = ParsePatterns(g.topics, a.Subject); err != nil {
		a.GrantProblem = fmt.Errorf("livemap.topics%w", err)
		return
	}
	if a.Topics.Empty() {
		a.GrantProblem = errors.New("livemap.topics names no topic")
	}
	a.Keys = Everything()
	if g.someKeys {
		if a.Keys, err = ParsePatterns(g.keys, a.Subject); err != nil {
			a.GrantProblem = fmt.Errorf("livemap.keys%w", err)
		}
	}
}
