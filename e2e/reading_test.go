package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

// outputs are the topics that the oracle judges.
var outputs = []kafka.TailTopic{
	{Name: feed.TopicWindows, Kind: feed.Log},
	{Name: feed.TopicHistory, Kind: feed.State},
	{Name: feed.TopicTrending, Kind: feed.State},
	{Name: feed.TopicShipments, Kind: feed.Log},
}

// reading follows the output topics as any reader would, read_committed, while
// they are written: trending is compacted, so what is not read in time is gone.
// It writes TOPIC.ndjson for the oracle, each value as it is.
type reading struct {
	dir    string
	prefix string // of the topics, as the Flink job can put one before their names
	stop   func() // ends the reading and closes the files

	mu      sync.Mutex
	moved   chan struct{}          // closed and replaced when something below changes; guarded by mu
	next    map[string]int64       // position by topic, which have one partition each; guarded by mu
	records map[string]int         // by topic; guarded by mu
	last    map[string]orders.Time // highest window_end of the world by topic; guarded by mu
	err     error                  // why it ended, unless asked to; guarded by mu
}

// follow begins to read the output topics whose names begin with prefix.
func follow(t *testing.T, c kafka.Config, prefix string) *reading {
	t.Helper()
	r := &reading{dir: t.TempDir(), prefix: prefix, moved: make(chan struct{}), next: map[string]int64{}, records: map[string]int{}, last: map[string]orders.Time{}}
	files := map[string]*bufio.Writer{}
	var closers []func() error
	topics := slices.Clone(outputs)
	for i, topic := range outputs {
		topics[i].Name = prefix + topic.Name
		f, err := os.Create(filepath.Join(r.dir, topic.Name+".ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		files[topic.Name] = bufio.NewWriterSize(f, 1<<20)
		closers = append(closers, files[topic.Name].Flush, f.Close)
	}
	tail, err := kafka.NewTail(kafka.TailConfig{Config: c, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := tail.Run(ctx, func(e kafka.Event) error { return r.take(files, e) }); !errors.Is(err, context.Canceled) {
			r.update(func() { r.err = err })
		}
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		for _, c := range closers {
			if err := c(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *reading) take(files map[string]*bufio.Writer, e kafka.Event) error {
	switch e := e.(type) {
	case kafka.Lost:
		return fmt.Errorf("%s lost offsets %d to %d", e.Topic, e.From, e.To)
	case kafka.Skipped:
		return fmt.Errorf("%s skipped offsets %d to %d", e.Topic, e.From, e.To)
	case kafka.Records:
		last, topic := orders.Time(0), strings.TrimPrefix(e.Topic, r.prefix)
		for _, rec := range e.Records {
			fmt.Fprintf(files[topic], "{\"key\":%q,\"value\":%s}\n", rec.Key, rec.Value)
			if end, ok := worldEnd(rec.Value); ok {
				last = max(last, end)
			}
		}
		r.update(func() {
			r.next[topic] = e.Next
			r.records[topic] += len(e.Records)
			r.last[topic] = max(r.last[topic], last)
		})
	}
	return nil
}

// worldEnd returns the window_end of a record of the world.
func worldEnd(value []byte) (orders.Time, bool) {
	if !bytes.Contains(value[:min(len(value), 40)], []byte(`"world"`)) {
		return 0, false
	}
	var w struct {
		WindowEnd orders.Time `json:"window_end"`
	}
	return w.WindowEnd, json.Unmarshal(value, &w) == nil
}

func (r *reading) update(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.moved)
	r.moved = make(chan struct{})
}

// await blocks until the condition, which is asked under the lock, holds.
func (r *reading) await(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	for {
		r.mu.Lock()
		done, err, moved := holds(), r.err, r.moved
		state := fmt.Sprintf("records %v, last windows of the world %v", r.records, r.last)
		r.mu.Unlock()
		if done {
			return
		}
		if err != nil {
			t.Fatalf("reading ended: %v", err)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			t.Fatalf("%s did not happen: %v; read so far: %s", what, ctx.Err(), state)
		}
	}
}

// awaitWindow blocks until a window of the world that ends at or after end was
// read.
func (r *reading) awaitWindow(ctx context.Context, t *testing.T, end orders.Time) {
	t.Helper()
	r.await(ctx, t, fmt.Sprintf("window %s", end), func() bool { return r.last[feed.TopicWindows] >= end })
}

// finish waits until everything committed so far has been read, and ends the
// reading. Of the log topics a second reading must hold as many records.
func (r *reading) finish(ctx context.Context, t *testing.T, c kafka.Config) {
	t.Helper()
	for _, topic := range outputs {
		n := 0
		next, err := kafka.ReadState(ctx, c, r.prefix+topic.Name, func(kafka.Record) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		r.await(ctx, t, "reading "+topic.Name+" to its end", func() bool { return r.next[topic.Name] >= next[0] })
		if topic.Kind == feed.Log && n != r.records[topic.Name] {
			t.Errorf("%s has %d records, the reading saw %d", topic.Name, n, r.records[topic.Name])
		}
	}
	r.stop()
	t.Logf("read %v", maps.Clone(r.records))
}
