package runner

import (
	"log/slog"
	"testing"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/embedded"
)

// TestLoadedIsCurrent: what was loaded before this process became the writer is
// taken over if nobody else wrote meanwhile, and loaded anew otherwise.
func TestLoadedIsCurrent(t *testing.T) {
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	k := kafka.Config{Brokers: []string{b.Addr()}}
	if err := kafka.EnsureTopics(t.Context(), k, Topics(1)...); err != nil {
		t.Fatal(err)
	}
	write := func(rec kafka.Record) {
		t.Helper()
		p, err := kafka.OpenTxnProducer(t.Context(), k, transactionalID)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.Begin(); err != nil {
			t.Fatal(err)
		}
		p.Produce(rec)
		if err := p.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	process := func(writer string) *runner {
		return &runner{cfg: Config{Kafka: k}, writer: writer, log: slog.New(slog.DiscardHandler)}
	}
	other := process("other")
	write(other.beat(3))
	for _, c := range []struct {
		name    string
		between func(r *runner)
		same    bool
	}{
		{"nothing came", func(*runner) {}, true},
		{"our own word", func(r *runner) { write(r.beat(2)) }, true},
		{"another's word", func(*runner) { write(other.beat(3)) }, false},
		{"a deleted key", func(*runner) { write(kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte("pane/1")}) }, false},
	} {
		r := process("this")
		before, err := r.restore(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if before.last == nil {
			t.Fatalf("%s: nobody is known to have written", c.name)
		}
		r.ready = before
		c.between(r)
		after, err := r.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if (after == before) != c.same {
			t.Errorf("%s: taken over: %t, want %t", c.name, after == before, c.same)
		}
		if r.ready != nil {
			t.Errorf("%s: it would be taken over twice", c.name)
		}
	}
}
