package auth

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzJWKS feeds key sets: whatever is taken must be JSON, within its limits,
// and hold only keys that are strong enough and have one algorithm each.
func FuzzJWKS(f *testing.F) {
	f.Add(jwksOf(map[string]crypto.PublicKey{"a": pairs()[RS256].public, "b": pairs()[ES256].public, "c": pairs()[EdDSA].public}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB","d":"x","key_ops":["verify"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, _, err := parseJWKS(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatal("taken, and no JSON")
		}
		if len(keys) == 0 || len(keys) > MaxJWKSKeys {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys {
			if k.algorithm == HS256 || k.public == nil {
				t.Fatalf("a secret: %+v", k)
			}
			if k.algorithm == EdDSA {
				continue // its points of small order do take such signatures; who publishes one shows it to be nobody's
			}
			if err := k.verify(new(mac), "a.b", []byte("a.b"), make([]byte, 64)); err == nil {
				t.Fatalf("a key that takes zeros for a signature: %+v", k)
			}
		}
	})
}

// FuzzToken feeds tokens, with a true signature put under every other: nothing
// that is not signed is taken, and what is taken is what was signed.
func FuzzToken(f *testing.F) {
	hs := pairs()[HS256]
	good := hs.sign(f, nil, claimsFor(map[string]any{"exp": 4e9}))
	f.Add(good, false)
	f.Add(`{"alg":"HS256"}`, true)
	f.Add(`{"exp":4000000000,"livemap":{"topics":["*"],"keys":["{sub}/*"]},"sub":"a"}`, true)
	v := newVerifier(f, hs.config())
	f.Fuzz(func(t *testing.T, text string, signed bool) {
		token := text
		if signed {
			token = hs.signRaw(t, `{"alg":"HS256"}`, text)
		}
		a, inspectErr := Inspect(token)
		p, err := v.Verify(t.Context(), token)
		if err != nil {
			problemOf(t, err)
			return
		}
		if !signed && !strings.HasPrefix(token, good) {
			t.Fatalf("taken without a signature: %q", token)
		}
		if inspectErr != nil || a.GrantProblem != nil || a.HeaderProblem != nil {
			t.Fatalf("taken, and Inspect says %v, %+v", inspectErr, a)
		}
		if p.Topics.Hash() != a.Topics.Hash() || p.Keys.Hash() != a.Keys.Hash() || p.Subject != a.Subject || p.Ended(time.Now()) {
			t.Fatalf("%+v is not %+v", p, a)
		}
	})
}

// FuzzRevocations feeds files of revocations: every line that is not empty and no
// comment counts, or the file is refused.
func FuzzRevocations(f *testing.F) {
	f.Add("jti a\nsub b\n# c\n\nbefore 2026-11-27T12:00:00Z sub d e\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRevocations([]byte(text))
		if err != nil {
			return
		}
		for line := range strings.Lines(text) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "jti "); ok && !r.hit(&Permit{ID: strings.TrimSpace(id)}) {
				t.Fatalf("%q does not count", line)
			}
			if subject, ok := strings.CutPrefix(strings.TrimSpace(line), "sub "); ok && !r.hit(&Permit{Subject: strings.TrimSpace(subject), issued: momentOf(time.Now().AddDate(9000, 0, 0))}) {
				t.Fatalf("%q does not count", line)
			}
		}
	})
}
