package aggregate

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"

	"livemap/orders"
)

func mustTime(t *testing.T, s string) orders.Time {
	t.Helper()
	at, err := orders.ParseTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func mustRates(t *testing.T, s string) *Rates {
	t.Helper()
	r, err := ParseRates(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConvert(t *testing.T) {
	t.Parallel()
	const file = "Date,USD,JPY,KWD,XTS,\n" +
		"2026-01-05,2,160,0.5,N/A,\n" +
		"2026-01-02,1.25,150,N/A,4,\n"
	for _, c := range []struct {
		name, to, from, at string
		amount, want       int64 // want -1: no rate
	}{
		{"the same currency needs no rate", "USD", "USD", "1999-01-01T00:00:00Z", 77, 77},
		{"before the first day", "USD", "EUR", "2026-01-01T23:59:59.999Z", 100, -1},
		{"from the first day on", "USD", "EUR", "2026-01-02T00:00:00Z", 100, 125},
		{"until the next", "USD", "EUR", "2026-01-04T23:59:59.999Z", 100, 125},
		{"the next", "USD", "EUR", "2026-01-05T00:00:00Z", 100, 200},
		{"the last for ever", "USD", "EUR", "2030-01-05T00:00:00Z", 100, 200},
		{"to the base", "EUR", "USD", "2026-01-05T00:00:00Z", 3, 2},
		{"half to even, down", "EUR", "USD", "2026-01-05T00:00:00Z", 1, 0},
		{"half to even, down again", "EUR", "USD", "2026-01-05T00:00:00Z", 5, 2},
		{"no decimals to two", "USD", "JPY", "2026-01-05T00:00:00Z", 160, 200},
		{"two decimals to none", "JPY", "USD", "2026-01-05T00:00:00Z", 200, 160},
		{"three decimals to two", "EUR", "KWD", "2026-01-05T00:00:00Z", 1000, 200},
		{"two decimals to three", "KWD", "EUR", "2026-01-05T00:00:00Z", 200, 1000},
		{"N/A is no rate", "EUR", "KWD", "2026-01-02T00:00:00Z", 1000, -1},
		{"N/A ends a rate", "EUR", "XTS", "2026-01-05T00:00:00Z", 1000, -1},
		{"unknown", "EUR", "XXX", "2026-01-05T00:00:00Z", 1000, -1},
		{"more than an order can be", "KWD", "XTS", "2026-01-02T00:00:00Z", 1 << 60, -1},
	} {
		converter := newConverter(c.to, mustRates(t, file))
		got, ok := converter.convert(c.amount, []byte(c.from), mustTime(t, c.at))
		if !ok {
			got = -1
		}
		if got != c.want {
			t.Errorf("%s: %d %s in %s at %s is %d, want %d", c.name, c.amount, c.from, c.to, c.at, got, c.want)
		}
	}
}

func TestConvertWithoutRates(t *testing.T) {
	t.Parallel()
	if _, ok := newConverter("USD", nil).convert(1, []byte("EUR"), startTime); ok {
		t.Error("EUR converts without rates")
	}
}

// TestFactor compares 64-bit and big factors with exact fractions.
func TestFactor(t *testing.T) {
	t.Parallel()
	check := func(amount, num, den uint32) bool {
		amount, num, den = amount>>1, num|1, den|1
		want := new(big.Rat).SetFrac64(int64(amount)*int64(num), int64(den))
		small := factor{known: true, num: uint64(num), den: uint64(den)}
		large := factor{known: true, big: big.NewRat(int64(num), int64(den))}
		got, ok := small.apply(int64(amount))
		gotBig, okBig := large.apply(int64(amount))
		if ok != okBig || ok && got != gotBig {
			return false
		}
		rest := new(big.Rat).Sub(want, new(big.Rat).SetInt64(got))
		half := rest.Abs(rest).Cmp(big.NewRat(1, 2))
		return !ok || half < 0 || half == 0 && got%2 == 0
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
}

func TestConvertCachesDays(t *testing.T) {
	t.Parallel()
	c := newConverter("USD", testRates())
	r := rand.New(rand.NewPCG(3, 3))
	for range 2 * maxFactors {
		at := startTime + orders.Time(r.IntN(10_000))*millisecondsPerDay
		if got, ok := c.convert(100, []byte("EUR"), at); !ok || got != 110 {
			t.Fatalf("100 EUR at %s: %d, %t", at, got, ok)
		}
	}
	if len(c.factors) > maxFactors {
		t.Errorf("%d factors are cached, more than %d", len(c.factors), maxFactors)
	}
}

func TestParseRatesErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"", "header"},
		{"Day,USD\n", `"Day"`},
		{"Date,usd\n", "column 2"},
		{"Date,USD,USD\n", "column 3"},
		{"Date,USD\n", "no line"},
		{"Date,USD\n2026-13-01,1\n", "line 2: date"},
		{"Date,USD\n2026-01-01,-1\n", "line 2: USD"},
		{"Date,USD\n2026-01-01,0\n", "line 2: USD"},
		{"Date,USD\n2026-01-01,1e3\n", "line 2: USD"},
		{"Date,USD\n2026-01-01,1,2\n", "column 3"},
		{"Date,USD\n2026-01-01,x\n2026-01-01,1\n2026-01-01,2\n", "lines 3 and 4"},
	} {
		_, err := ParseRates(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want one that mentions %s", c.file, err, c.want)
		}
	}
}
