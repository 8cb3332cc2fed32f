package stats

import (
	"math"
	"testing"
)

func TestSpread(t *testing.T) {
	nan := math.NaN()
	cases := []struct {
		values []float64
		want   string
	}{
		{nil, "–"},
		{[]float64{nan}, "–"},
		{[]float64{2}, "2.00"},
		{[]float64{3, 1, 2}, "2.00 (1.00–3.00)"},
		{[]float64{4, 1, 2, 3}, "2.50 (1.00–4.00)"},
		{[]float64{1, nan, 3}, "2.00 (1.00–3.00)"},
		{[]float64{1.001, 1.002}, "1.00"},
	}
	for _, c := range cases {
		if got := Of(c.values...).Format(2); got != c.want {
			t.Errorf("Of(%v) = %s, want %s", c.values, got, c.want)
		}
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	got := Ratio([]float64{2, 30, 5}, []float64{1, 10})
	if want := (Spread{2, 2.5, 3}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Ratio([]float64{1}, []float64{0}); !math.IsNaN(got.Median) {
		t.Errorf("over nothing: %v", got)
	}
}

func TestValuesAreNotSorted(t *testing.T) {
	values := []float64{3, 1, 2}
	Of(values...)
	if values[0] != 3 {
		t.Errorf("the values were moved: %v", values)
	}
}
