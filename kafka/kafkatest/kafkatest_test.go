package kafkatest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

func TestBrokerStartsStopsAndStartsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	b := kafkatest.StartBroker(t)
	b.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := kafka.WaitReady(ctx, b.Config()); err == nil {
		t.Fatal("a stopped broker answers")
	}
	b.Restart()
	if err := kafka.WaitReady(t.Context(), b.Config()); err != nil {
		t.Fatal(err)
	}
}

// TestClusterOutlivesItsLeader kills the leader of a partition: another takes
// over, no record that was acknowledged is gone, none of an aborted transaction
// is read.
func TestClusterOutlivesItsLeader(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three JVMs")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := kafkatest.StartCluster(t, 3)
	const topic = "numbers"
	if err := kafka.EnsureTopics(ctx, c.Config(), kafka.TopicSpec{Name: topic, Kind: feed.Log}); err != nil {
		t.Fatal(err)
	}
	adm, err := kafkatest.NewAdmin(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Close()
	p, err := kafka.OpenTxnProducer(ctx, c.Config(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	transaction := func(value string, end func(context.Context) error) {
		t.Helper()
		if err := p.Begin(); err != nil {
			t.Fatal(err)
		}
		p.Produce(kafka.Record{Topic: topic, Value: []byte(value)})
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
	}
	transaction("1", p.Commit)
	transaction("never", p.Abort)
	first, err := adm.Leader(ctx, topic, 0)
	if err != nil || first == 0 {
		t.Fatalf("leader %d, %v", first, err)
	}
	c.Nodes()[first-1].Kill()
	transaction("2", p.Commit)
	next, err := adm.Leader(ctx, topic, 0)
	if err != nil || next == 0 || next == first {
		t.Errorf("after the death of %d the leader is %d, %v", first, next, err)
	}
	if err := c.Nodes()[first-1].Start(); err != nil {
		t.Fatal(err)
	}
	for whole := false; !whole; time.Sleep(50 * time.Millisecond) {
		if whole, err = adm.Whole(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var read []string
	if err := kafkatest.ReadCommitted(ctx, c.Config(), topic, func(r kafka.Record) { read = append(read, string(r.Value)) }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(read) != "[1 2]" {
		t.Errorf("read %v, want [1 2]", read)
	}
}
