// Package stats says what several rounds of a measurement amount to. It is pure
// arithmetic: start at [Of] and [Ratio].
package stats

import (
	"fmt"
	"math"
	"slices"
)

// Spread is the least, the middle and the greatest of some values. Without
// values all three are not numbers.
type Spread struct {
	Min, Median, Max float64
}

// Of returns the spread of the values; those that are not numbers do not count.
// The median of an even count is the mean of the middle two.
func Of(values ...float64) Spread {
	kept := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(kept) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN()}
	}
	slices.Sort(kept)
	n := len(kept)
	return Spread{
		Min:    kept[0],
		Median: (kept[(n-1)/2] + kept[n/2]) / 2,
		Max:    kept[n-1],
	}
}

// Ratio returns the spread of a/b, round by round: machines drift between
// rounds more than within one. Rounds that only one side has do not count.
func Ratio(a, b []float64) Spread {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	return Of(ratios...)
}

// Format returns "median (min–max)" with the given digits behind the point, the
// median alone where there is no spread, and "–" where there is nothing.
func (s Spread) Format(digits int) string {
	if math.IsNaN(s.Median) {
		return "–"
	}
	one := func(v float64) string { return fmt.Sprintf("%.*f", digits, v) }
	if one(s.Min) == one(s.Max) {
		return one(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", one(s.Median), one(s.Min), one(s.Max))
}
