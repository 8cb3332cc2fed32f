package kafka_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"livemap/feed"
	"livemap/kafka"
)

// stateSurvivesCompaction: the latest of each key, deleted keys gone, and the
// state read completely although the log has gaps.
func stateSurvivesCompaction(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 1)
	quick := func(key, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value}
	}
	if _, err := admin(t, cfg).AlterTopicConfigs(patience(t), []kadm.AlterConfig{
		quick("segment.bytes", "1048576"), quick("segment.ms", "100"), quick("min.cleanable.dirty.ratio", "0.01"),
		quick("delete.retention.ms", "100"),
	}, topic); err != nil {
		t.Fatal(err)
	}
	p := openTxn(t, cfg, topic)
	want := map[string]string{}
	commit(t, p, kafka.Record{Topic: topic, Key: []byte("deleted"), Value: []byte("x")}, kafka.Record{Topic: topic, Key: []byte("once"), Value: []byte("kept")})
	commit(t, p, kafka.Record{Topic: topic, Key: []byte("deleted")})
	want["once"] = "kept"
	written := 3
	state := func() (map[string]string, int) {
		got, read := map[string]string{}, 0
		end, err := admin(t, cfg).ListEndOffsets(patience(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		next, err := kafka.ReadState(patience(t), cfg, topic, func(r kafka.Record) error {
			read++
			got[string(r.Key)] = string(r.Value)
			if r.Value == nil {
				delete(got, string(r.Key))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if next[0] < end[topic][0].Offset {
			t.Errorf("state was read to %d of %d", next[0], end[topic][0].Offset)
		}
		return got, read
	}
	ctx := patience(t)
	for {
		for range 10 {
			key := fmt.Sprint("key", written%5)
			want[key] = fmt.Sprint(written, string(noise(40_000)))
			commit(t, p, kafka.Record{Topic: topic, Key: []byte(key), Value: []byte(want[key])})
			written++
		}
		got, read := state()
		if !maps.Equal(got, want) {
			t.Fatalf("%d keys are there, want %d", len(got), len(want))
		}
		if read < written/2 {
			t.Logf("of %d records written %d are left", written, read)
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing was compacted: of %d records %d are left", written, read)
		}
	}
}

// noise does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func stateIsWatched(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 2)
	p := openTxn(t, cfg, topic)
	commit(t, p, numbered(topic, 0, 50)...)
	next, err := kafka.ReadState(patience(t), cfg, topic, func(kafka.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	commit(t, p, numbered(topic, 50, 60)...)
	l := newLedger(t)
	err = kafka.Watch(patience(t), cfg, topic, next, func(r kafka.Record) error {
		l.add([]kafka.Record{r})
		if l.count() == 10 {
			return errDone
		}
		return nil
	})
	if err != errDone {
		t.Fatal(err)
	}
	l.want(50, 60)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := kafka.Watch(ctx, cfg, topic, next, func(kafka.Record) error { return nil }); err != context.Canceled {
		t.Errorf("watch after the end of its context: %v", err)
	}
}
