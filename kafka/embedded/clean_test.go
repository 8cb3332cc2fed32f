package embedded_test

import (
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/orders"
)

const soon = 50 * time.Millisecond

// TestCompactionKeepsTheLatest: while transactions go on at full speed, the
// disk stays bounded and every key keeps its latest value, also those that were
// written once, long ago.
func TestCompactionKeepsTheLatest(t *testing.T) {
	dir := t.TempDir()
	b := open(t, embedded.Config{DataDir: dir, CleanEvery: soon})
	c := config(t, b.Addr())
	create(t, c, "state", stateTopic)
	p, err := kafka.OpenTxnProducer(t.Context(), c, "writer")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want := map[string]string{}
	const old = orders.Time(1_700_000_000_000)
	commit := func(abort bool, records ...kafka.Record) {
		t.Helper()
		if err := p.Begin(); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			r.Topic = "state"
			p.Produce(r)
			if abort {
				continue
			}
			want[string(r.Key)] = string(r.Value)
			if r.Value == nil {
				delete(want, string(r.Key))
			}
		}
		if abort {
			err = p.Abort(t.Context())
		} else {
			err = p.Commit(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commit(false, kafka.Record{Key: []byte("once"), Value: []byte("long ago"), At: old, Headers: []kafka.Header{{Key: "h", Value: []byte("v")}}})
	commit(false, kafka.Record{Key: []byte("deleted"), Value: []byte("x")})
	commit(false, kafka.Record{Key: []byte("deleted")})
	commit(false, kafka.Record{Key: []byte("forgotten"), Value: []byte("x")})
	commit(false, kafka.Record{Key: []byte("forgotten"), At: old}) // a tombstone past its time
	moves, before, n := 0, int64(0), 0
	eventually(t, "five compactions while transactions go on", func() bool {
		for range 20 {
			commit(n%10 == 3, kafka.Record{Key: fmt.Append(nil, "key", n%20), Value: append(strconv.AppendInt(nil, int64(n), 10), noise(10_000)...)})
			n++
		}
		if now := start(t, c, "state"); now > before {
			before = now
			moves++
		}
		return moves >= 5
	})
	t.Logf("%d transactions, the log begins at %d of %d", n, start(t, c, "state"), end(t, c, "state"))
	const bound = 2*20*10_100 + 3*65_536 // twice what is live and two segments, one being written
	eventually(t, "the disk holds little more than what is live", func() bool { return disk(t, dir, "state") <= bound })
	got, tombstones := map[string]string{}, map[string]bool{}
	_, err = kafka.ReadState(t.Context(), c, "state", func(r kafka.Record) error {
		got[string(r.Key)] = string(r.Value)
		if r.Value == nil {
			delete(got, string(r.Key))
			tombstones[string(r.Key)] = true
		}
		if string(r.Key) == "once" && (r.At != old || len(r.Headers) != 1 || r.Offset == 0) {
			t.Errorf("the copy of an old value is %+v", r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d keys are there, %d were written", len(got), len(want))
	}
	if len(tombstones) != 1 || !tombstones["deleted"] {
		t.Errorf("tombstones of %v are there, want the young one only", tombstones)
	}
}

// TestRetentionDeletes: by size, by age, and never the memory of where the
// offsets stood.
func TestRetentionDeletes(t *testing.T) {
	dir := t.TempDir()
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: dir, CleanEvery: soon})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, b.Addr())
	create(t, c, "bySize", logTopic)
	create(t, c, "byAge", map[string]string{"cleanup.policy": "delete", "retention.ms": "3600000"})
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	const records = 2000
	hourAgo := orders.TimeOf(time.Now().Add(-2 * time.Hour))
	for i := range records {
		for _, r := range []kafka.Record{{Topic: "bySize", Value: noise(1000)}, {Topic: "byAge", Value: []byte("old"), At: hourAgo}} {
			if err := p.Produce(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 == 0 {
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Close()
	const bound = 400_000 + 2*65_536 // retention.bytes, a segment, and one being written
	eventually(t, "the head of bySize is deleted", func() bool { return disk(t, dir, "bySize") <= bound })
	if got := start(t, c, "bySize"); got == 0 || records-got < 300 {
		t.Errorf("bySize begins at %d of %d, which is not the last 400 kB", got, records)
	}
	eventually(t, "all but the last of byAge is deleted", func() bool { return start(t, c, "byAge") == records-1 })

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, embedded.Config{DataDir: dir})
	if got := end(t, config(t, b.Addr()), "byAge"); got != records {
		t.Errorf("after reopening byAge ends at %d, want %d", got, records)
	}
}
