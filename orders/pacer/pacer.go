// Package pacer sends the orders of a source at a pace: each when it arrives, so
// many a second, or as fast as they are taken. Start at [Run].
//
// It knows neither Kafka nor the command line: sending is a function, the place
// for progress a writer. Its clock is the time package, which tests replace with
// testing/synctest.
package pacer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"livemap/orders"
)

// Rate says when orders are sent: [ByArrival], [Max], or that many a second.
type Rate float64

const (
	// ByArrival sends an order when the clock reaches the time at which it
	// arrives. Orders whose time has passed are sent at once.
	ByArrival Rate = 0
	// Max sends orders as fast as they are taken.
	Max Rate = -1

	// mostRate bounds the rate per second; who wants more wants Max.
	mostRate = 100_000_000
)

// ParseRate reads what the command line has for a rate: "max" or a number of
// orders a second, above 0.
func ParseRate(s string) (Rate, error) {
	if s == "max" {
		return Max, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f <= mostRate) {
		return 0, fmt.Errorf("rate %q: must be max or orders per second, above 0 and at most %d", s, mostRate)
	}
	return Rate(f), nil
}

// String returns the form that [ParseRate] reads.
func (r Rate) String() string {
	switch r {
	case Max:
		return "max"
	case ByArrival:
		return "by arrival"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64)
}

// Config says how to send. The zero value sends all orders as they arrive and
// shows nothing.
type Config struct {
	Rate  Rate
	Count int64 // send so many orders and no more; 0: all of the source
	// Total is how many orders the source holds, for the progress; 0: not known.
	Total    int64
	Progress io.Writer // where progress is drawn if Terminal; may be nil
	Terminal bool      // Progress is a terminal; otherwise nothing is drawn
}

// Validate reports all settings that are wrong.
func (c Config) Validate() error {
	var errs []error
	if r := float64(c.Rate); c.Rate != Max && !(r >= 0 && r <= mostRate) {
		errs = append(errs, fmt.Errorf("rate %v: must be max, or 0 to %d orders per second", r, mostRate))
	}
	if c.Count < 0 {
		errs = append(errs, fmt.Errorf("count %d: must be 0, for all, or more", c.Count))
	}
	if c.Total < 0 {
		errs = append(errs, fmt.Errorf("total %d: must be 0, for unknown, or more", c.Total))
	}
	return errors.Join(errs...)
}

// Stats says what has been sent.
type Stats struct {
	Sent    int64
	Newest  orders.Time   // highest event time sent; 0 if none
	Elapsed time.Duration // from the first order's turn to the end
}

const (
	// early is how much before its turn an order may be sent: at 100,000 orders a
	// second there cannot be a timer for each.
	early = time.Millisecond
	// mostBehind is how far a rate may fall behind and make up for it. After a
	// longer stall the schedule moves, lest the receiver be flooded on its return.
	mostBehind = time.Second
)

// Run sends orders one after the other until the source ends, Count is reached,
// send fails or ctx is done, and says what it has sent in every case. The error
// is nil only if the source has ended or Count is reached; it is ctx's cause if
// that is why. Run starts no goroutine; send must not keep the order.
func Run(ctx context.Context, src orders.Source, c Config, send func(*orders.Order) error) (Stats, error) {
	if err := c.Validate(); err != nil {
		return Stats{}, fmt.Errorf("pacer: %w", err)
	}
	p := pacer{rate: c.Rate, begin: time.Now(), timer: time.NewTimer(time.Hour)}
	defer p.timer.Stop()
	total := c.Total
	if c.Count > 0 && (total == 0 || c.Count < total) {
		total = c.Count
	}
	p.progress = newProgress(c, total, p.begin)
	err := p.run(ctx, src, c.Count, send)
	p.stats.Elapsed = time.Since(p.begin)
	p.progress.end(p.stats)
	return p.stats, err
}

type pacer struct {
	rate     Rate
	begin    time.Time
	schedule time.Time // the turn of the next order, at a rate
	timer    *time.Timer
	progress *progress
	stats    Stats
}

func (p *pacer) run(ctx context.Context, src orders.Source, count int64, send func(*orders.Order) error) error {
	p.schedule = p.begin
	var o orders.Order
	for count == 0 || p.stats.Sent < count {
		arrive, err := src.Next(&o)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("next order after %d: %w", p.stats.Sent, err)
		}
		if err := p.wait(ctx, arrive); err != nil {
			return err
		}
		if err := send(&o); err != nil {
			return fmt.Errorf("send order %s: %w", o.ID, err)
		}
		p.stats.Sent++
		p.stats.Newest = max(p.stats.Newest, o.At)
	}
	return nil
}

// wait returns at the turn of the next order, or the cause of ctx's end.
func (p *pacer) wait(ctx context.Context, arrive orders.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now()
	turn := p.turn(now, arrive)
	for {
		p.progress.show(now, p.stats)
		left := turn.Sub(now)
		if left <= early {
			return nil
		}
		// Long pauses are cut, so that the progress is drawn meanwhile.
		p.timer.Reset(min(left, p.progress.pause()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.timer.C:
		}
		now = time.Now()
	}
}

// turn returns when the next order is to be sent.
func (p *pacer) turn(now time.Time, arrive orders.Time) time.Time {
	switch p.rate {
	case Max:
		return now
	case ByArrival:
		return arrive.Std()
	}
	turn := p.schedule
	if now.Sub(turn) > mostBehind {
		turn = now
	}
	p.schedule = turn.Add(time.Duration(math.Round(float64(time.Second) / float64(p.rate))))
	return turn
}
