package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"livemap/aggregate"
	"livemap/aggregate/runner"
	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/orders"
)

// patience bounds every wait of these tests; none is expected to take it.
const patience = 30 * time.Second

// cluster starts an embedded log with the aggregator's topics.
func cluster(t *testing.T) kafka.Config {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	k := kafka.Config{Brokers: []string{b.Addr()}, Logger: log}
	if err := kafka.EnsureTopics(t.Context(), k, runner.Topics(2)...); err != nil {
		t.Fatal(err)
	}
	return k
}

// config returns an aggregator that finds silent partitions idle soon.
func config(k kafka.Config, instance string) runner.Config {
	return runner.Config{Kafka: k, Instance: instance, Logger: k.Logger, Aggregate: aggregate.Config{Idle: 300 * time.Millisecond}}
}

// start runs an aggregator; the function that it returns ends it and returns
// its error.
func start(t *testing.T, cfg runner.Config) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx, cfg) }()
	var err error
	ended := false
	stop = func() error {
		if !ended {
			cancel()
			err, ended = <-done, true
		}
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}

// produce writes values to the topic orders, all to one partition.
func produce(t *testing.T, k kafka.Config, values ...[]byte) {
	t.Helper()
	p, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, v := range values {
		if err := p.Produce(t.Context(), kafka.Record{Topic: feed.TopicOrders, Key: []byte("shop"), Value: v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// order returns a good order of 10.00 USD for Canada.
func order(id string, at orders.Time) []byte {
	return orders.AppendJSON(nil, &orders.Order{
		ID: id, At: at, Shop: "shop", Shopper: "shopper-" + id, Currency: "USD", Amount: 1000,
		Lines: []orders.Line{{Product: "p", Units: 1, Amount: 1000}},
		From:  orders.Place{City: "Berlin", Country: "DE", Lat: 52.5, Lon: 13.4},
		To:    orders.Place{City: "Toronto", Country: "CA", Lat: 43.7, Lon: -79.4},
		MassG: 500,
	})
}

// await reads a topic from its start until enough returns true, and fails the
// test if it never does.
func await(t *testing.T, k kafka.Config, topic string, enough func(kafka.Record) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := errors.New("found")
	err := kafka.Watch(ctx, k, topic, nil, func(rec kafka.Record) error {
		if enough(rec) {
			return found
		}
		return nil
	})
	if !errors.Is(err, found) {
		t.Fatalf("topic %s: what was expected did not come: %v", topic, err)
	}
}

// awaitTotal waits until the world's metrics have counted n orders.
func awaitTotal(t *testing.T, k kafka.Config, n int64) feed.Window {
	t.Helper()
	var w feed.Window
	await(t, k, feed.TopicMetrics, func(rec kafka.Record) bool {
		if string(rec.Key) != feed.World {
			return false
		}
		if err := json.Unmarshal(rec.Value, &w); err != nil {
			t.Fatal(err)
		}
		if w.Total.Orders > n {
			t.Fatalf("counted %d orders, want %d", w.Total.Orders, n)
		}
		return w.Total.Orders == n
	})
	return w
}

func header(rec kafka.Record, key string) string {
	for _, h := range rec.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// TestBadInput: what cannot be used is kept with its reason and place, what is
// late is kept too, and the figures of the good orders stay exact.
func TestBadInput(t *testing.T) {
	k := cluster(t)
	now := orders.TimeOf(time.Now())
	good := string(order("good", now))
	bad := []struct{ value, reason string }{
		{`{"v":1`, "malformed"},
		{`[]`, "malformed"},
		{strings.Replace(good, `"v":1`, `"v":2`, 1), "version"},
		{strings.Replace(good, `"shop":"shop",`, ``, 1), "field"},
		{strings.Replace(good, `"amount":1000`, `"amount":-1000`, 1), "field"},
		{strings.Replace(good, `"lat":43.7`, `"lat":143.7`, 1), "field"},
		{string(order("past", 0)), "time"},
		{string(order("future", now.Add(61*time.Minute))), "time"},
		{strings.Replace(good, `"USD"`, `"XXX"`, 1), "rate"},
	}
	var values [][]byte
	for i, b := range bad {
		values = append(values, order(fmt.Sprint("before-", i), now), []byte(b.value))
	}
	values = append(values, order("before-0", now)) // again: a duplicate
	produce(t, k, values...)
	stop := start(t, config(k, "a"))

	if got := awaitTotal(t, k, int64(len(bad))); got.Sales != int64(len(bad))*1000 {
		t.Errorf("sales %d, want %d", got.Sales, len(bad)*1000)
	}
	i := 0
	await(t, k, feed.TopicOrdersDead, func(rec kafka.Record) bool {
		if got, want := header(rec, "reason"), bad[i].reason; got != want {
			t.Errorf("dead record %d: reason %q, want %q: %s", i, got, want, header(rec, "detail"))
		}
		if string(rec.Value) != bad[i].value {
			t.Errorf("dead record %d: value %s", i, rec.Value)
		}
		if header(rec, "topic") != feed.TopicOrders || header(rec, "partition") == "" || header(rec, "offset") != fmt.Sprint(2*i+1) {
			t.Errorf("dead record %d: headers %v", i, rec.Headers)
		}
		i++
		return i == len(bad)
	})
	// The other partition, which never had an order, is idle by the time a
	// window is final.
	await(t, k, feed.TopicWindows, func(kafka.Record) bool { return true })
	produce(t, k, order("late", now.Add(-10*time.Minute)))
	await(t, k, feed.TopicOrdersLate, func(rec kafka.Record) bool { return strings.Contains(string(rec.Value), `"id":"late"`) })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestGoesOn: an aggregator that is ended at any moment and started again
// counts every order once, and its last minute falls to zero.
func TestGoesOn(t *testing.T) {
	k := cluster(t)
	now := orders.TimeOf(time.Now()).Add(-3 * time.Minute)
	n := int64(0)
	for round := range 4 {
		stop := start(t, config(k, "a"))
		var values [][]byte
		for i := range 200 {
			values = append(values, order(fmt.Sprint(round, "-", i), now.Add(time.Duration(round*20+i/10)*time.Second)))
		}
		produce(t, k, values...)
		if round%2 == 0 {
			awaitTotal(t, k, n+200) // otherwise it is ended while it may be at work
		}
		n += 200
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	start(t, config(k, "a"))
	awaitTotal(t, k, n)
	of := int64(0)
	await(t, k, feed.TopicShipments, func(rec kafka.Record) bool {
		var s feed.Shipments
		if err := json.Unmarshal(rec.Value, &s); err != nil {
			t.Fatal(err)
		}
		if s.Scope == feed.World {
			of += s.Of
		}
		return of == n
	})
	final := map[orders.Time]int{}
	await(t, k, feed.TopicWindows, func(rec kafka.Record) bool {
		var w feed.Window
		if err := json.Unmarshal(rec.Value, &w); err != nil {
			t.Fatal(err)
		}
		if w.Scope == feed.World {
			if *w.Revision != final[w.WindowEnd] {
				t.Errorf("window %s: revision %d after %d records", w.WindowEnd, *w.Revision, final[w.WindowEnd])
			}
			final[w.WindowEnd]++
		}
		return w.Scope == feed.World && w.Total.Orders == n
	})
}

// TestOneWriter: a second aggregator stands by and takes over when the first is
// gone; one of the same name takes over at once, and the first then ends.
func TestOneWriter(t *testing.T) {
	k := cluster(t)
	now := orders.TimeOf(time.Now())
	first := start(t, config(k, "first"))
	produce(t, k, order("1", now))
	awaitTotal(t, k, 1)

	second := start(t, config(k, "second"))
	produce(t, k, order("2", now))
	awaitTotal(t, k, 2)
	if who := writer(t, k); who != "first" {
		t.Errorf("%s writes while the first is alive", who)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	produce(t, k, order("3", now))
	awaitTotal(t, k, 3)
	if who := writer(t, k); who != "second" {
		t.Errorf("%q writes after the first has ended", who)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	fenced := make(chan error, 1)
	go func() { fenced <- runner.Run(ctx, config(k, "third")) }()
	if err := second(); err != nil {
		t.Fatal(err)
	}
	produce(t, k, order("4", now))
	awaitTotal(t, k, 4)
	start(t, config(k, "third"))
	if err := <-fenced; !errors.Is(err, runner.ErrTakenOver) {
		t.Errorf("the one that was fenced: %v, want %v", err, runner.ErrTakenOver)
	}
	produce(t, k, order("5", now))
	awaitTotal(t, k, 5)
}

// writer returns the instance in the last leader record.
func writer(t *testing.T, k kafka.Config) string {
	t.Helper()
	var last struct{ Instance string }
	_, err := kafka.ReadState(t.Context(), k, feed.TopicCheckpoint, func(rec kafka.Record) error {
		if string(rec.Key) == "leader" {
			return json.Unmarshal(rec.Value, &last)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last.Instance
}

// TestForeignCheckpoint: what cannot be loaded is refused, not begun anew.
func TestForeignCheckpoint(t *testing.T) {
	k := cluster(t)
	p, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Produce(t.Context(), kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte("head"), Value: []byte("nothing of ours")}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = runner.Run(ctx, config(k, "a"))
	if err == nil || !strings.Contains(err.Error(), feed.TopicCheckpoint) {
		t.Errorf("a checkpoint of somebody else: %v", err)
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	err := runner.Config{
		Kafka:          kafka.Config{Brokers: []string{"nowhere"}},
		Aggregate:      aggregate.Config{Currency: "dollars"},
		Classification: "file:///does/not/exist.parquet",
	}.Validate()
	for _, want := range []string{"nowhere", "dollars", "exist.parquet"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// TestLargeRecords: an order of the largest size that comes late, and one with
// huge headers, are kept, a larger one is dead, and the aggregation goes on.
func TestLargeRecords(t *testing.T) {
	k := cluster(t)
	now := orders.TimeOf(time.Now())
	produce(t, k, order("first", now))
	start(t, config(k, "a"))
	await(t, k, feed.TopicWindows, func(kafka.Record) bool { return true })

	padded := func(v []byte, n int) []byte { return append(v, bytes.Repeat([]byte(" "), n-len(v))...) }
	p, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, rec := range []kafka.Record{
		{Value: padded(order("late", now.Add(-time.Hour)), orders.MaxRecordBytes)},
		{Value: order("headers", now.Add(-time.Hour)), Headers: []kafka.Header{{Key: "small", Value: []byte("kept")}, {Key: "huge", Value: make([]byte, 1<<20)}}},
		{Value: order("key", now.Add(-time.Hour)), Key: bytes.Repeat([]byte("k"), 1<<20)},
		{Value: padded(order("large", now), orders.MaxRecordBytes+1)},
		{Value: order("second", now)},
	} {
		rec.Topic = feed.TopicOrders
		if rec.Key == nil {
			rec.Key = []byte("shop")
		}
		if err := p.Produce(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitTotal(t, k, 2)
	late := map[string]bool{}
	await(t, k, feed.TopicOrdersLate, func(rec kafka.Record) bool {
		o, err := orders.Decode(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		late[o.ID] = true
		if o.ID == "headers" && (header(rec, "small") != "kept" || header(rec, "huge") != "") {
			t.Errorf("headers of %s: %d of them", o.ID, len(rec.Headers))
		}
		return len(late) == 3
	})
	await(t, k, feed.TopicOrdersDead, func(rec kafka.Record) bool {
		return header(rec, "reason") == "too_large" && header(rec, "truncated") == "true"
	})
}

// TestWrongClock: a shop whose clock is wrong stamps its records wrongly too, and
// still neither moves the watermark nor gets into the figures.
func TestWrongClock(t *testing.T) {
	k := cluster(t)
	now := orders.TimeOf(time.Now())
	p, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ahead := now.Add(50 * time.Minute)
	if err := p.Produce(t.Context(), kafka.Record{Topic: feed.TopicOrders, At: ahead, Key: []byte("shop"), Value: order("ahead", ahead)}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	produce(t, k, order("good", now))
	start(t, config(k, "a"))
	if w := awaitTotal(t, k, 1); w.WindowEnd > now.Add(2*time.Minute) {
		t.Errorf("window_end is %s at %s", w.WindowEnd, now)
	}
	await(t, k, feed.TopicOrdersDead, func(rec kafka.Record) bool { return header(rec, "reason") == "time" })
}
