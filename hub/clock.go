package hub

import (
	"time"

	"livemap/orders"
)

// clock tells the time by which the hub ends streams and forgets records. It
// begins with the machine's and then only counts what has passed: were the
// machine's clock set an hour forward, all who have to wait would be slow, all
// streams old, and every journal empty; an hour back, and nothing would end for an
// hour. What clients are told the time is (hello, heartbeat) is the machine's.
type clock struct {
	began   time.Time
	elapsed func() time.Duration // since began, whatever the machine's clock was set to
}

func newClock() clock {
	began := time.Now()
	return clock{began, func() time.Duration { return time.Since(began) }} // by the monotonic reading
}

// now returns the time.
func (c *clock) now() orders.Time { return orders.TimeOf(c.began).Add(c.elapsed()) }

// at returns when it will be t of the machine's clock, if nobody sets that.
func (c *clock) at(t time.Time) orders.Time { return c.now().Add(time.Until(t)) }
