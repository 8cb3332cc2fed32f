package pacer

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livemap/orders"
)

// list is a source of orders that arrive at given times.
type list struct {
	arrive []orders.Time
	next   int
	err    error // at the end, instead of io.EOF
}

func (l *list) Next(o *orders.Order) (orders.Time, error) {
	if l.next == len(l.arrive) {
		if l.err != nil {
			return 0, l.err
		}
		return 0, io.EOF
	}
	at := l.arrive[l.next]
	*o = orders.Order{ID: strconv.Itoa(l.next), At: at - 5}
	l.next++
	return at, nil
}

func (l *list) Products() ([]orders.Product, error) { return nil, nil }

// every returns n times, gap apart, the first one a gap from now.
func every(gap time.Duration, n int) *list {
	l := new(list)
	start := orders.TimeOf(time.Now())
	for i := range n {
		l.arrive = append(l.arrive, start.Add(time.Duration(i+1)*gap))
	}
	return l
}

func TestByArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := every(700*time.Millisecond, 100)
		stats, err := Run(t.Context(), src, Config{}, func(o *orders.Order) error {
			if d := time.Since((o.At + 5).Std()); d < -early || d > 0 {
				t.Errorf("order %s sent %v after its arrival", o.ID, d)
			}
			return nil
		})
		if err != nil || stats.Sent != 100 || stats.Newest != src.arrive[99]-5 {
			t.Errorf("%+v, %v", stats, err)
		}
		if got := stats.Elapsed; got > 70*time.Second || got < 70*time.Second-early {
			t.Errorf("took %v", got)
		}
	})
}

func TestByArrivalCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := every(100*time.Millisecond, 100)
		time.Sleep(5 * time.Second) // half of them are due
		stats, err := Run(t.Context(), src, Config{}, func(*orders.Order) error { return nil })
		if err != nil || stats.Sent != 100 || stats.Elapsed > 5*time.Second {
			t.Errorf("%+v, %v", stats, err)
		}
	})
}

func TestRatePerSecond(t *testing.T) {
	for _, rate := range []Rate{0.5, 3, 200, 25_000} {
		synctest.Test(t, func(t *testing.T) {
			n := int(math.Ceil(float64(rate) * 10))
			src := every(0, n) // all are due: only the rate counts
			stats, err := Run(t.Context(), src, Config{Rate: rate}, func(*orders.Order) error { return nil })
			want := time.Duration(float64(n-1) / float64(rate) * float64(time.Second))
			if d := stats.Elapsed - want; err != nil || d < -2*early || d > 2*early {
				t.Errorf("%d orders at %v/s took %v, want %v: %v", n, rate, stats.Elapsed, want, err)
			}
		})
	}
}

func TestStallIsNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stats, err := Run(t.Context(), every(0, 201), Config{Rate: 10}, func(o *orders.Order) error {
			if o.ID == "100" {
				time.Sleep(time.Minute)
			}
			return nil
		})
		if want := 20*time.Second + time.Minute; err != nil || stats.Elapsed < want-time.Second {
			t.Errorf("took %v, want about %v: %v", stats.Elapsed, want, err)
		}
	})
}

func TestMaxAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := every(time.Hour, 50)
		stats, err := Run(t.Context(), src, Config{Rate: Max, Count: 20}, func(*orders.Order) error { return nil })
		if err != nil || stats.Sent != 20 || stats.Elapsed != 0 {
			t.Errorf("%+v, %v", stats, err)
		}
		stats, err = Run(t.Context(), src, Config{Rate: Max, Count: 200}, func(*orders.Order) error { return nil })
		if err != nil || stats.Sent != 30 {
			t.Errorf("the rest: %+v, %v", stats, err)
		}
	})
}

func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		stats, err := Run(t.Context(), every(0, 5), Config{Rate: Max}, func(o *orders.Order) error {
			if o.ID == "3" {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "order 3") || stats.Sent != 3 {
			t.Errorf("send fails: %+v, %v", stats, err)
		}
		src := every(0, 5)
		src.err = broken
		stats, err = Run(t.Context(), src, Config{Rate: Max}, func(*orders.Order) error { return nil })
		if !errors.Is(err, broken) || stats.Sent != 5 {
			t.Errorf("source fails: %+v, %v", stats, err)
		}
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(90 * time.Minute)
			cancel(why)
		}()
		stats, err := Run(ctx, every(time.Hour, 5), Config{}, func(*orders.Order) error { return nil })
		if !errors.Is(err, why) || stats.Sent != 1 || stats.Elapsed != 90*time.Minute {
			t.Errorf("%+v, %v", stats, err)
		}
		stats, err = Run(ctx, every(0, 5), Config{Rate: Max}, func(*orders.Order) error { return nil })
		if !errors.Is(err, why) || stats.Sent != 0 {
			t.Errorf("already cancelled: %+v, %v", stats, err)
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		c := Config{Rate: 500, Count: 5001, Total: 100_000, Progress: &out, Terminal: true}
		if _, err := Run(t.Context(), every(0, 100_000), c, func(*orders.Order) error { return nil }); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\r")
		if len(lines) != 12 { // one a second, one at the end, and what is before the first
			t.Errorf("drawn %d times: %q", len(lines)-1, out.String())
		}
		for _, want := range []string{
			"2,000 orders  500/s  at 1999-12-31T23:59:59.995Z  39 %  6s left",
			"5,001 orders  500/s  at 1999-12-31T23:59:59.995Z  100 %\x1b[K\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("progress %q does not hold %q", out.String(), want)
			}
		}
	})
}

func TestProgressGoesOnWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		c := Config{Progress: &out, Terminal: true}
		if _, err := Run(t.Context(), every(time.Minute, 2), c, func(*orders.Order) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\r"); n < 118 {
			t.Errorf("drawn %d times in two minutes", n)
		}
	})
}

func TestNoProgressWhenPiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		c := Config{Rate: 10, Progress: &out}
		if _, err := Run(t.Context(), every(0, 100), c, func(*orders.Order) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 0 {
			t.Errorf("drawn %q", out.String())
		}
	})
}

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{"max": Max, "200": 200, "0.5": 0.5} {
		if got, err := ParseRate(in); err != nil || got != want || got.String() != in {
			t.Errorf("ParseRate(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "-1", "NaN", "Inf", "fast", "1e12"} {
		if got, err := ParseRate(in); err == nil {
			t.Errorf("ParseRate(%q) = %v", in, got)
		}
	}
	err := Config{Rate: -3, Count: -1, Total: -1}.Validate()
	for _, want := range []string{"rate", "count", "total"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}
