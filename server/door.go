package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"livemap/auth"
	"livemap/hub"
)

// Times of the permissions of live streams.
const (
	// recheckEvery is how often is looked whether keys or revocations changed.
	// With [auth.ReloadEvery] it is the time within which a revoked token, subject
	// or key is thrown out: 6 s, and half a second for a client that does not read.
	recheckEvery = time.Second
	// earlyLeast and earlyMost are how long before its end a permit's streams are
	// ended, at random so that those who came together do not renew together. The
	// hub looks once a second, so that nothing is sent behind the end.
	earlyLeast = 2 * time.Second
	earlyMost  = 10 * time.Second
	// readyEvery is how often is looked whether the first keys have come.
	readyEvery = 100 * time.Millisecond
	// realm is what WWW-Authenticate calls what is behind the door.
	realm = "livemap"
)

// guard keeps keys and revocations fresh and ends the streams whose permission
// was withdrawn, until ctx is done. It returns nil.
func (s *Server) guard(ctx context.Context) error {
	verifier := s.config.Door.Verifier
	if verifier == nil {
		return nil
	}
	fresh := make(chan error, 1)
	go func() { fresh <- verifier.Run(ctx) }()
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for seen := verifier.Generation(); ; {
		select {
		case err := <-fresh:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-tick.C:
			if now := verifier.Generation(); now != seen {
				seen = now
				s.hub.Recheck()
			}
		}
	}
}

// awaitKeys waits until there are keys to verify tokens with: a pod that would
// turn everybody away does not listen. It reports false when it need not wait
// any longer because the server ends.
func (s *Server) awaitKeys(ctx, broken context.Context) bool {
	verifier := s.config.Door.Verifier
	if verifier == nil || verifier.Ready() {
		return true
	}
	s.config.Logger.Info("not listening yet: waiting for the first keys")
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for !verifier.Ready() {
		select {
		case <-ctx.Done():
			return false
		case <-broken.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// deny answers a request that the door, or a permit, refused. What the client
// reads is the refusal's own words; its cause stays in the log.
func (s *Server) deny(w http.ResponseWriter, r *http.Request, err error) {
	s.config.Logger.Debug("refused", "request", auth.Redact(r.RequestURI), "err", err)
	var no *auth.Refusal
	if !errors.As(err, &no) {
		refuse(http.StatusForbidden, "").write(w)
		return
	}
	p := refuse(no.Status(), no.Detail)
	p.Code = string(no.Problem)
	if challenge := no.Challenge(realm); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	p.write(w)
}

// subscription is what a request that is allowed asks the hub for. A key set
// that has wildcards goes on as it is: which keys there will be nobody knows.
func (s *Server) subscription(q query, keys auth.Patterns, permit *auth.Permit) hub.Subscription {
	sub := hub.Subscription{Topics: q.topics, Envelope: q.envelope, LastID: q.lastID, Expires: early(permit.Expires(), time.Now())}
	if !keys.All() {
		sub.Keys, sub.Beginnings = keys.Names(), keys.Prefixes()
	}
	return sub
}

// early returns when a stream must end whose permit ends at end: up to a
// twentieth of what is left before it.
func early(end, now time.Time) time.Time {
	if end.IsZero() {
		return end
	}
	left := max(end.Sub(now), 0)
	return end.Add(-min(left, earlyLeast+rand.N(min(left/20, earlyMost)+1))) // #nosec G404 -- spreads load, no secret
}
