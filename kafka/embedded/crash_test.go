package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/embedded"
)

// TestKillLosesNothingAcknowledged kills the log's process five times while
// one producer writes without and one with transactions. Everything that was
// acknowledged is there in the end, in order, and no transaction is there in
// part.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir, "127.0.0.1:0", 50*time.Millisecond)
	c := p.config()
	ensure(t, c, "log", feed.Log, 2)
	create(t, c, "left", stateTopic)
	create(t, c, "right", stateTopic)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acknowledged, committed atomic.Int64
	var writers sync.WaitGroup
	writers.Go(func() { writePlain(ctx, t, c, &acknowledged) })
	writers.Go(func() { writePairs(ctx, t, c, &committed) })
	for range 5 {
		records, transactions := acknowledged.Load(), committed.Load()
		eventually(t, "writing goes on between kills", func() bool {
			return acknowledged.Load() > records+1000 && committed.Load() > transactions+30
		})
		p.kill()
		p = startProcess(t, dir, p.addr, 50*time.Millisecond)
	}
	cancel()
	writers.Wait()
	t.Logf("acknowledged %d records and %d transactions", acknowledged.Load(), committed.Load())
	p.kill()

	b := open(t, embedded.Config{DataDir: dir})
	c = config(t, b.Addr())
	if got := start(t, c, "left"); got == 0 {
		t.Error("nothing was compacted meanwhile")
	}
	checkPlain(t, c, int(acknowledged.Load()))
	checkPairs(t, c, int(committed.Load()))
}

// writePlain writes numbers, flushing each hundred, and counts those that were
// acknowledged, until ctx ends.
func writePlain(ctx context.Context, t *testing.T, c kafka.Config, acknowledged *atomic.Int64) {
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	for n := 0; ; {
		for range 100 {
			if err := p.Produce(ctx, kafka.Record{Topic: "log", Key: fmt.Append(nil, n%7), Value: strconv.AppendInt(nil, int64(n), 10)}); err != nil {
				return
			}
			n++
		}
		if err := p.Flush(ctx); err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		acknowledged.Store(int64(n))
	}
}

// checkPlain reads the numbers back: per key all of them, in order. A batch
// whose acknowledgement was lost in a crash may be there twice.
func checkPlain(t *testing.T, c kafka.Config, acknowledged int) {
	t.Helper()
	last := map[string]int{}
	seen := map[int]bool{}
	repeated := 0
	_, err := kafka.ReadState(t.Context(), c, "log", func(r kafka.Record) error {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return err
		}
		if before, ok := last[string(r.Key)]; ok && n > before+7 {
			t.Errorf("key %s: %d follows %d", r.Key, n, before)
		}
		if seen[n] {
			repeated++
		}
		seen[n] = true
		last[string(r.Key)] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range acknowledged {
		if !seen[n] {
			t.Fatalf("record %d of %d acknowledged is missing", n, acknowledged)
		}
	}
	t.Logf("%d records were written twice", repeated)
}

// writePairs writes the same number to two topics in each transaction and
// keeps the last that was committed, until ctx ends.
func writePairs(ctx context.Context, t *testing.T, c kafka.Config, committed *atomic.Int64) {
	for ctx.Err() == nil {
		p, err := kafka.OpenTxnProducer(ctx, c, "pairs")
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		// What a commit without answer came to is read back, as the aggregator does.
		if n, err := lastPair(ctx, c); err == nil {
			committed.Store(max(committed.Load(), int64(n)))
		}
		commitPairs(ctx, t, p, committed)
		p.Close()
	}
}

func commitPairs(ctx context.Context, t *testing.T, p *kafka.TxnProducer, committed *atomic.Int64) {
	for ctx.Err() == nil {
		if err := p.Begin(); err != nil {
			return
		}
		// Values that do not compress make closed segments, so that compaction runs too.
		value := append(append(strconv.AppendInt(nil, committed.Load()+1, 10), ' '), noise(8<<10)...)
		for key := range 3 {
			p.Produce(kafka.Record{Topic: "left", Key: fmt.Append(nil, key), Value: value})
			p.Produce(kafka.Record{Topic: "right", Key: fmt.Append(nil, key), Value: value})
		}
		if err := p.Commit(ctx); err != nil {
			if !errors.Is(err, kafka.ErrFenced) && !errors.Is(err, kafka.ErrUnconfirmed) && ctx.Err() == nil {
				t.Logf("commit: %v", err)
			}
			return
		}
		committed.Add(1)
	}
}

// lastPair returns the highest number in left.
func lastPair(ctx context.Context, c kafka.Config) (int, error) {
	highest := 0
	_, err := kafka.ReadState(ctx, c, "left", func(r kafka.Record) error {
		highest = max(highest, number(r.Value))
		return nil
	})
	return highest, err
}

// number is the digits that a value begins with.
func number(value []byte) int {
	n := 0
	for _, d := range value {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// checkPairs: both topics hold the same number under every key, at least the
// last that was committed, at most the one that was under way.
func checkPairs(t *testing.T, c kafka.Config, committed int) {
	t.Helper()
	for _, topic := range []string{"left", "right"} {
		latest := map[string]int{}
		_, err := kafka.ReadState(t.Context(), c, topic, func(r kafka.Record) error {
			latest[string(r.Key)] = number(r.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %v", topic, latest)
		for key := range 3 {
			got := latest[strconv.Itoa(key)]
			if got < committed || got > committed+1 || got != latest["0"] {
				t.Errorf("%s: key %d has %d, committed were %d", topic, key, got, committed)
			}
		}
	}
	left, err := lastPair(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	if _, err := kafka.ReadState(t.Context(), c, "right", func(r kafka.Record) error {
		right = max(right, number(r.Value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if left != right {
		t.Errorf("left ends with %d, right with %d: a transaction was torn", left, right)
	}
}

func ensure(t *testing.T, c kafka.Config, name string, kind feed.Kind, partitions int32) {
	t.Helper()
	if err := kafka.EnsureTopics(t.Context(), c, kafka.TopicSpec{Name: name, Kind: kind, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
}
