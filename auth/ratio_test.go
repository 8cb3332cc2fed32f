//go:build !race

package auth

import (
	"testing"
	"time"
)

// maxOverBare is how much more than the bare check of its signature a token may
// cost. The race detector slows Go down and not the assembly of the signatures,
// so under it the comparison would say nothing.
const maxOverBare = 1.3

// Verifying costs at most 1.3 times the bare signature check: a token that was
// not seen before for the algorithms with key pairs, and one that was for HS256
// too, whose bare check is a hash of 200 bytes, less than reading the claims. An
// unknown HS256 token costs less than with the library's own parser.
//
// Only the fastest of many alternating runs are compared, which a busy machine
// does not change.
func TestVerifyingCostsLittleMoreThanTheSignature(t *testing.T) {
	for _, a := range algorithms {
		token := pairs()[a].sign(t, nil, claimsFor(nil))
		cold, warm := noCache(t, a), newVerifier(t, pairs()[a].config())
		best := fastest(t,
			bare(a, token),
			library(a, token),
			func() error { _, err := cold.Verify(t.Context(), token); return err },
			func() error { _, err := warm.Verify(t.Context(), token); return err },
		)
		ratio := func(i int) float64 { return float64(best[i]) / float64(best[0]) }
		t.Logf("%s: bare check %v; library's parser %v (%.2f times), unknown token %v (%.2f), known token %v (%.2f)",
			a, best[0], best[1], ratio(1), best[2], ratio(2), best[3], ratio(3))
		if a != HS256 && ratio(2) > maxOverBare || a == HS256 && best[2] > best[1] || ratio(3) > maxOverBare {
			t.Errorf("%s costs too much", a)
		}
	}
}

// fastest runs each of the ways in turn, often, and returns the shortest time of
// each for one call.
func fastest(t *testing.T, ways ...func() error) []time.Duration {
	t.Helper()
	const rounds, calls = 300, 4
	best := make([]time.Duration, len(ways))
	for round := range rounds {
		for i, way := range ways {
			began := time.Now()
			for range calls {
				if err := way(); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began) / calls; round == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}
