package loadtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSearchFindsTheKnee plays servers that hold any number of clients.
func TestSearchFindsTheKnee(t *testing.T) {
	f := &Find{Start: 10, Growth: 1.5}
	for _, holds := range []int{3, 10, 11, 99, 1234, 9_999, 10_000, 50_000} {
		const most = 10_000
		good, bad, levels := 0, 0, 0
		for n := f.Start; n != 0; n = nextLevel(f, good, bad, most) {
			if levels++; levels > 60 {
				t.Fatalf("a server for %d: no end, between %d and %d", holds, good, bad)
			}
			if n < 1 || n > most {
				t.Fatalf("a server for %d: level %d", holds, n)
			}
			if n <= holds {
				good = max(good, n)
			} else if bad == 0 || n < bad {
				bad = n
			}
		}
		if good > holds || bad != 0 && bad <= holds || bad == 0 && good != most {
			t.Errorf("a server for %d: between %d and %d", holds, good, bad)
		}
		if bad != 0 && bad-good > max(holds/20, 1) {
			t.Errorf("a server for %d: between %d and %d is too wide", holds, good, bad)
		}
	}
}

func TestWhatALevelExceeds(t *testing.T) {
	f := &Find{P99: 100 * time.Millisecond, LossPercent: 1}
	held := Level{Connections: 200, Connected: 199, P99Micros: 99_000, Lost: 1}
	if why := exceeded(f, &held, 1000); why != "" {
		t.Errorf("it held: %q", why)
	}
	for want, l := range map[string]Level{
		"150 of 200 clients": {Connections: 200, Connected: 150},
		"p99 250ms":          {Connections: 200, Connected: 200, P99Micros: 250_000},
		"20 of 1020 records": {Connections: 200, Connected: 200, Lost: 20},
	} {
		if why := exceeded(f, &l, 1000); !strings.Contains(why, want) {
			t.Errorf("%q, want %q", why, want)
		}
	}
	if why := exceeded(f, &Level{Connections: 1, Connected: 1}, 0); !strings.Contains(why, "nothing was measured") {
		t.Errorf("without records: %q", why)
	}
}

// TestSearchAgainstAServer: a server that sends to some and turns the others away
// has its knee there.
func TestSearchAgainstAServer(t *testing.T) {
	s := startTicking(t, 13)
	report, err := Run(context.Background(), Config{
		URL: s.url, Connections: 40, Duration: time.Minute, Eager: true, Loops: 2,
		Find: &Find{Start: 4, Growth: 2, Hold: 300 * time.Millisecond, Settle: 300 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	held, over := Knee(report.Levels)
	if held == nil || over == nil || held.Connections != 13 || over.Connections != 14 {
		t.Errorf("knee between %+v and %+v, want 13 and 14; levels %+v", held, over, report.Levels)
	}
	if !slices.IsSortedFunc(report.Points, func(a, b Point) int { return int(a.At - b.At) }) {
		t.Error("points are not in order")
	}
}
