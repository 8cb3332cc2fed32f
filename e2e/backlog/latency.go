package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
	"livemap/orders"
)

const (
	latencyTick   = 10 * time.Millisecond
	latencyWarmUp = 5 * time.Second
)

// latency produces orders of the present at a rate and measures when they show: each order from when it was handed to Kafka until a record of the world
// has a total that counts it, and each window from its end until its record in
// windows. That cannot be before the watermark passes it, --disorder later.
// It prints the last line:
//
//	latency orders=N early_p50_ms=N early_p99_ms=N early_max_ms=N windows=N final_p99_ms=N final_max_ms=N
func (s settings) latency(ctx context.Context, cluster *kafkatest.Cluster, program string) error {
	k := cluster.Config()
	if err := errors.Join(s.recreate(ctx, k, feed.TopicOrders), s.forgetOutputs(ctx, k, "")); err != nil {
		return err
	}
	p, err := s.start(program, k)
	if err != nil {
		return err
	}
	defer func() { p.Kill() }()
	if err := await(ctx, func() (bool, error) { // it has made its topics
		_, _, err := p.counted(ctx)
		return err == nil, nil //nolint:nilerr // not yet
	}); err != nil {
		return err
	}
	m := &shown{sent: make([]atomic.Int64, int(s.rate*s.seconds))}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.watch(ctx, k) })
	group.Go(func() error { return m.watchFinal(ctx, k) })
	group.Go(func() error {
		defer stop()
		if err := s.produceNow(ctx, k, m); err != nil {
			return err
		}
		time.Sleep(time.Second) // for what is under way
		return nil
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if !p.End(syscall.SIGTERM, 30*time.Second) {
		return errors.New("livemap aggregate did not end on SIGTERM")
	}
	return m.print()
}

// shown is when orders were sent, by number, and when metrics showed them.
type shown struct {
	sent   []atomic.Int64 // wall clock in microseconds, 0: not yet
	early  []time.Duration
	final  []time.Duration
	counts int64 // orders shown so far
}

// produceNow produces orders whose time is now.
func (s settings) produceNow(ctx context.Context, k kafka.Config, m *shown) error {
	producer, err := kafka.NewProducer(k)
	if err != nil {
		return err
	}
	defer producer.Close()
	from, began := newSource(s.world), time.Now()
	for n := 0; n < len(m.sent); {
		due := int(time.Since(began).Seconds() * float64(s.rate))
		for ; n < min(due, len(m.sent)); n++ {
			o := from.next(int64(n))
			o.At = orders.TimeOf(time.Now())
			m.sent[n].Store(time.Now().UnixMicro())
			r := kafka.Record{Topic: feed.TopicOrders, Key: []byte(o.Shop), Value: orders.AppendJSON(nil, o)}
			if err := producer.Produce(ctx, r); err != nil {
				return err
			}
		}
		time.Sleep(latencyTick)
	}
	return producer.Flush(ctx)
}

// watch reads the world's records of metrics until all orders are shown.
func (m *shown) watch(ctx context.Context, k kafka.Config) error {
	return follow(ctx, k, feed.TopicMetrics, func(w *feed.Window, now time.Time, warm bool) {
		for ; m.counts < min(w.Total.Orders, int64(len(m.sent))); m.counts++ {
			if warm {
				m.early = append(m.early, time.Duration(now.UnixMicro()-m.sent[m.counts].Load())*time.Microsecond)
			}
		}
	})
}

// watchFinal reads the world's records of windows.
func (m *shown) watchFinal(ctx context.Context, k kafka.Config) error {
	return follow(ctx, k, feed.TopicWindows, func(w *feed.Window, now time.Time, warm bool) {
		if warm && *w.Revision == 0 {
			m.final = append(m.final, now.Sub(w.WindowEnd.Std()))
		}
	})
}

// follow calls do for the world's records of a topic as they come. warm is true
// when the first seconds are over.
func follow(ctx context.Context, k kafka.Config, topic string, do func(w *feed.Window, now time.Time, warm bool)) error {
	var began time.Time
	return kafka.Watch(ctx, k, topic, nil, func(r kafka.Record) error {
		if string(r.Key) != feed.World {
			return nil
		}
		var w feed.Window
		if err := json.Unmarshal(r.Value, &w); err != nil {
			return err
		}
		now := time.Now()
		if began.IsZero() {
			began = now
		}
		do(&w, now, now.Sub(began) > latencyWarmUp)
		return nil
	})
}

func (m *shown) print() error {
	if len(m.early) == 0 || len(m.final) == 0 {
		return fmt.Errorf("metrics showed %d orders and %d final windows", len(m.early), len(m.final))
	}
	slices.Sort(m.early)
	slices.Sort(m.final)
	at := func(list []time.Duration, share float64) int64 {
		return list[int(share*float64(len(list)-1))].Milliseconds()
	}
	fmt.Printf("latency orders=%d early_p50_ms=%d early_p99_ms=%d early_max_ms=%d windows=%d final_p99_ms=%d final_max_ms=%d\n",
		len(m.early), at(m.early, 0.5), at(m.early, 0.99), at(m.early, 1), len(m.final), at(m.final, 0.99), at(m.final, 1))
	return nil
}
