package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"livemap/auth"
)

// Limits of sessions.
const (
	// sessionsPerAddress is how many sessions an address may ask for a second, and
	// at once; beyond: 429.
	sessionsPerAddress = 10
	minSessionTTL      = time.Minute
	maxSessionTTL      = 24 * time.Hour
)

// Session is what POST /v1/session gives to the bundled page: a token of a fixed
// policy, in a cookie that no script can read. Whoever opens the page gets it,
// without being asked who they are: it keeps other pages and naive programs out,
// not a person, who can send any Origin. Show in it what everybody may see.
type Session struct {
	// Origins are those whose pages may ask, compared exactly; at least one.
	Origins []string
	// Topics and Keys are patterns without {sub}; Keys nil: all keys.
	Topics, Keys []string
	TTL          time.Duration
	// Issuer and Audience are what the door's verifier demands.
	Issuer, Audience string
	// Signer returns the signer of a key that the door's verifier knows. It is asked
	// each time, so that a key can be changed without a restart.
	Signer func() (*auth.Signer, error)
}

func (s *Session) validate() error {
	if s == nil {
		return nil
	}
	var errs []error
	if len(s.Origins) == 0 {
		errs = append(errs, errors.New("session-origins: none given; name the origin of the page, as in https://map.example"))
	}
	if err := (auth.Options{Origins: s.Origins}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("session-origins: %w", err))
	}
	if s.TTL < minSessionTTL || s.TTL > maxSessionTTL {
		errs = append(errs, fmt.Errorf("session-ttl %v: must be between %v and %v", s.TTL, minSessionTTL, maxSessionTTL))
	}
	if len(s.Topics) == 0 {
		errs = append(errs, errors.New("session-topics: none given"))
	} else if _, err := s.mint(time.Now()); err != nil {
		errs = append(errs, fmt.Errorf("session: %w", err))
	}
	return errors.Join(errs...)
}

// mint makes a token of the policy, each with a subject of its own: a limit per
// subject is one per session, and one can be revoked.
func (s *Session) mint(now time.Time) (string, error) {
	signer, err := s.Signer()
	if err != nil {
		return "", err
	}
	name := rand.Text()
	return signer.Mint(auth.Claims{
		Issuer: s.Issuer, Audience: s.Audience, Subject: "page-" + name, ID: name,
		Issued: now, Expires: now.Add(s.TTL), Topics: s.Topics, Keys: s.Keys,
	})
}

// session answers POST /v1/session: 204 with the cookie.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	if p := checkRequest(r, http.MethodPost); p != nil {
		w.Header().Set("Connection", "close")
		p.write(w)
		return
	}
	policy, now := s.config.Session, time.Now()
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !slices.Contains(policy.Origins, origins[0]) {
		refuse(http.StatusForbidden, "sessions are for the pages of certain origins: --session-origins").write(w)
		return
	}
	if !s.sessions.take(s.clientOf(r), now) {
		refuse(http.StatusTooManyRequests, "too many sessions from this address").write(w)
		return
	}
	token, err := policy.mint(now)
	if err != nil {
		s.config.Logger.Error("making a session", "err", err)
		refuse(http.StatusInternalServerError, "").write(w)
		return
	}
	s.metrics.sessions.Inc()
	http.SetCookie(w, auth.SessionCookie(s.config.Door.Options, token, now.Add(policy.TTL)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
