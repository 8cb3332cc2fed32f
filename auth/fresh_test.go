package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// idp is a server of keys that tests steer. It is an http.RoundTripper, so that
// everything runs in the virtual time of synctest.
type idp struct {
	mu     sync.Mutex
	body   []byte
	status int   // 0: 200
	err    error // instead of an answer
	asked  int
}

func (i *idp) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.err != nil {
		return nil, i.err
	}
	w := httptest.NewRecorder()
	if i.status != 0 {
		w.Code = i.status
	}
	w.Body.Write(i.body)
	a := w.Result()
	a.Request = r
	return a, nil
}

func (i *idp) set(body []byte, status int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.body, i.status, i.err = body, status, err
}

func (i *idp) times() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

const testURL = "https://idp.example/jwks"

// withIDP runs a verifier on keys from an address, in virtual time.
func withIDP(t *testing.T, test func(t *testing.T, i *idp, v *Verifier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := &idp{}
		v := newVerifier(t, Config{JWKSURL: testURL, Issuer: "i", Audience: "a"})
		v.fetch.client.Transport = i
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		synctest.Wait()
		test(t, i, v)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func idpToken(t *testing.T, p pair, kid string) string {
	return p.sign(t, map[string]any{"kid": kid}, claimsFor(map[string]any{"iss": "i", "aud": "a", "exp": time.Now().Add(1000 * time.Hour).Unix()}))
}

func newEC(t *testing.T) pair {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair{algorithm: ES256, private: k, public: &k.PublicKey}
}

func TestJWKSRotationAndOutage(t *testing.T) {
	first, second := newEC(t), newEC(t)
	withIDP(t, func(t *testing.T, i *idp, v *Verifier) {
		old := idpToken(t, first, "one")
		verify := func(token string) Problem {
			_, err := v.Verify(t.Context(), token)
			return problemOf(t, err)
		}
		if v.Ready() || verify(old) != ProblemUnavailable {
			t.Error("ready without keys")
		}
		i.set(jwksOf(map[string]crypto.PublicKey{"one": first.public}), 0, nil)
		time.Sleep(fetchRetry)
		synctest.Wait()
		if !v.Ready() || verify(old) != "" {
			t.Fatal("keys not taken over after an outage at the start")
		}
		// The same keys again change nothing, in whichever order they come.
		generation := v.Generation()
		time.Sleep(2 * DefaultRefresh)
		synctest.Wait()
		if v.Generation() != generation {
			t.Error("the same keys are taken for others")
		}
		// Who invents a name just after a fetch is answered at once.
		i.set(jwksOf(map[string]crypto.PublicKey{"one": first.public}), 0, nil)
		if err := v.Fetch(t.Context()); err != nil {
			t.Error(err)
		}
		asked := time.Now()
		if problem := verify(idpToken(t, second, "two")); problem != ProblemSignature || time.Since(asked) != 0 {
			t.Errorf("%s after %v", problem, time.Since(asked))
		}
		// A new key is found by its name, well before the next regular fetch.
		time.Sleep(2 * fetchApart)
		i.set(jwksOf(map[string]crypto.PublicKey{"one": first.public, "two": second.public}), 0, nil)
		began := time.Now()
		if problem := verify(idpToken(t, second, "two")); problem != "" {
			t.Errorf("rotated key: %s", problem)
		}
		if waited := time.Since(began); waited > fetchWait {
			t.Errorf("waited %v", waited)
		}
		// An outage of any kind, for a day, changes nothing.
		for name, set := range map[string]func(){
			"silence":      func() { i.set(nil, 0, errors.New("connection refused")) },
			"500":          func() { i.set([]byte("oops"), 500, nil) },
			"not JSON":     func() { i.set([]byte("<html>"), 0, nil) },
			"no keys":      func() { i.set([]byte(`{"keys":[]}`), 0, nil) },
			"other object": func() { i.set([]byte(`{}`), 0, nil) },
			"a megabyte":   func() { i.set([]byte(`{"x":"`+strings.Repeat("x", MaxJWKSBytes)+`"}`), 0, nil) },
			"many keys":    func() { i.set(manyKeys(first.public, 1000), 0, nil) },
		} {
			set()
			time.Sleep(24 * time.Hour)
			if verify(old) != "" {
				t.Errorf("%s: the old key is gone", name)
			}
		}
		// A key that is withdrawn counts no longer, and its permits are thrown out.
		p, _ := v.Verify(t.Context(), old)
		before := v.Generation()
		i.set(jwksOf(map[string]crypto.PublicKey{"two": second.public}), 0, nil)
		time.Sleep(DefaultRefresh * 11 / 10)
		synctest.Wait()
		if verify(old) != ProblemSignature || !p.Revoked() || v.Generation() == before {
			t.Error("the withdrawn key still counts")
		}
	})
}

// However many tokens name however many keys, the key server is asked once in
// ten seconds at most, and nobody waits for more than two.
func TestUnknownKeysDoNotFloodTheServer(t *testing.T) {
	key := newEC(t)
	withIDP(t, func(t *testing.T, i *idp, v *Verifier) {
		i.set(jwksOf(map[string]crypto.PublicKey{"one": key.public}), 0, nil)
		time.Sleep(fetchRetry)
		synctest.Wait()
		asked, began := i.times(), time.Now()
		var attackers sync.WaitGroup
		for n := range 20 {
			attackers.Go(func() {
				for time.Since(began) < time.Minute {
					start := time.Now()
					_, err := v.Verify(t.Context(), idpToken(t, key, fmt.Sprint(n, start)))
					if problemOf(t, err) != ProblemSignature || time.Since(start) > fetchWait {
						t.Errorf("%v after %v", err, time.Since(start))
					}
					time.Sleep(time.Second)
				}
			})
		}
		attackers.Wait()
		if n := i.times() - asked; n < 5 || n > 7 {
			t.Errorf("asked %d times in a minute", n)
		}
		if _, err := v.Verify(t.Context(), idpToken(t, key, "one")); err != nil {
			t.Error(err)
		}
	})
}

func TestJWKSNamesDecide(t *testing.T) {
	one, two := newEC(t), newEC(t)
	withIDP(t, func(t *testing.T, i *idp, v *Verifier) {
		i.set(jwksOf(map[string]crypto.PublicKey{"one": one.public, "two": two.public, "rsa": pairs()[RS256].public, "ed": pairs()[EdDSA].public}), 0, nil)
		time.Sleep(fetchRetry)
		synctest.Wait()
		for name, tt := range map[string]struct {
			token string
			ok    bool
		}{
			"named":           {idpToken(t, one, "one"), true},
			"rsa":             {idpToken(t, pairs()[RS256], "rsa"), true},
			"ed":              {idpToken(t, pairs()[EdDSA], "ed"), true},
			"wrong name":      {idpToken(t, one, "two"), false},
			"unknown name":    {idpToken(t, one, "../one"), false},
			"address as name": {idpToken(t, one, testURL), false},
			"other kind":      {idpToken(t, one, "rsa"), false},
			"no name":         {idpToken(t, two, ""), true}, // each key of the algorithm is tried
		} {
			if _, err := v.Verify(t.Context(), tt.token); (err == nil) != tt.ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// One token costs so many checks at most.
func TestUnnamedTokensAreTriedAFewTimes(t *testing.T) {
	keys := map[string]crypto.PublicKey{}
	var last pair
	withIDP(t, func(t *testing.T, i *idp, v *Verifier) {
		for n := range maxTried + 1 {
			last = newEC(t)
			keys[fmt.Sprint(n)] = last.public
			i.set(jwksOf(keys), 0, nil)
			time.Sleep(DefaultRefresh * 11 / 10)
			synctest.Wait()
			_, err := v.Verify(t.Context(), last.sign(t, nil, claimsFor(map[string]any{"iss": "i", "aud": "a"})))
			if (err == nil) != (n < maxTried) {
				t.Errorf("%d keys: %v", n+1, err)
			}
		}
		if _, err := v.Verify(t.Context(), idpToken(t, last, fmt.Sprint(maxTried))); err != nil {
			t.Errorf("named: %v", err)
		}
	})
}

func manyKeys(public crypto.PublicKey, n int) []byte {
	keys := map[string]crypto.PublicKey{}
	for i := range n {
		keys[fmt.Sprint(i)] = public
	}
	return jwksOf(keys)
}

func TestParseJWKS(t *testing.T) {
	ec := newEC(t)
	set := func(change func(k map[string]any)) string {
		k := map[string]any{}
		for name, v := range jwkOf("k", ec.public) {
			k[name] = v
		}
		change(k)
		b, _ := json.Marshal(map[string]any{"keys": []any{jwkOf("good", pairs()[EdDSA].public), k}})
		return string(b)
	}
	passed := map[string]string{
		"a secret":      set(func(k map[string]any) { clear(k); k["kty"], k["kid"], k["k"] = "oct", "k", "c2VjcmV0" }),
		"private half":  set(func(k map[string]any) { k["d"] = "AAAA" }),
		"encryption":    set(func(k map[string]any) { k["use"] = "enc" }),
		"signing only":  set(func(k map[string]any) { k["key_ops"] = []string{"sign"} }),
		"another alg":   set(func(k map[string]any) { k["alg"] = "ES384" }),
		"HS256":         set(func(k map[string]any) { k["alg"] = "HS256" }),
		"none":          set(func(k map[string]any) { k["alg"] = "none" }),
		"off the curve": set(func(k map[string]any) { k["y"] = k["x"] }),
		"zero point":    set(func(k map[string]any) { k["x"], k["y"] = strings.Repeat("A", 43), strings.Repeat("A", 43) }),
		"short x":       set(func(k map[string]any) { k["x"] = "AAAA" }),
		"other curve":   set(func(k map[string]any) { k["crv"] = "P-384" }),
		"unknown kty":   set(func(k map[string]any) { k["kty"] = "X" }),
		"long kid":      set(func(k map[string]any) { k["kid"] = strings.Repeat("k", 300) }),
		"weak RSA":      set(func(k map[string]any) { clear(k); k["kty"], k["n"], k["e"] = "RSA", strings.Repeat("_", 172), "AQAB" }),
		"even RSA":      set(func(k map[string]any) { clear(k); k["kty"], k["n"], k["e"] = "RSA", strings.Repeat("_", 342), "AQAA" }),
		"huge RSA":      set(func(k map[string]any) { clear(k); k["kty"], k["n"], k["e"] = "RSA", strings.Repeat("_", 4000), "AQAB" }),
		"huge exponent": set(func(k map[string]any) {
			clear(k)
			k["kty"], k["n"], k["e"] = "RSA", strings.Repeat("_", 342), "_________w"
		}),
	}
	for name, text := range passed {
		keys, notes, err := parseJWKS([]byte(text))
		if err != nil || len(keys) != 1 || keys[0].name != "good" || len(notes) != 1 {
			t.Errorf("%s: %d keys, notes %q, %v", name, len(keys), notes, err)
		}
	}
	good, _ := json.Marshal(jwkOf("k", ec.public))
	again, _ := json.Marshal(jwkOf("k", newEC(t).public))
	refused := map[string]string{
		"not JSON":        `{"keys":`,
		"an array":        `[]`,
		"keys no array":   `{"keys":{}}`,
		"no object":       `{"keys":[1]}`,
		"two members":     `{"keys":[` + string(good) + `],"keys":[]}`,
		"two kids":        `{"keys":[{"kty":"EC","kid":"a","kid":"b"}]}`,
		"same name twice": `{"keys":[` + string(good) + `,` + string(again) + `]}`,
		"kid no string":   `{"keys":[{"kty":"EC","kid":1}]}`,
		"a thousand keys": string(manyKeys(ec.public, 1000)),
		"nothing usable":  `{"keys":[{"kty":"oct","k":"AAAA"}]}`,
		"deep":            `{"keys":[` + strings.Repeat(`[`, 100),
	}
	for name, text := range refused {
		if keys, _, err := parseJWKS([]byte(text)); err == nil {
			t.Errorf("%s: %d keys", name, len(keys))
		}
	}
	if _, _, err := parseJWKS(manyKeys(ec.public, MaxJWKSKeys)); err != nil {
		t.Error(err)
	}
}

// A real server over a real socket: redirects are not followed, and Fetch says so.
func TestFetchFollowsNoRedirect(t *testing.T) {
	key := newEC(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(jwksOf(map[string]crypto.PublicKey{"one": key.public}))
	})
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	for path, says := range map[string]string{"/keys": "", "/moved": "redirects", "/endless": "larger than", "/nothing": "404"} {
		v := newVerifier(t, Config{JWKSURL: s.URL + path, Issuer: "i", Audience: "a"})
		err := v.Fetch(t.Context())
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
		if v.Ready() != (says == "") {
			t.Errorf("%s: ready is %v", path, v.Ready())
		}
	}
}

func TestKeyFileRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	first, second := pair{algorithm: HS256}, pair{algorithm: HS256}
	for _, p := range []*pair{&first, &second} {
		p.checkFile = GenerateSecret()
		p.private = p.checkFile[:len(p.checkFile)-1]
	}
	write(t, path, first.checkFile)
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Config{HS256KeyFile: path})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		old, fresh := first.sign(t, nil, claimsFor(nil)), second.sign(t, nil, claimsFor(nil))
		p, err := v.Verify(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		check := func(step string, oldOK, freshOK bool) {
			t.Helper()
			time.Sleep(ReloadEvery)
			synctest.Wait()
			_, err := v.Verify(t.Context(), old)
			_, freshErr := v.Verify(t.Context(), fresh)
			if (err == nil) != oldOK || (freshErr == nil) != freshOK || p.Revoked() == oldOK {
				t.Errorf("%s: old %v, new %v, revoked %v", step, err, freshErr, p.Revoked())
			}
		}
		check("before", true, false)
		write(t, path, append(second.checkFile, first.checkFile...))
		check("both", true, true)
		write(t, path, []byte("short"))
		check("a broken file changes nothing", true, true)
		write(t, path, second.checkFile)
		check("the old one withdrawn", false, true)
		cancel()
		<-done
	})
}

func TestRevocations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "revoked")
	write(t, path, []byte("# nobody yet\n"))
	synctest.Test(t, func(t *testing.T) {
		hs := pairs()[HS256]
		c := hs.config()
		c.RevokedFile = path
		v := newVerifier(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- v.Run(ctx) }()
		now := time.Now()
		tokens := map[string]string{
			"alice 1":   hs.sign(t, nil, claimsFor(map[string]any{"jti": "1"})),
			"alice 2":   hs.sign(t, nil, claimsFor(map[string]any{"jti": "2"})),
			"bob old":   hs.sign(t, nil, claimsFor(map[string]any{"sub": "bob", "iat": now.Add(-time.Hour).Unix()})),
			"bob new":   hs.sign(t, nil, claimsFor(map[string]any{"sub": "bob", "iat": now.Unix()})),
			"bob never": hs.sign(t, nil, claimsFor(map[string]any{"sub": "bob"})),
			"spaces":    hs.sign(t, nil, claimsFor(map[string]any{"sub": "a b"})),
		}
		permits := map[string]*Permit{}
		for name, token := range tokens {
			p, err := v.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(name, err)
			}
			permits[name] = p
		}
		check := func(file string, gone ...string) {
			t.Helper()
			write(t, path, []byte(file))
			time.Sleep(ReloadEvery)
			synctest.Wait()
			out := map[string]bool{}
			for _, name := range gone {
				out[name] = true
			}
			for name, token := range tokens {
				_, err := v.Verify(t.Context(), token)
				if (problemOf(t, err) == ProblemRevoked) != out[name] || permits[name].Revoked() != out[name] {
					t.Errorf("%q: %s: %v, revoked %v", file, name, err, permits[name].Revoked())
				}
			}
		}
		generation := v.Generation()
		check("jti 1\n", "alice 1")
		if v.Generation() == generation {
			t.Error("the generation did not change")
		}
		check("sub alice", "alice 1", "alice 2")
		check("jti alice\nsub 1\nsub Alice\njti 1*\n")
		check("before "+now.Add(-time.Minute).Format(time.RFC3339)+" sub bob\r\n", "bob old", "bob never")
		check("sub bob\nbefore 2000-01-01T00:00:00Z sub bob", "bob old", "bob new", "bob never")
		check("sub a b", "spaces")
		check("nonsense", "spaces") // a broken file changes nothing
		cancel()
		<-done
		if anonymous, err := Anonymous("*"); err != nil || anonymous.Revoked() {
			t.Error("an anonymous permit is revoked", err)
		}
	})
	for _, line := range []string{"alice", "sub", "jti ", "kid x", "before x sub y", "before 2026-01-01T00:00:00Z jti x", "before 2026-01-01T00:00:00Z sub", "SUB x"} {
		if r, err := parseRevocations([]byte("sub good\n" + line)); err == nil {
			t.Errorf("%q is taken: %+v", line, r)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	hs := pairs()[HS256]
	c := hs.config()
	c.CacheBytes = 10_000
	v := newVerifier(t, c)
	first := hs.sign(t, nil, claimsFor(map[string]any{"jti": "first"}))
	for i := range 200 {
		_, cached, err := v.verify(t.Context(), first)
		if err != nil || cached == (i == 0) {
			t.Fatalf("round %d: the one most in use: from the cache %v, %v", i, cached, err)
		}
		if _, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"jti": fmt.Sprint(i)}))); err != nil {
			t.Fatal(err)
		}
	}
	entries, bytes := v.cache.size()
	linked := 0
	for e := v.cache.ends.next; e != &v.cache.ends; e = e.next {
		linked++
	}
	if bytes > c.CacheBytes || entries < 10 || linked != entries {
		t.Errorf("%d entries, %d bytes", entries, bytes)
	}
	v.useKeys(append([]*key{}, v.state.Load().keys.keys[0], mustKey(t)))
	if entries, bytes := v.cache.size(); entries != 0 || bytes != 0 {
		t.Errorf("after a change of keys: %d entries, %d bytes", entries, bytes)
	}
	// A long subject in many patterns makes much of a small token.
	wide := make([]string, 500)
	for i := range wide {
		wide[i] = fmt.Sprint(i) + "{sub}"
	}
	p, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"sub": strings.Repeat("s", 200), "livemap": map[string]any{"topics": wide}})))
	if err != nil {
		t.Fatal(err)
	}
	if _, bytes := v.cache.size(); p.bytes() < 500*200 || bytes > c.CacheBytes {
		t.Errorf("a wide permit of %d bytes: %d bytes in the cache", p.bytes(), bytes)
	}
	// Refusals leave nothing behind.
	for range 50 {
		v.Verify(t.Context(), first+"x")
	}
	if entries, _ := v.cache.size(); entries != 0 {
		t.Errorf("%d refusals are remembered", entries)
	}
}

// An entry that was verified under other keys does not count, even if it is put
// in after they changed.
func TestCacheKnowsItsGeneration(t *testing.T) {
	c := newCache(1 << 20)
	now := time.Now()
	entry := func(b byte) *cached {
		return &cached{token: tokenHash{b}, permit: Permit{ends: momentOf(now.Add(time.Hour))}}
	}
	c.put(entry(1), 1)
	if c.get(tokenHash{1}, 1, now) == nil || c.get(tokenHash{1}, 2, now) != nil {
		t.Error("not taken from its own generation, or taken from another")
	}
	c.put(entry(2), 2) // the keys changed, and the cache was not told yet
	if n, _ := c.size(); n != 1 || c.get(tokenHash{2}, 2, now) == nil {
		t.Errorf("of the former generation %d are left", n-1)
	}
	c.begin(2)
	c.put(entry(3), 1) // verified before they changed
	if n, _ := c.size(); n != 1 || c.get(tokenHash{3}, 1, now) != nil {
		t.Error("put in after the keys changed")
	}
}

// A stream holds its permit when the cache has long forgotten it, and must not
// hold the permits of others with it.
func TestForgottenPermitHoldsNoOther(t *testing.T) {
	c := newCache(3 * entryBytes)
	entries := make([]*cached, 8)
	for i := range entries {
		entries[i] = &cached{token: tokenHash{byte(i)}}
		c.put(entries[i], 1)
	}
	if n, _ := c.size(); n != 3 || entries[4].next != nil || entries[4].previous != nil {
		t.Errorf("%d are remembered; one that is not refers to others", n)
	}
	c.begin(2)
	if e := entries[7]; e.next != nil || e.previous != nil {
		t.Error("one of a former generation refers to others")
	}
}

func mustKey(t *testing.T) *key {
	t.Helper()
	k, err := newPublic(pairs()[EdDSA].public.(ed25519.PublicKey), "")
	if err != nil {
		t.Fatal(err)
	}
	return k
}
