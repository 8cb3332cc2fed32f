package kafka_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

// wrongClocks are times that a producer's wrong clock may show. In this order
// the later records of a batch lie before and after the first.
var wrongClocks = []orders.Time{
	orders.TimeOf(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
	orders.TimeOf(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)),
	orders.TimeOf(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)),
}

// span is when something happened.
type span struct{ from, to orders.Time }

// writeWrong writes 30 records with wrong clocks, in a transaction too.
func writeWrong(t *testing.T, c kafka.Config, topic string) span {
	t.Helper()
	records := numbered(topic, 0, 30)
	for i := range records {
		records[i].At = wrongClocks[i%len(wrongClocks)]
	}
	s := span{from: orders.TimeOf(time.Now())}
	produce(t, c, records[:15]...)
	commit(t, openTxn(t, c, topic), records[15:]...)
	s.to = orders.TimeOf(time.Now())
	return s
}

// timesOf reads a topic of one partition.
func timesOf(t *testing.T, c kafka.Config, topic string) []orders.Time {
	t.Helper()
	var out []orders.Time
	ctx := patience(t)
	r := reader(t, c, topic, nil)
	for {
		batches, err := r.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			for _, rec := range unpacked(b) {
				out = append(out, rec.At)
			}
			if b.CaughtUp {
				return out
			}
		}
	}
}

func appendTimeIsTheBrokers(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := nameOf(t)
	spec := kafka.TopicSpec{Name: topic, Kind: feed.Log, AppendTime: true}
	if err := kafka.EnsureTopics(patience(t), cfg, spec); err != nil {
		t.Fatal(err)
	}
	first := writeWrong(t, cfg, topic)
	check := func(times []orders.Time, spans ...span) {
		t.Helper()
		if len(times) != 30*len(spans) {
			t.Fatalf("%d records, want %d", len(times), 30*len(spans))
		}
		for i, at := range times {
			if s := spans[i/30]; at < s.from || at > s.to {
				t.Errorf("record %d is of %d, written between %d and %d", i, at, s.from, s.to)
			}
		}
	}
	check(timesOf(t, cfg, topic), first)
	c.Stop()
	c.Restart()
	check(timesOf(t, cfg, topic), first)
	second := writeWrong(t, cfg, topic)
	check(timesOf(t, cfg, topic), first, second)
}

func foreignTimestampsAreWarnedAbout(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1) // as it was before
	var said bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	spec := kafka.TopicSpec{Name: topic, Kind: feed.Log, AppendTime: true}
	if err := kafka.EnsureTopics(patience(t), cfg, spec); err != nil {
		t.Fatal(err)
	}
	lines := said.String()
	if strings.Count(lines, "\n") != 1 {
		t.Errorf("want one warning, got %q", lines)
	}
	for _, want := range []string{
		"topic=" + `"` + topic, "has=message.timestamp.type=CreateTime", "should_have=message.timestamp.type=LogAppendTime",
		"kafka-configs --bootstrap-server " + cfg.Brokers[0] + " --alter --entity-type topics --entity-name " + topic +
			" --add-config message.timestamp.type=LogAppendTime",
	} {
		if !strings.Contains(strings.ReplaceAll(lines, `"`, ""), strings.ReplaceAll(want, `"`, "")) {
			t.Errorf("the warning %q does not say %q", lines, want)
		}
	}
	// Its records keep the time of their producer.
	at := orders.TimeOf(time.Now().Add(-time.Minute))
	produce(t, cfg, kafka.Record{Topic: topic, Value: []byte("1"), At: at})
	if got := timesOf(t, cfg, topic); len(got) != 1 || got[0] != at {
		t.Errorf("times %v, want %v", got, at)
	}
}
