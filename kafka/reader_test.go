package kafka_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

func recordsArrive(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 4)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(4) }) // empty partitions are told too
	produce(t, cfg, numbered(topic, 0, 5000)...)
	poll(t, r, l, at, func() bool { return l.count() == 5000 && at.allCaughtUp(4) })
	l.want(0, 5000)
	if r.Partitions() != 4 || r.TopicID() == [16]byte{} {
		t.Errorf("%d partitions, id %x", r.Partitions(), r.TopicID())
	}

	const then = orders.Time(1_700_000_000_123)
	whole := kafka.Record{Topic: topic, At: then, Key: []byte("key0"), Value: []byte("9999"), Headers: []kafka.Header{{Key: "a", Value: []byte("b")}, {Key: "empty"}}}
	produce(t, cfg, whole)
	for done := false; !done; {
		batches, err := r.Poll(patience(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			for _, got := range unpacked(b) {
				done = true
				if got.At != then || string(got.Key) != "key0" || string(got.Value) != "9999" || got.Topic != topic ||
					len(got.Headers) != 2 || got.Headers[0].Key != "a" || string(got.Headers[0].Value) != "b" {
					t.Errorf("got %+v, want %+v", got, whole)
				}
			}
		}
	}
}

func readerGoesOn(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 3)
	produce(t, cfg, numbered(topic, 0, 1000)...)
	l, at := newLedger(t), &positions{}
	first := reader(t, cfg, topic, nil)
	poll(t, first, l, at, func() bool { return at.allCaughtUp(3) })
	stood := maps.Clone(at.next)
	produce(t, cfg, numbered(topic, 1000, 2000)...)
	at = &positions{next: maps.Clone(stood), caughtUp: map[int32]bool{}}
	second := reader(t, cfg, topic, stood)
	poll(t, second, l, at, func() bool { return l.count() == 2000 })
	l.want(0, 2000)
}

func pausedPartitionsWait(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 2)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(2) })
	r.Pause(0)
	produce(t, cfg, numbered(topic, 0, 700)...)
	// All that is not in partition 0 arrives; how much that is, the high watermark says.
	offsets, err := admin(t, cfg).ListEndOffsets(patience(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	poll(t, r, l, at, func() bool { return at.next[1] == offsets[topic][1].Offset })
	if at.next[0] != 0 {
		t.Errorf("a paused partition moved to %d", at.next[0])
	}
	r.Resume(0)
	poll(t, r, l, at, func() bool { return l.count() == 700 })
	l.want(0, 700)
}

// pausedAnswersAreKept pauses partitions when the next request is under way
// already, and has its answer come before they are resumed.
func pausedAnswersAreKept(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 2)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	for n := 0; n < 900; n += 300 {
		poll(t, r, l, at, func() bool { return at.allCaughtUp(2) && l.count() == n })
		r.Pause(0, 1)
		produce(t, cfg, numbered(topic, n, n+300)...)
		ctx, cancel := context.WithTimeout(patience(t), 300*time.Millisecond)
		batches, err := r.Poll(ctx)
		cancel()
		if len(batches) > 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%d batches of paused partitions: %v", len(batches), err)
		}
		r.Resume(0, 1)
		poll(t, r, l, at, func() bool { return l.count() == n+300 })
	}
	l.want(0, 900)
}

func offsetsOutOfRange(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	produce(t, cfg, numbered(topic, 0, 100)...)
	cut := kadm.Offsets{}
	cut.AddOffset(topic, 0, 40, -1)
	if _, err := admin(t, cfg).DeleteRecords(patience(t), cut); err != nil {
		t.Fatal(err)
	}
	l, at := newLedger(t), &positions{}
	below := reader(t, cfg, topic, map[int32]int64{0: 10})
	poll(t, below, l, at, func() bool { return at.allCaughtUp(1) })
	l.want(40, 100)
	if at.lost != 30 {
		t.Errorf("%d offsets are told as lost, want 30", at.lost)
	}

	beyond := reader(t, cfg, topic, map[int32]int64{0: 500})
	l, at = newLedger(t), &positions{}
	poll(t, beyond, l, at, func() bool { return at.allCaughtUp(1) })
	if at.next[0] != 100 || at.lost != -400 {
		t.Errorf("beyond the end: position %d, lost %d; want 100, -400", at.next[0], at.lost)
	}
}

func refusedRecordIsAnError(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	p := producer(t, cfg)
	if err := p.Produce(patience(t), kafka.Record{Topic: topic, Value: make([]byte, 3<<20)}); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(patience(t)); err == nil {
		t.Error("a record of 3 MiB was accepted")
	}
	if err := p.Produce(patience(t), kafka.Record{Topic: topic, Value: []byte("1")}); err == nil {
		t.Error("the error was forgotten")
	}
}

func addedPartitionsAreRead(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	produce(t, cfg, numbered(topic, 0, 10)...)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(1) })

	records := 0
	counts := []int{}
	written := false
	tail(t, kafka.TailConfig{Config: cfg, RefreshEvery: 100 * time.Millisecond,
		Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log, Recent: 5}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.TopicSeen:
			counts = append(counts, e.Partitions)
		case kafka.CaughtUp:
			if !written {
				written = true
				records = 0 // what was there before does not count
				if _, err := admin(t, cfg).UpdatePartitions(patience(t), 3, topic); err != nil {
					t.Fatal(err)
				}
				produceUntilSpread(t, cfg, topic)
			}
		case kafka.Records:
			records += len(e.Records)
		}
		return records == 700
	})
	if len(counts) < 2 || counts[0] != 1 || counts[len(counts)-1] != 3 {
		t.Errorf("the tail told of %v partitions", counts)
	}
	poll(t, r, l, at, func() bool { return l.count() == 710 && len(at.next) == 3 })
	if r.Partitions() != 3 {
		t.Errorf("the reader knows %d partitions", r.Partitions())
	}
}

// produceUntilSpread waits until producers see the added partitions, then
// writes to all of them.
func produceUntilSpread(t *testing.T, cfg kafka.Config, topic string) {
	t.Helper()
	if err := kafka.EnsureTopics(patience(t), cfg, kafka.TopicSpec{Name: topic, Kind: feed.Log}); err != nil {
		t.Fatal(err)
	}
	produce(t, cfg, numbered(topic, 10, 710)...)
}

func recreatedTopicIsTold(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 2)
	produce(t, cfg, numbered(topic, 0, 20)...)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(2) })
	old := r.TopicID()

	var ids [][16]byte
	recreated := false
	var values []string
	tail(t, kafka.TailConfig{Config: cfg, RefreshEvery: 100 * time.Millisecond,
		Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.TopicSeen:
			ids = append(ids, e.ID)
		case kafka.Records:
			for _, rec := range e.Records {
				values = append(values, string(rec.Value))
			}
		}
		if len(values) == 20 && !recreated {
			recreated = true
			recreate(t, cfg, topic)
		}
		return len(values) == 25
	})
	if len(ids) < 2 || ids[0] != old || ids[len(ids)-1] == old {
		t.Errorf("the tail told of the ids %x, the first was %x", ids, old)
	}
	for {
		if _, err := r.Poll(patience(t)); err != nil {
			if !errors.Is(err, kafka.ErrRecreated) {
				t.Errorf("poll: %v, want ErrRecreated", err)
			}
			return
		}
	}
}

// recreate deletes a topic and makes it again with five records.
func recreate(t *testing.T, cfg kafka.Config, topic string) {
	t.Helper()
	adm := admin(t, cfg)
	if _, err := adm.DeleteTopic(patience(t), topic); err != nil {
		t.Fatal(err)
	}
	for {
		topics, err := adm.ListTopics(patience(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		if topics[topic].Err != nil {
			break
		}
	}
	if err := kafka.EnsureTopics(patience(t), cfg, kafka.TopicSpec{Name: topic, Kind: feed.Log, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	produce(t, cfg, numbered(topic, 100, 105)...)
}

func missingTopicIsWaitedFor(t *testing.T, c cluster) {
	cfg := config(t, c)
	name := nameOf(t)
	if _, err := kafka.ReadState(patience(t), cfg, name, func(kafka.Record) error { return nil }); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("read state: %v, want ErrNoTopic", err)
	}
	there := topicOf(t, cfg, feed.Log, 1) // the same name; made before the tail runs
	other := there + ".later"
	made := false
	tail(t, kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: there, Kind: feed.Log}, {Name: other, Kind: feed.Log}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.CaughtUp:
			if !made { // the one that is there did not wait for the other
				made = true
				if err := kafka.EnsureTopics(patience(t), cfg, kafka.TopicSpec{Name: other, Kind: feed.Log}); err != nil {
					t.Fatal(err)
				}
				produce(t, cfg, numbered(other, 0, 3)...)
			}
		case kafka.Records:
			return e.Topic == other
		}
		return false
	})
}
