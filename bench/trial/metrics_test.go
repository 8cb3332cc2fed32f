package trial

import (
	"math"
	"strings"
	"testing"
)

func TestQuantileOfHistogram(t *testing.T) {
	parse := func(a, b, c string) []bucket {
		all, err := parseHistogram(strings.NewReader("# HELP x\nother 1\nx_bucket{le=\"0.001\"} "+a+"\nx_bucket{le=\"0.01\"} "+b+"\nx_bucket{le=\"+Inf\"} "+c+"\nx_sum 3\n"), "x")
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		return all
	}
	before, after := parse("5", "5", "5"), parse("103", "104", "105") // 98, 99, 100 of the hundred between
	for share, want := range map[float64]float64{0.5: 0.001, 0.98: 0.001, 0.99: 0.01, 1: math.Inf(1)} {
		if got := quantile(before, after, share); got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if got := quantile(nil, nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
	if _, err := parseHistogram(strings.NewReader("x_bucket{le=\"a\"} 1\n"), "x"); err == nil {
		t.Error("nonsense is read")
	}
}
