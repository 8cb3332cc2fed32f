package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Verifier turns tokens into permits. [New] makes it, [Verifier.Run] keeps it
// fresh; the other methods are safe for concurrent use.
type Verifier struct {
	// immutable
	config  Config
	expect  expectation
	cache   *cache
	fetch   *fetcher // nil unless the keys come from an address
	metrics *metrics
	rooms   sync.Pool // of *room

	state      atomic.Pointer[state]
	lastHeader atomic.Pointer[knownHeader]
	lastGrant  atomic.Pointer[grant]
	lastSigner atomic.Pointer[signer]

	mu      sync.Mutex // held to replace state
	keysRaw []byte     // what the key file held; guarded by mu
	goneRaw []byte     // what the file of revocations held; guarded by mu
}

// state is what permits depend on. Immutable; replaced as a whole.
type state struct {
	keys       *keySet
	revoked    *revocations
	generation uint64
}

// New checks the configuration and reads the files it names. Keys at an address
// are not there before [Verifier.Run] has fetched them; see [Verifier.Ready].
func New(c Config) (*Verifier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	v := &Verifier{
		config: c,
		expect: expectation{issuer: c.Issuer, audience: c.Audience, leeway: c.Leeway},
		cache:  newCache(c.CacheBytes),
		rooms:  sync.Pool{New: func() any { return new(room) }},
	}
	v.state.Store(&state{keys: &keySet{strict: c.JWKSURL != ""}, revoked: &revocations{}})
	v.metrics = newMetrics(v)
	if c.JWKSURL != "" {
		v.fetch = newFetcher(c.JWKSURL, c.JWKSRefresh, c.Logger, v.useKeys)
	}
	if err := errors.Join(v.loadKeys(), v.loadRevocations()); err != nil {
		return nil, err
	}
	return v, nil
}

// Ready says whether there are keys. Until then every token is refused with
// [ProblemUnavailable]; a server had better not listen yet.
func (v *Verifier) Ready() bool { return len(v.state.Load().keys.keys) > 0 }

// Generation changes whenever keys or revocations do. Whoever holds permits for
// long asks [Permit.Revoked] about each of them after it changed, and about a
// new one once more when it is among those that are asked about: the change may
// have come between.
func (v *Verifier) Generation() uint64 { return v.state.Load().generation }

// room is what verifying a token needs for a while.
type room struct {
	text [MaxTokenBytes]byte // the token
	part [MaxTokenBytes]byte // its header, then its claims, decoded
	sum  [1024 + 1]byte      // its signature, decoded; RSA of MaxRSABits fills it
	keys [maxTried]*key
	macs [maxTried]mac // of the keys that were tried first, second, …
}

// Verify returns the permit that a token gives. The error is a [*Refusal]. A
// token whose kid is not known to a set from an address may wait up to two
// seconds for the set to be fetched; ctx ends that wait.
func (v *Verifier) Verify(ctx context.Context, token string) (*Permit, error) {
	p, cached, err := v.verify(ctx, token)
	switch {
	case err != nil:
		v.metrics.refused(err)
	case cached:
		v.metrics.cached.Inc()
	default:
		v.metrics.ok.Inc()
	}
	return p, err
}

func (v *Verifier) verify(ctx context.Context, token string) (p *Permit, fromCache bool, err error) {
	if len(token) > MaxTokenBytes {
		return nil, false, refuse(ProblemMalformed, fmt.Sprintf("the token is longer than %d bytes", MaxTokenBytes), nil)
	}
	r := v.rooms.Get().(*room)
	defer v.rooms.Put(r)
	text := r.text[:copy(r.text[:], token)]
	p, fromCache, err = v.judge(v.state.Load(), r, token, text)
	if err != nil && v.fetch != nil && errors.As(err, new(errUnknownKey)) {
		v.fetch.await(ctx)
		return v.judge(v.state.Load(), r, token, text)
	}
	return p, fromCache, err
}

// judge verifies a token: form, signature, claims, revocations, in this order,
// so that nobody without a key learns what the later ones say. Tokens that were
// verified before are known by a name: a hash of the whole, which costs far less
// than the check of a public key does; or, as the check of a secret is such a hash
// itself, the signature once it was found to be the right one.
func (v *Verifier) judge(st *state, r *room, token string, text []byte) (p *Permit, fromCache bool, err error) {
	if len(st.keys.keys) == 0 {
		return nil, false, refuse(ProblemUnavailable, "", nil)
	}
	now := time.Now()
	var name tokenHash
	if !st.keys.secret() {
		name = sha256.Sum256(text)
		if p = v.cache.get(name, st.generation, now); p != nil {
			return p, true, nil
		}
	}
	dot := bytes.IndexByte(text, '.')
	last := dot + 1 + bytes.IndexByte(text[dot+1:], '.')
	if dot <= 0 || last <= dot+1 || bytes.IndexByte(text[last+1:], '.') >= 0 {
		return nil, false, refuse(ProblemMalformed, "the token is not of three parts with a dot between each", nil)
	}
	k, err := v.signer(st.keys, r, token, text, dot, last)
	if err != nil {
		return nil, false, err
	}
	if k.algorithm == HS256 {
		name = tokenHash(r.sum[:sha256.Size])
		if p = v.cache.get(name, st.generation, now); p != nil {
			return p, true, nil
		}
	}
	n, ok := decodeBase64(r.part[:], text[dot+1:last])
	if !ok {
		return nil, false, refuse(ProblemClaims, "the claims are not base64url", nil)
	}
	e, err := v.entry(r.part[:n], now)
	if err != nil {
		return nil, false, err
	}
	e.token, e.permit.by = name, v.signedBy(k)
	if st.revoked.hit(&e.permit) {
		return nil, false, refuse(ProblemRevoked, "", nil)
	}
	v.cache.put(e, st.generation)
	return &e.permit, false, nil
}

// signedBy returns what the permits of a key have in common, as a rule the same
// for all.
func (v *Verifier) signedBy(k *key) *signer {
	if last := v.lastSigner.Load(); last != nil && last.key == k.print {
		return last
	}
	s := &signer{v, k.print}
	v.lastSigner.Store(s)
	return s
}

// entry reads claims whose signature holds. An issuer grants most of those whom
// it knows alike: where the claim livemap is that of the token before to the
// byte, it need not be read again, and permits share what they hold.
func (v *Verifier) entry(b []byte, now time.Time) (*cached, error) {
	known := v.lastGrant.Load()
	c, err := parseClaims(b, known)
	if err != nil {
		return nil, refuse(ProblemClaims, "claims: "+err.Error(), err)
	}
	e, err := v.expect.entry(&c, now)
	if err == nil && c.grant != known {
		v.lastGrant.Store(c.grant)
	}
	return e, err
}

// knownHeader is the first part of a token whose signature held, as it stands
// there, and the keys that may have signed it. Immutable.
type knownHeader struct {
	text       string
	keys       *keySet
	candidates []*key
}

// signer finds the key that signed the token. A header is remembered only once
// the signature holds, so that nobody without a key can push out that of others.
func (v *Verifier) signer(keys *keySet, r *room, token string, text []byte, dot, last int) (*key, error) {
	candidates, known, err := v.candidates(keys, r, token[:dot], text[:dot])
	if err != nil {
		return nil, err
	}
	if base64.RawURLEncoding.DecodedLen(len(text)-last-1) > len(r.sum) {
		return nil, refuse(ProblemMalformed, "the signature is too long", nil)
	}
	size, ok := decodeBase64(r.sum[:], text[last+1:])
	if !ok {
		return nil, refuse(ProblemMalformed, "the signature is not base64url", nil)
	}
	for i, k := range candidates {
		if err = k.verify(&r.macs[i%maxTried], token[:last], text[:last], r.sum[:size]); err == nil {
			if !known {
				v.lastHeader.Store(&knownHeader{strings.Clone(token[:dot]), keys, slices.Clone(candidates)})
			}
			return k, nil
		}
	}
	return nil, refuse(ProblemSignature, "", fmt.Errorf("%d keys tried for %s: %w", len(candidates), candidates[0].algorithm, err))
}

// candidates returns the keys that may have signed a token with this header, at
// least one. The headers of one key's tokens are alike to the byte, so that the
// last one is known and need not be read again.
func (v *Verifier) candidates(keys *keySet, r *room, token string, text []byte) (found []*key, known bool, err error) {
	if last := v.lastHeader.Load(); last != nil && last.keys == keys && last.text == token {
		return last.candidates, true, nil
	}
	n, ok := decodeBase64(r.part[:], text)
	if !ok {
		return nil, false, refuse(ProblemMalformed, "the header is not base64url", nil)
	}
	h, err := parseHeader(r.part[:n])
	if err != nil {
		return nil, false, refuse(ProblemMalformed, "", err)
	}
	if found, err = keys.candidates(h, r.keys[:0]); err != nil {
		return nil, false, refuse(ProblemSignature, "", err)
	}
	return found, false, nil
}
