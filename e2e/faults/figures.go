package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// figures holds what the aggregators left in Kafka against what they were owed
// to do, whatever was done to them: each final window once at each revision,
// the world's without a hole, and every order in exactly one batch.
type figures struct {
	Orders, Shown   int64 // accepted orders, and Σ of all batches' of
	Windows, Bad    int
	first, last     time.Time // ends of the world's windows
	world           int
	worldRevisions0 map[time.Time]bool
	seen            map[revision]bool
}

// revision names one record of the topic windows.
type revision struct {
	scope string
	end   time.Time
	n     int
}

// readFigures waits until the aggregators have shown every order, and reads.
func readFigures(ctx context.Context, c kafka.Config, within time.Duration) (*figures, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		f := &figures{seen: map[revision]bool{}, worldRevisions0: map[time.Time]bool{}}
		err := f.read(ctx, c)
		if err != nil || f.Shown >= f.Orders {
			return f, err
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return f, fmt.Errorf("%d of %d orders shown: %w", f.Shown, f.Orders, err)
		}
	}
}

func (f *figures) read(ctx context.Context, c kafka.Config) error {
	var bad error
	// The synthetic world sends some orders twice; late and dead ones are in no
	// batch.
	accepted := map[string]bool{}
	ids := func(topic string, mark bool) error {
		return kafkatest.ReadCommitted(ctx, c, topic, func(r kafka.Record) {
			if id := orderID(r.Value); mark {
				accepted[id] = true
			} else {
				delete(accepted, id)
			}
		})
	}
	if err := errors.Join(ids(feed.TopicOrders, true), ids(feed.TopicOrdersLate, false), ids(feed.TopicOrdersDead, false)); err != nil {
		return err
	}
	f.Orders = int64(len(accepted))
	err := kafkatest.ReadCommitted(ctx, c, feed.TopicShipments, func(r kafka.Record) {
		var batch struct{ Of int64 }
		if string(r.Key) != "world" {
			return
		}
		if err := json.Unmarshal(r.Value, &batch); err != nil {
			bad = err
		}
		f.Shown += batch.Of
	})
	if err != nil {
		return err
	}
	return errors.Join(bad, kafkatest.ReadCommitted(ctx, c, feed.TopicWindows, f.window))
}

// orderID returns the id of an order; one that cannot be read is told apart by
// its whole text.
func orderID(value []byte) string {
	var order struct{ ID string }
	if json.Unmarshal(value, &order) != nil {
		return string(value)
	}
	return order.ID
}

func (f *figures) window(r kafka.Record) {
	var w struct {
		WindowEnd time.Time `json:"window_end"`
		Revision  int
	}
	f.Windows++
	if err := json.Unmarshal(r.Value, &w); err != nil {
		f.Bad++
		return
	}
	id := revision{string(r.Key), w.WindowEnd, w.Revision}
	before := id
	before.n--
	if f.seen[id] || w.Revision > 0 && !f.seen[before] {
		f.Bad++
	}
	f.seen[id] = true
	if id.scope != "world" || f.worldRevisions0[w.WindowEnd] {
		return
	}
	f.worldRevisions0[w.WindowEnd] = true
	f.world++
	if f.first.IsZero() || w.WindowEnd.Before(f.first) {
		f.first = w.WindowEnd
	}
	if w.WindowEnd.After(f.last) {
		f.last = w.WindowEnd
	}
}

// holes is how many of the world's windows are missing between first and last.
func (f *figures) holes() int {
	if f.world == 0 {
		return 0
	}
	return int(f.last.Sub(f.first)/time.Second) + 1 - f.world
}

// check returns what is wrong.
func (f *figures) check() error {
	var errs []error
	if f.Shown != f.Orders {
		errs = append(errs, fmt.Errorf("the batches show %d orders, %d were accepted", f.Shown, f.Orders))
	}
	if f.Bad > 0 {
		errs = append(errs, fmt.Errorf("%d of %d windows came twice or before their revision", f.Bad, f.Windows))
	}
	if n := f.holes(); n != 0 {
		errs = append(errs, fmt.Errorf("%d of the world's windows are missing between %s and %s", n, f.first, f.last))
	}
	return errors.Join(errs...)
}
