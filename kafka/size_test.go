package kafka_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"livemap/feed"
	"livemap/kafka"
)

// largeRecord has a value of 1 MiB that does not compress and a header of 64 KiB.
func largeRecord(topic string) kafka.Record {
	value, header := make([]byte, 1<<20), make([]byte, 64<<10)
	_, _ = rand.Read(value) // does not fail
	_, _ = rand.Read(header)
	return kafka.Record{Topic: topic, Key: []byte("key1"), Value: value, Headers: []kafka.Header{{Key: "large", Value: header}}}
}

// answersAreSharedOut: of one answer a reader gets no more of a partition than its
// share, and the batch that goes beyond it.
func answersAreSharedOut(t *testing.T, c cluster) {
	cfg := config(t, c)
	const partitions, records, bytesEach, share = 4, 64, 48 << 10, 128 << 10
	topic := topicOf(t, cfg, feed.Log, partitions)
	for n := range records {
		value := make([]byte, bytesEach)
		_, _ = rand.Read(value) // does not fail
		// a batch by itself
		produce(t, cfg, kafka.Record{Topic: topic, Key: fmt.Append(nil, "key", n), Value: value})
	}
	r, err := kafka.NewReader(kafka.ReaderConfig{Config: cfg, Topic: topic, FetchBytes: partitions * share})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	got, most := 0, 0
	for ctx := patience(t); got < records; {
		batches, err := r.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			got, most = got+b.Records.Len(), max(most, b.Records.Len())
			b.Records.Release()
		}
	}
	if limit := share/bytesEach + 1; got != records || most > limit {
		t.Errorf("%d records, up to %d of a partition at a time; want %d and at most %d", got, most, records, limit)
	}
}

func largeRecordsArrive(t *testing.T, c cluster) {
	cfg := config(t, c)
	for _, spec := range []kafka.TopicSpec{
		{Name: "large.default", Kind: feed.Log},
		{Name: "large.stamped", Kind: feed.Log, AppendTime: true, MaxMessageBytes: kafka.MaxBatchBytes},
	} {
		if err := kafka.EnsureTopics(patience(t), cfg, spec); err != nil {
			t.Fatal(err)
		}
		plain, inTxn := largeRecord(spec.Name), largeRecord(spec.Name)
		produce(t, cfg, plain)
		commit(t, openTxn(t, cfg, spec.Name), inTxn)
		var got []kafka.Record
		r := reader(t, cfg, spec.Name, nil)
		for ctx := patience(t); len(got) < 2; {
			batches, err := r.Poll(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range batches {
				got = append(got, unpacked(b)...)
			}
		}
		for i, want := range []kafka.Record{plain, inTxn} {
			if !bytes.Equal(got[i].Value, want.Value) || len(got[i].Headers) != 1 || !bytes.Equal(got[i].Headers[0].Value, want.Headers[0].Value) {
				t.Errorf("%s: record %d has come with %d bytes and %d headers", spec.Name, i, len(got[i].Value), len(got[i].Headers))
			}
		}
	}
}

// tooLargeIsNamed: by the client library, beyond what producers send, and by
// the broker, beyond what the topic takes.
func tooLargeIsNamed(t *testing.T, c cluster) {
	cfg := config(t, c)
	small := kafka.TopicSpec{Name: "large.refused", Kind: feed.Log, MaxMessageBytes: 1 << 20}
	if err := kafka.EnsureTopics(patience(t), cfg, small); err != nil {
		t.Fatal(err)
	}
	beyond := largeRecord(small.Name)
	beyond.Value = append(beyond.Value, beyond.Value...)
	for name, rec := range map[string]kafka.Record{"producer": beyond, "topic": largeRecord(small.Name)} {
		p := producer(t, cfg)
		if err := p.Produce(patience(t), rec); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(patience(t)); !errors.Is(err, kafka.ErrTooLarge) {
			t.Errorf("too large for the %s: flush %v, want ErrTooLarge", name, err)
		}
		if err := p.Produce(patience(t), rec); !errors.Is(err, kafka.ErrTooLarge) {
			t.Errorf("too large for the %s: the next record %v, want ErrTooLarge", name, err)
		}
		txn := openTxn(t, cfg, "large."+name)
		begin(t, txn, rec)
		if err := txn.Commit(patience(t)); !errors.Is(err, kafka.ErrTooLarge) {
			t.Errorf("too large for the %s: commit %v, want ErrTooLarge", name, err)
		}
		if err := txn.Abort(patience(t)); err != nil {
			t.Error(err)
		}
		commit(t, txn, numbered(small.Name, 0, 5)...)
	}
}
