package aggregate

import (
	"math/big"
	"math/bits"

	"livemap/orders"
)

// maxConverted bounds the converted amount of one order, in minor units, as
// package orders bounds the amount itself; an order beyond it is treated as one
// without a rate.
const maxConverted = 10_000_000_000_000

// maxFactors bounds the cached factors: a factor for each currency and day in
// use. Beyond it the cache starts anew.
const maxFactors = 4096

// converter turns amounts into one currency.
type converter struct {
	currency string
	rates    *Rates
	factors  map[factorKey]factor
	last     factorKey // with lastFactor, the one that was used last
	lastUsed factor
}

type factorKey struct {
	currency [3]byte
	day      int64 // days since 1970
}

// factor is an exact fraction of minor units: the result is amount*num/den,
// rounded half to even. Fractions that do not fit 64 bits are kept as big.
type factor struct {
	known    bool
	num, den uint64
	big      *big.Rat // nil if num and den hold it
}

func newConverter(currency string, rates *Rates) *converter {
	return &converter{currency: currency, rates: rates, factors: map[factorKey]factor{}}
}

// convert returns amount in the converter's currency, minor units to minor
// units. ok is false when there is no rate in force at the given time.
func (c *converter) convert(amount int64, currency []byte, at orders.Time) (converted int64, ok bool) {
	if string(currency) == c.currency {
		return amount, true
	}
	if c.rates == nil || len(currency) != len(factorKey{}.currency) {
		return 0, false
	}
	key := factorKey{[3]byte(currency), floorDiv(int64(at), millisecondsPerDay)}
	if key != c.last {
		f, cached := c.factors[key]
		if !cached {
			f = c.factor(string(currency), at)
			if len(c.factors) >= maxFactors {
				clear(c.factors)
			}
			c.factors[key] = f
		}
		c.last, c.lastUsed = key, f
	}
	if !c.lastUsed.known {
		return 0, false
	}
	return c.lastUsed.apply(amount)
}

// factor works out the fraction between minor units: per euro of the target
// over per euro of the source, times ten to the difference of their digits.
func (c *converter) factor(currency string, at orders.Time) factor {
	i := c.rates.at(at)
	if i < 0 {
		return factor{}
	}
	from, to := c.rates.days[i].perEuro[currency], c.rates.days[i].perEuro[c.currency]
	if from == nil || to == nil {
		return factor{}
	}
	ratio := new(big.Rat).Quo(to, from)
	digits := minorDigits(c.currency) - minorDigits(currency)
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(digits, -digits))), nil))
	if digits < 0 {
		power.Inv(power)
	}
	ratio.Mul(ratio, power)
	if ratio.Num().IsUint64() && ratio.Denom().IsUint64() {
		return factor{known: true, num: ratio.Num().Uint64(), den: ratio.Denom().Uint64()}
	}
	return factor{known: true, big: ratio}
}

// apply multiplies a non-negative amount, rounding half to even.
func (f factor) apply(amount int64) (int64, bool) {
	if f.big != nil {
		return f.applyBig(amount)
	}
	hi, lo := bits.Mul64(uint64(amount), f.num)
	if hi >= f.den {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, f.den)
	if rest := f.den - r; r > rest || r == rest && q%2 == 1 {
		q++
	}
	return int64(q), q <= maxConverted
}

func (f factor) applyBig(amount int64) (int64, bool) {
	num := new(big.Int).Mul(big.NewInt(amount), f.big.Num())
	q, r := new(big.Int).QuoRem(num, f.big.Denom(), new(big.Int))
	switch r.Lsh(r, 1).Cmp(f.big.Denom()) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		q.Add(q, big.NewInt(int64(q.Bit(0))))
	}
	if !q.IsInt64() || q.Int64() > maxConverted {
		return 0, false
	}
	return q.Int64(), true
}
