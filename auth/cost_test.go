package auth

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// noCache is a verifier that remembers nothing.
func noCache(t testing.TB, a Algorithm) *Verifier {
	c := pairs()[a].config()
	c.CacheBytes = -1
	return newVerifier(t, c)
}

// bare is the signature check of the library alone: what nobody can do without.
func bare(a Algorithm, token string) func() error {
	p := pairs()[a]
	method, key := p.method(), any(p.public)
	if key == nil {
		key = p.private
	}
	dot := strings.LastIndexByte(token, '.')
	signed := token[:dot]
	sum, _ := strictBase64.DecodeString(token[dot+1:])
	return func() error { return method.Verify(signed, sum, key) }
}

// library is what the library's own parser does with the same demands.
func library(a Algorithm, token string) func() error {
	p := pairs()[a]
	key := any(p.public)
	if key == nil {
		key = p.private
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(a)}), jwt.WithExpirationRequired(), jwt.WithLeeway(DefaultLeeway))
	return func() error {
		_, err := parser.ParseWithClaims(token, &wire{}, func(*jwt.Token) (any, error) { return key, nil })
		return err
	}
}

// BenchmarkVerify compares four ways for each algorithm: the bare signature
// check, the library's parser, this package on a token it has not seen, and on
// one that it has.
func BenchmarkVerify(b *testing.B) {
	for _, a := range algorithms {
		token := pairs()[a].sign(b, nil, claimsFor(nil))
		cold, warm := noCache(b, a), newVerifier(b, pairs()[a].config())
		ways := []struct {
			name string
			do   func() error
		}{
			{"bare", bare(a, token)},
			{"library", library(a, token)},
			{"cold", func() error { _, err := cold.Verify(b.Context(), token); return err }},
			{"warm", func() error { _, err := warm.Verify(b.Context(), token); return err }},
		}
		for _, way := range ways {
			b.Run(string(a)+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := way.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A verified token costs no allocation; an unknown one, besides what the check
// of its signature costs, the permit.
func TestAllocations(t *testing.T) {
	const permit = 16
	for _, a := range algorithms {
		token := pairs()[a].sign(t, nil, claimsFor(nil))
		cold, warm := noCache(t, a), newVerifier(t, pairs()[a].config())
		count := func(do func() error) float64 {
			return testing.AllocsPerRun(50, func() {
				if err := do(); err != nil {
					t.Fatal(err)
				}
			})
		}
		base := count(bare(a, token))
		c := count(func() error { _, err := cold.Verify(t.Context(), token); return err })
		w := count(func() error { _, err := warm.Verify(t.Context(), token); return err })
		t.Logf("%s: bare check %v, unknown token %v, known token %v allocations", a, base, c, w)
		if c > base+permit || w > 0 {
			t.Errorf("%s: bare check %v, unknown token %v, known token %v allocations", a, base, c, w)
		}
	}
}
