// Package publish is the other side of a measurement: it publishes events at a
// fixed rate, each stamped with the time for which it was scheduled, whether or
// not the server kept up. Start at [Run]; target.go has the ways into a server.
package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"livemap/bench/event"
)

// Plan is what to publish: Count events, numbered from First, Rate a second.
type Plan struct {
	Rate  float64
	Count int64
	First int64
}

// Validate reports all that is wrong with p.
func (p Plan) Validate() error {
	var errs []error
	if p.Rate <= 0 {
		errs = append(errs, fmt.Errorf("rate %v: must be above 0", p.Rate))
	}
	if p.Count < 1 {
		errs = append(errs, fmt.Errorf("count %d: must be at least 1", p.Count))
	}
	if p.First < 1 {
		errs = append(errs, fmt.Errorf("first %d: must be at least 1", p.First))
	}
	return errors.Join(errs...)
}

// A Target is a way into a server. Publish hands an event over and may block
// while the server takes no more: later events are then late, and say so.
type Target interface {
	Publish(ctx context.Context, event []byte) error
	// Close waits until what was published is handed over.
	Close() error
}

// Run publishes the plan. An event that is due is never left out: its stamp is
// the time at which it should have gone, so a wait counts as latency.
func Run(ctx context.Context, p Plan, to Target) error {
	period := time.Duration(float64(time.Second) / p.Rate)
	begin := time.Now().Add(period)
	timer := time.NewTimer(0)
	defer timer.Stop()
	b := make([]byte, 0, event.Size)
	for i := range p.Count {
		due := begin.Add(time.Duration(i) * period)
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		b = event.Append(b[:0], event.Stamp{Number: p.First + i, At: due.UnixMicro()})
		if err := to.Publish(ctx, b); err != nil {
			return fmt.Errorf("publish event %d: %w", p.First+i, err)
		}
	}
	return nil
}
