package kafka_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"livemap/feed"
	"livemap/internal/testkit"
	"livemap/kafka"
)

// restartLosesNothing stops the broker while a producer writes, a Reader polls
// and a Tail follows, and starts it again.
func restartLosesNothing(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 3)
	const records = 3000
	r := reader(t, cfg, topic, nil)
	read, at := newLedger(t), &positions{}
	poll(t, r, read, at, func() bool { return at.allCaughtUp(3) })

	tailed := newLedger(t)
	follow, err := kafka.NewTail(kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(patience(t))
	var all sync.WaitGroup
	all.Go(func() {
		err := follow.Run(ctx, func(e kafka.Event) error {
			if e, ok := e.(kafka.Records); ok {
				tailed.add(e.Records)
			}
			if tailed.count() == records {
				return errDone
			}
			return nil
		})
		if err != errDone {
			t.Errorf("tail: %v with %d records", err, tailed.count())
		}
	})
	p := producer(t, cfg)
	half := make(chan struct{})
	all.Go(func() {
		for i, rec := range numbered(topic, 0, records) {
			if i == records/2 {
				close(half)
			}
			if err := p.Produce(ctx, rec); err != nil {
				t.Error(err)
				return
			}
			if i%50 == 0 {
				time.Sleep(time.Millisecond) // so that the stop falls into the writing
			}
		}
	})
	<-half
	c.Stop()
	c.Restart()
	poll(t, r, read, at, func() bool { return read.count() == records })
	all.Wait()
	stop()
	if err := p.Flush(patience(t)); err != nil {
		t.Error(err)
	}
	read.want(0, records)
	tailed.want(0, records)
}

func downAtStart(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	produce(t, cfg, numbered(topic, 0, 10)...)
	c.Stop()

	var said testkit.Log
	waiting := cfg
	waiting.Logger = slog.New(slog.NewTextHandler(&said, nil))
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := kafka.WaitReady(soon, waiting); err == nil {
		t.Error("a broker that is down answers")
	}
	if want := "kafka " + cfg.Brokers[0] + " does not answer; retrying every 1s"; !strings.Contains(said.String(), want) || !strings.Contains(said.String(), "connection refused") {
		t.Errorf("the log says %q, want %q and why", said.String(), want)
	}

	var all sync.WaitGroup
	all.Go(func() {
		if err := kafka.WaitReady(patience(t), cfg); err != nil {
			t.Error(err)
		}
	})
	l := newLedger(t)
	all.Go(func() {
		follow, err := kafka.NewTail(kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}})
		if err != nil {
			t.Error(err)
			return
		}
		err = follow.Run(patience(t), func(e kafka.Event) error {
			if e, ok := e.(kafka.Records); ok {
				l.add(e.Records)
			}
			if l.count() == 10 {
				return errDone
			}
			return nil
		})
		if err != errDone {
			t.Error(err)
		}
	})
	all.Go(func() {
		p, err := kafka.OpenTxnProducer(patience(t), cfg, topic)
		if err != nil {
			t.Error(err)
			return
		}
		p.Close()
	})
	c.Restart()
	all.Wait()
	l.want(0, 10)
}
