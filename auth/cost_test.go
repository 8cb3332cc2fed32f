package auth

import (
	"fmt"
	"math"
	"runtime"
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

// BenchmarkVerify compares five ways for each algorithm: the bare signature
// check, the library's parser, this package on a token that it has not seen, the
// same with the permit put in a full cache, and on a token that it has seen. Each
// takes the tokens of many subjects in turn.
func BenchmarkVerify(b *testing.B) {
	for _, a := range algorithms {
		tokens := make([]string, 256)
		checks, parsers := make([]func() error, len(tokens)), make([]func() error, len(tokens))
		for i := range tokens {
			tokens[i] = pairs()[a].sign(b, nil, claimsFor(map[string]any{"sub": fmt.Sprintf("user%04d", i)}))
			checks[i], parsers[i] = bare(a, tokens[i]), library(a, tokens[i])
		}
		c := pairs()[a].config()
		c.CacheBytes = len(tokens) * 100 // for fewer of them than there are
		cold, full, warm := noCache(b, a), newVerifier(b, c), newVerifier(b, pairs()[a].config())
		verify := func(v *Verifier) func(int) error {
			return func(i int) error { _, err := v.Verify(b.Context(), tokens[i]); return err }
		}
		for _, way := range []struct {
			name string
			do   func(int) error
		}{
			{"bare", func(i int) error { return checks[i]() }},
			{"library", func(i int) error { return parsers[i]() }},
			{"cold", verify(cold)},
			{"full", verify(full)},
			{"warm", verify(warm)},
		} {
			b.Run(string(a)+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := way.do(i % len(tokens)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A verified token costs no allocation; an unknown one, besides what the check
// of its signature by the library costs, its subject, the pattern with that in
// it, and the permit. The check of HS256 is our own and costs none.
func TestAllocations(t *testing.T) {
	const permit = 3
	for _, a := range algorithms {
		token := pairs()[a].sign(t, nil, claimsFor(nil))
		cold, warm := noCache(t, a), newVerifier(t, pairs()[a].config())
		// The least of many, for with the race detector a sync.Pool forgets at random.
		count := func(do func() error) float64 {
			least := math.Inf(1)
			for range 50 {
				least = min(least, testing.AllocsPerRun(1, func() {
					if err := do(); err != nil {
						t.Fatal(err)
					}
				}))
			}
			return least
		}
		base := count(bare(a, token))
		c := count(func() error { _, err := cold.Verify(t.Context(), token); return err })
		w := count(func() error { _, err := warm.Verify(t.Context(), token); return err })
		most := permit + base
		if a == HS256 {
			most = permit
		}
		t.Logf("%s: bare check %v, unknown token %v, known token %v allocations", a, base, c, w)
		if c > most || w > 0 {
			t.Errorf("%s: bare check %v, unknown token %v, known token %v allocations", a, base, c, w)
		}
	}
}

// What a pod keeps of a token that it has verified, streams or not: an entry with
// its permit, a place in a map, the subject.
func TestTokenTakesLittleMemory(t *testing.T) {
	const most = 200 // bytes
	tokens := make([]string, 10_000)
	for i := range tokens {
		tokens[i] = pairs()[HS256].sign(t, nil, claimsFor(map[string]any{"sub": fmt.Sprintf("user%04d", i), "livemap": map[string]any{"topics": []string{"metrics"}}}))
	}
	v := newVerifier(t, pairs()[HS256].config())
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for _, token := range tokens {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / int64(len(tokens))
	t.Logf("%d bytes a token", each)
	if each > most {
		t.Errorf("%d bytes a token", each)
	}
	if entries, bytes := v.cache.size(); entries != len(tokens) || int64(bytes/entries) < each { // what all have in common counts for each
		t.Errorf("%d entries, said to take %d bytes", entries, bytes)
	}
	runtime.KeepAlive(tokens)
}
