package feed

import "strconv"

// Score is a trending score. It is compared unrounded and printed to four
// decimals.
type Score float64

// MarshalJSON prints the score to four decimals, half to even on its exact
// binary value.
func (s Score) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s), 'f', 4, 64), nil
}
