package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
	"livemap/orders"
)

// parity is what a comparison found.
type parity struct {
	compared int
	wrong    error // nil: nothing
	shoppers shopperErrors
}

// shopperErrors are how far the shoppers of the world's whole minutes are off, of 1.
type shopperErrors struct {
	minutes, estimated int
	most               int64 // shoppers of a minute
	squares, worst     float64
}

// mostCounted is how many shoppers of a minute are counted in any case: 4 million pairs
// of shopper and scope are, and each of them is in the world and a country, seldom in
// more.
const mostCounted = 4_000_000 / 3

// add compares the shoppers of a minute with the truth. What is counted must be
// right, an estimate close.
func (s *shopperErrors) add(seen, truth int64) error {
	off := float64(seen)/float64(truth) - 1
	s.minutes++
	s.most = max(s.most, truth)
	if truth <= mostCounted && seen != truth || math.Abs(off) > 0.015 {
		return fmt.Errorf("%d shoppers, want %d", seen, truth)
	}
	if seen != truth {
		s.estimated++
	}
	s.squares += off * off
	s.worst = max(s.worst, math.Abs(off))
	return nil
}

func (s *shopperErrors) String() string {
	return fmt.Sprintf("%d minutes of up to %d shoppers, %d estimated: rms %.2f %%, worst %.2f %%",
		s.minutes, s.most, s.estimated, 100*math.Sqrt(s.squares/float64(max(s.minutes, 1))), 100*s.worst)
}

func (p parity) verdict() string {
	if p.wrong != nil {
		return p.wrong.Error()
	}
	return "ok"
}

// lastWindow is the end of the last window that becomes final by the orders
// alone, in seconds after begin. The minute after it becomes final with the clock,
// which would be waiting.
func (w world) lastWindow() int { return int((w.Orders-1)/w.PerSecond) - 4 }

// check compares every window of a topic up to the last, at its last revision, with
// what it must hold.
func (s settings) check(ctx context.Context, k kafka.Config, topic string, through int, e *expected) (parity, error) {
	type key struct {
		scope string
		end   orders.Time
	}
	last := map[key]feed.Window{}
	_, err := kafka.ReadState(ctx, k, topic, func(r kafka.Record) error {
		var w feed.Window
		if err := json.Unmarshal(r.Value, &w); err != nil {
			return err
		}
		at := key{w.Scope, w.WindowEnd}
		if int(w.WindowEnd-begin)/1000 > through {
			return nil
		}
		if before, ok := last[at]; ok && *w.Revision != *before.Revision+1 {
			return fmt.Errorf("window %s %s: revision %d after %d", w.Scope, w.WindowEnd, *w.Revision, *before.Revision)
		}
		last[at] = w
		return nil
	})
	if err != nil {
		return parity{}, err
	}
	var p parity
	for scope, seconds := range e.Scopes {
		var window, total figure
		for end := 1; end <= through; end++ {
			if end <= len(seconds) {
				window.add(seconds[end-1], 1)
				total.add(seconds[end-1], 1)
			}
			if end > 60 {
				window.add(seconds[end-61], -1)
			}
			if window.Orders == 0 {
				continue
			}
			p.compared++
			at := key{scope, begin + orders.Time(end)*1000}
			w, ok := last[at]
			got := figure{w.Orders, w.Sales, w.DistanceM, w.CarbonG}
			all := figure{w.Total.Orders, w.Total.Sales, w.Total.DistanceM, w.Total.CarbonG}
			if (!ok || got != window || all != total) && p.wrong == nil {
				p.wrong = fmt.Errorf("window %s %s: there is %t %+v %+v, want %+v %+v", scope, at.end, ok, got, all, window, total)
			}
			if scope == feed.World && end%60 == 0 {
				if err := p.shoppers.add(w.Shoppers, e.Shoppers[end/60]); err != nil && p.wrong == nil {
					p.wrong = fmt.Errorf("window %s %s: %w", scope, at.end, err)
				}
			}
			delete(last, at)
		}
	}
	if len(last) > 0 && p.wrong == nil {
		p.wrong = fmt.Errorf("%d windows that hold no order", len(last))
	}
	return p, nil
}

// forgetOutputs deletes what an earlier run has written to topics whose names
// begin with prefix.
func (s settings) forgetOutputs(ctx context.Context, k kafka.Config, prefix string) error {
	admin, err := kafkatest.NewAdmin(k)
	if err != nil {
		return err
	}
	defer admin.Close()
	for _, topic := range outputs {
		// One that is not there yet is as good; what is wrong with the broker shows
		// in the next call.
		_ = admin.DeleteTopic(ctx, prefix+topic)
	}
	return await(ctx, func() (bool, error) {
		for _, topic := range outputs {
			if _, err := admin.Leader(ctx, prefix+topic, 0); err == nil {
				return false, nil
			}
		}
		return true, nil
	})
}

// recreate makes the topic orders anew, as the program would but for its age: the
// backlog is kept.
func (s settings) recreate(ctx context.Context, k kafka.Config, topic string) error {
	if err := waitReady(ctx, k); err != nil {
		return err
	}
	admin, err := kafkatest.NewAdmin(k)
	if err != nil {
		return err
	}
	defer admin.Close()
	_ = admin.DeleteTopic(ctx, topic) // half a backlog of an earlier try
	spec := kafka.TopicSpec{
		Name: topic, Kind: feed.Log, Partitions: int32(s.Partitions), Retention: 100 * 365 * 24 * time.Hour, RetentionBytes: 1 << 40,
		MaxMessageBytes: 2 << 20, AppendTime: true,
	}
	return await(ctx, func() (bool, error) {
		err := kafka.EnsureTopics(ctx, k, spec)
		return err == nil, nil //nolint:nilerr // it is being deleted: tried again
	})
}

// await calls done until it is true, for at most half a minute.
func await(ctx context.Context, done func() (bool, error)) error {
	for range 300 {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("kafka has not done what was asked within half a minute")
}
