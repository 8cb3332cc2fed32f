package embedded

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
)

// crashed returns a copy of a data directory as a crash would leave it: with
// one transaction that is committed and one, over both topics, that is open.
func crashed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	b, err := Open(Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := kafka.Config{Brokers: []string{b.Addr()}}
	if err := kafka.EnsureTopics(t.Context(), c,
		kafka.TopicSpec{Name: "left", Kind: feed.State}, kafka.TopicSpec{Name: "right", Kind: feed.State}); err != nil {
		t.Fatal(err)
	}
	p, err := kafka.OpenTxnProducer(t.Context(), c, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	writePair(t, p, "first")
	if err := p.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	writePair(t, p, "second")
	for _, topic := range []string{"left", "right"} {
		for b.cluster.PartitionInfo(topic, 0).HighWatermark < 3 { // first, its marker, second
			time.Sleep(time.Millisecond)
		}
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return copied
}

func writePair(t *testing.T, p *kafka.TxnProducer, value string) {
	t.Helper()
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"left", "right"} {
		p.Produce(kafka.Record{Topic: topic, Key: []byte("k"), Value: []byte(value)})
	}
}

// values opens a directory, commits a third transaction as the same producer,
// and returns what is then in a topic.
func values(t *testing.T, dir string) map[string][]string {
	t.Helper()
	b, err := Open(Config{Listen: "127.0.0.1:0", DataDir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := kafka.Config{Brokers: []string{b.Addr()}}
	p, err := kafka.OpenTxnProducer(t.Context(), c, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	writePair(t, p, "third")
	if err := p.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, topic := range []string{"left", "right"} {
		if _, err := kafka.ReadState(t.Context(), c, topic, func(r kafka.Record) error {
			out[topic] = append(out[topic], string(r.Value))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func expect(t *testing.T, got map[string][]string, want ...string) {
	t.Helper()
	for _, topic := range []string{"left", "right"} {
		if !slices.Equal(got[topic], want) {
			t.Errorf("%s holds %q, want %q", topic, got[topic], want)
		}
	}
}

// TestCrashAbortsWhatWasOpen: and what the same producer commits afterwards is
// seen, though it is read in one answer with the aborted records.
func TestCrashAbortsWhatWasOpen(t *testing.T) {
	expect(t, values(t, crashed(t)), "first", "third")
}

// TestCrashAmidCommit: one topic has its marker, the other has not.
func TestCrashAmidCommit(t *testing.T) {
	dir := crashed(t)
	left := filepath.Join(dir, "partitions", "left-0")
	open := lastBatch(t, left)
	if !open.open() {
		t.Fatalf("left ends with %+v, want an open transaction", open)
	}
	appendTo(t, filepath.Join(left, "0"+segmentSuffix), markerBatch(open.next, open.epoch, open.producer, open.producerEp, true, 1))
	note(t, dir, transaction{open.producer, open.producerEp})
	expect(t, values(t, dir), "first", "second", "third")
}

// TestTornEndIsCutOff: half a batch at the end, and an index that lags behind.
func TestTornEndIsCutOff(t *testing.T) {
	dir := crashed(t)
	left := filepath.Join(dir, "partitions", "left-0")
	appendTo(t, filepath.Join(left, "0"+segmentSuffix), make([]byte, 30))
	index := filepath.Join(left, "0"+indexSuffix)
	info, err := os.Stat(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(index, info.Size()-int64(len(indexEntry(batchHead{})))); err != nil {
		t.Fatal(err)
	}
	expect(t, values(t, dir), "first", "third")
}

// TestProducerOutlivesTheCrash: it may not commit the second half of a
// transaction whose first half the crash aborted.
func TestProducerOutlivesTheCrash(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := kafka.Config{Brokers: []string{b.Addr()}}
	if err := kafka.EnsureTopics(t.Context(), c, kafka.TopicSpec{Name: "left", Kind: feed.State}, kafka.TopicSpec{Name: "right", Kind: feed.State}); err != nil {
		t.Fatal(err)
	}
	p, err := kafka.OpenTxnProducer(t.Context(), c, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	writePair(t, p, "half")
	for b.cluster.PartitionInfo("right", 0).HighWatermark == 0 || b.cluster.PartitionInfo("left", 0).HighWatermark == 0 {
		time.Sleep(time.Millisecond)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = Open(Config{Listen: addr, DataDir: copied})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p.Produce(kafka.Record{Topic: "left", Key: []byte("k"), Value: []byte("other half")})
	if err := p.Commit(t.Context()); !errors.Is(err, kafka.ErrFenced) {
		t.Errorf("commit after the crash: %v, want ErrFenced", err)
	}
}

func lastBatch(t *testing.T, dir string) batchHead {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "0"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var last batchHead
	if _, err := scanSegment(f, true, func(h batchHead) { last = h }); err != nil {
		t.Fatal(err)
	}
	return last
}

func appendTo(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// note writes the journal as the broker does before a commit.
func note(t *testing.T, dir string, of transaction) {
	t.Helper()
	j, err := openJournal(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.write(of); err != nil {
		t.Fatal(err)
	}
	if got, err := readJournal(dir); err != nil || got != of {
		t.Fatalf("journal reads %+v, %v; wrote %+v", got, err, of)
	}
}
