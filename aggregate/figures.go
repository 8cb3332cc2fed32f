package aggregate

import (
	"math"
	"time"

	"livemap/orders"
)

// second is a whole second of event time since 1970: the start of a pane or
// the end of a window.
type second int64

// noSecond and noTime stand for "not known yet". They lie far enough from the
// ends of int64 that spans can be added and subtracted.
const (
	noSecond = second(math.MinInt64 / 4)
	noTime   = orders.Time(math.MinInt64 / 4)
	anyTime  = -noTime // later than any
)

// secondOf returns the pane that holds t.
func secondOf(t orders.Time) second { return second(floorDiv(int64(t), 1000)) }

// time returns the start of s.
func (s second) time() orders.Time { return orders.Time(s) * 1000 }

// minute returns the start of the whole minute that holds s.
func (s second) minute() second { return second(floorDiv(int64(s), 60) * 60) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// sums are the figures that add up over panes.
type sums struct {
	orders    int64
	sales     int64 // minor units of Config.Currency
	distanceM int64
	carbonG   int64
}

func (s *sums) add(o sums) {
	s.orders += o.orders
	s.sales += o.sales
	s.distanceM += o.distanceM
	s.carbonG += o.carbonG
}

func (s *sums) sub(o sums) {
	s.orders -= o.orders
	s.sales -= o.sales
	s.distanceM -= o.distanceM
	s.carbonG -= o.carbonG
}

// figures are what a window holds of one scope.
type figures struct {
	sums
	shoppers int64
}

// duration returns a span of milliseconds as a time.Duration.
func duration(span orders.Time) time.Duration { return time.Duration(span) * time.Millisecond }
