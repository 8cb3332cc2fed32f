package auth

import (
	"errors"
	"net/http"
)

// Door decides which requests come in. It is what an HTTP server needs of this
// package: fill it once, ask [Door.Admit] for every request, [Permit.Allow] about what
// the request names. The zero value lets nobody in. Safe for concurrent use.
type Door struct {
	// Verifier judges tokens; nil: no token is looked at.
	Verifier *Verifier
	// Options says where tokens may be.
	Options Options
	// Anonymous is what those without a token may see; nil: nothing.
	Anonymous *Permit
}

// Admit returns the permit for a request. The error is a [*Refusal]. Who shows a
// token that is refused is refused, whatever those without one may see: falling
// back would hide an expired token from the page that has to renew it.
func (d *Door) Admit(r *http.Request) (*Permit, error) {
	if d.Verifier == nil {
		return d.withoutToken()
	}
	token, err := FromRequest(r, d.Options)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		if refusal.Problem == ProblemMissing {
			return d.withoutToken()
		}
		d.Verifier.metrics.refused(err)
		return nil, err
	}
	return d.Verifier.Verify(r.Context(), token)
}

func (d *Door) withoutToken() (*Permit, error) {
	if d.Anonymous == nil {
		err := refuse(ProblemMissing, "", nil)
		if d.Verifier != nil {
			d.Verifier.metrics.refused(err)
		}
		return nil, err
	}
	return d.Anonymous, nil
}
