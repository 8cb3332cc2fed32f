package runner

import (
	"time"

	"livemap/orders"
)

// passing tells the time that decides about figures: which partitions are idle, and
// how far the watermark has moved while all are. It begins with the machine's
// and then only counts what has passed: somebody who sets the machine's clock, by
// hand or from the network, would otherwise end all windows of an hour at once, or
// none for an hour. So emitted_at, too, is of a clock that is not set while the
// process lives. The orders' times and those of Kafka come with the records.
type passing struct {
	began   time.Time
	elapsed func() time.Duration // since began, whatever the machine's clock was set to
}

// source is where its time is from; tests have their own.
type source struct {
	wall    func() time.Time
	elapsed func() time.Duration // of a clock that nobody sets
}

func (s source) start() passing {
	if s.wall == nil {
		began := time.Now()
		return passing{began, func() time.Duration { return time.Since(began) }} // by the monotonic reading
	}
	zero := s.elapsed()
	return passing{s.wall(), func() time.Duration { return s.elapsed() - zero }}
}

// now returns the time.
func (c passing) now() orders.Time { return orders.TimeOf(c.began).Add(c.elapsed()) }
