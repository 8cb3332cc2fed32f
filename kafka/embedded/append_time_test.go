package embedded_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/orders"
)

// stampedBy returns a topic's settings with LogAppendTime and others.
func stampedBy(base map[string]string, more map[string]string) map[string]string {
	out := maps.Clone(base)
	maps.Copy(out, more)
	out["message.timestamp.type"] = "LogAppendTime"
	return out
}

func write(t *testing.T, c kafka.Config, records ...kafka.Record) {
	t.Helper()
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, r := range records {
		if err := p.Produce(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRetentionByAppendTime: the age of a record is counted by the log's clock,
// also after reopening.
func TestRetentionByAppendTime(t *testing.T) {
	dir := t.TempDir()
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, b.Addr())
	long := orders.TimeOf(time.Now().Add(-48 * time.Hour))
	ahead := orders.TimeOf(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	const records = 20
	for topic, retention := range map[string]string{"soonGone": "500", "kept": "3600000"} {
		create(t, c, topic, stampedBy(logTopic, map[string]string{"retention.ms": retention}))
		for n := range records {
			at := long
			if n%2 == 0 {
				at = ahead
			}
			write(t, c, kafka.Record{Topic: topic, Value: []byte("x"), At: at})
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, embedded.Config{DataDir: dir, CleanEvery: soon})
	c = config(t, b.Addr())
	eventually(t, "all but the last of soonGone is deleted", func() bool { return start(t, c, "soonGone") == records-1 })
	if got := start(t, c, "kept"); got != 0 {
		t.Errorf("kept begins at %d: records were judged by their producer's clock", got)
	}
}

// TestCompactionKeepsAppendTime: the copy of a value is not given a new time.
func TestCompactionKeepsAppendTime(t *testing.T) {
	b := open(t, embedded.Config{DataDir: t.TempDir(), CleanEvery: soon})
	c := config(t, b.Addr())
	create(t, c, "state", stampedBy(stateTopic, nil))
	write(t, c, kafka.Record{Topic: "state", Key: []byte("once"), Value: []byte("x"), At: 1})
	written := orders.TimeOf(time.Now())
	n := 0
	eventually(t, "the old value is copied", func() bool {
		for range 20 {
			write(t, c, kafka.Record{Topic: "state", Key: fmt.Append(nil, "key", n%20), Value: noise(10_000)})
			n++
		}
		return start(t, c, "state") > 1
	})
	found := false
	_, err := kafka.ReadState(t.Context(), c, "state", func(r kafka.Record) error {
		if string(r.Key) != "once" {
			return nil
		}
		found = true
		if r.Offset == 0 || r.At > written || r.At < written-60_000 {
			t.Errorf("the copy at %d is of %d, the value was written at %d", r.Offset, r.At, written)
		}
		return nil
	})
	if err != nil || !found {
		t.Fatalf("the old value is there: %v; %v", found, err)
	}
}
