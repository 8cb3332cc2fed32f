package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"livemap/kafka/embedded"
)

// TestAbortedRecordsInALongAnswer: records of an aborted transaction stay unseen
// also where an answer ends because it is full.
func TestAbortedRecordsInALongAnswer(t *testing.T) {
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const topic, transactions, perTransaction = "cut", 40, 5
	create(t, config(t, b.Addr()), topic, logTopic)
	writer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.TransactionalID("writer"), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var want []string
	for n := range transactions {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		end := kgo.TransactionEndTry(n%2 == 0)
		for i := range perTransaction {
			key := fmt.Sprintf("%d/%d", n, i)
			if end == kgo.TryCommit {
				want = append(want, key)
			}
			r := &kgo.Record{Key: []byte(key), Value: bytes.Repeat([]byte("x"), 2000)}
			if err := writer.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := writer.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int32{3000, 9000, 31000, 1 << 20} {
		got := readCommitted(t, ctx, b.Addr(), topic, limit, len(want))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("with answers of %d bytes at most: %d records, want %d:\n%v", limit, len(got), len(want), got)
		}
	}
}

// readCommitted reads n records with answers of at most limit bytes and returns
// their keys.
func readCommitted(t *testing.T, ctx context.Context, addr, topic string, limit int32, n int) []string {
	t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(limit),
		kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var got []string
	for len(got) < n {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Key)) })
	}
	return got
}
