package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"livemap/aggregate/runner"
	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/orders"
)

// TestClockIsSet: the machine's clock is set an hour forward, an hour back, and
// stands still. No order becomes late by it, and silent partitions end their
// windows as ever.
func TestClockIsSet(t *testing.T) {
	k := cluster(t)
	var offset atomic.Int64
	var still atomic.Bool
	began := time.Now()
	wall := func() time.Time {
		if still.Load() {
			return began
		}
		return time.Now().Add(time.Duration(offset.Load()))
	}
	start(t, config(k, "a").WithClock(wall, func() time.Duration { return time.Since(began) }))
	n := int64(0)
	for _, set := range []struct {
		name string
		do   func()
	}{
		{"as it was", func() {}},
		{"an hour forward", func() { offset.Store(int64(time.Hour)) }},
		{"an hour back", func() { offset.Store(-int64(time.Hour)) }},
		{"standing still", func() { still.Store(true) }},
	} {
		awaitBeats(t, k, 2)
		set.do()
		awaitBeats(t, k, 2) // of the clock as it is now
		var values [][]byte
		at := orders.TimeOf(time.Now())
		for i := range 20 {
			values = append(values, order(fmt.Sprint(set.name, i), at))
		}
		produce(t, k, values...)
		n += int64(len(values))
		awaitTotal(t, k, n)
		// Nobody orders any more: the window ends because time passes.
		await(t, k, feed.TopicWindows, func(rec kafka.Record) bool {
			var w feed.Window
			if err := json.Unmarshal(rec.Value, &w); err != nil {
				t.Fatal(err)
			}
			if w.WindowEnd > orders.TimeOf(time.Now()).Add(time.Minute) {
				t.Fatalf("%s: the window %s has ended", set.name, w.WindowEnd)
			}
			return w.Scope == feed.World && w.Total.Orders == n
		})
	}
}

// awaitBeats waits for so many leader records from now on.
func awaitBeats(t *testing.T, k kafka.Config, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	next, err := kafka.ReadState(ctx, k, feed.TopicCheckpoint, func(kafka.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	err = kafka.Watch(ctx, k, feed.TopicCheckpoint, next, func(rec kafka.Record) error {
		if string(rec.Key) == "leader" {
			n--
		}
		if n == 0 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
}

// TestOutageIsNoSilence: who stands by does not take the silence of a log that is
// away for that of the leader, who gets its time when the log is back.
func TestOutageIsNoSilence(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	c := embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Logger: log}
	b, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c.Listen = b.Addr()
	k := kafka.Config{Brokers: []string{b.Addr()}, Logger: log}
	if err := kafka.EnsureTopics(t.Context(), k, runner.Topics(2)...); err != nil {
		t.Fatal(err)
	}
	beat(t, k)
	start(t, config(k, "second"))
	for range 4 { // it stands by
		time.Sleep(500 * time.Millisecond)
		beat(t, k)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // nearly the standby's patience
	if b, err = embedded.Open(c); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	for range 4 {
		beat(t, k)
		if who := writer(t, k); who != "first" {
			t.Fatalf("%s has taken over after an outage", who)
		}
		time.Sleep(500 * time.Millisecond)
	}
	produce(t, k, order("1", orders.TimeOf(time.Now())))
	awaitTotal(t, k, 1) // nobody beats any more
	if who := writer(t, k); who != "second" {
		t.Errorf("%q writes after the first has gone", who)
	}
}

// beat writes the leader record of an aggregator named first.
func beat(t *testing.T, k kafka.Config) {
	t.Helper()
	p, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	value := fmt.Appendf(nil, `{"v":1,"instance":"first","writer":"w","at":%q,"orders_id":"%032x"}`, orders.TimeOf(time.Now()), 0)
	if err := p.Produce(t.Context(), kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte("leader"), Value: value}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
