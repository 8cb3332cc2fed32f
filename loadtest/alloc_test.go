package loadtest

import (
	"fmt"
	"testing"

	"livemap/sse"
)

// testReceiver returns a receiver and a client that has been answered with a
// stream.
func testReceiver(t testing.TB, c Config, envelope bool) (*receiver, *client) {
	t.Helper()
	c = c.withDefaults()
	r := newReceiver(&c, &target{envelope: envelope}, newLedger(c.StateTopics))
	r.now = 1_800_000_000_000_000
	cl := &client{state: awaiting, due: r.now, asked: r.now}
	if err := r.receive(cl, []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	return r, cl
}

// frame returns a record as the hub sends it.
func frame(topic string, partition, offset int64, key string, atMicros int64, id string) []byte {
	b := sse.AppendName(nil, topic)
	b = sse.AppendData(b, fmt.Appendf(nil, `{"topic":%q,"partition":%d,"offset":%d,"at":%d,"key":%q,"value":{"v":1,"text":"Zürich → 東京 🌍"}}`,
		topic, partition, offset, atMicros, key))
	return sse.AppendEnd(sse.AppendID(b, id))
}

// Ceiling of the steady state: for events that many clients receive, once their
// topics, partitions and keys are known, nothing is allocated beyond what the
// event stream's parser itself allocates.
func TestAllocationsPerEvent(t *testing.T) {
	for _, topic := range []string{"shipments", "metrics"} {
		r, c := testReceiver(t, Config{Connections: 1, StateTopics: []string{"metrics"}}, true)
		ours := allocationsOf(t, topic, func(b []byte) error { return r.receive(c, b) })
		var p sse.Parser
		parsers := allocationsOf(t, topic, func(b []byte) error { return p.Parse(b, func(*sse.Event) {}) })
		if ours > parsers {
			t.Errorf("%s: %.2f allocations for each event, the parser's own are %.2f", topic, ours, parsers)
		}
	}
}

// allocationsOf returns how many allocations receive needs for each event.
func allocationsOf(t *testing.T, topic string, receive func([]byte) error) float64 {
	const batch, runs = 100, 20
	var batches [][]byte
	offset := int64(0)
	for range runs + 2 {
		var b []byte
		for range batch {
			offset++
			b = append(b, frame(topic, 0, offset, "world", 1_800_000_000_000_000, fmt.Sprint(1e9+offset))...)
		}
		batches = append(batches, b)
	}
	next := func() {
		if err := receive(batches[0]); err != nil {
			t.Fatal(err)
		}
		batches = batches[1:]
	}
	next()
	return testing.AllocsPerRun(runs, next) / batch
}

func BenchmarkReceive(b *testing.B) {
	r, c := testReceiver(b, Config{Connections: 1}, true)
	data := frame("shipments", 0, 1, "world", r.now, "AQAAAAAAdpLxcwAAAAABAA")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.receive(c, data); err != nil {
			b.Fatal(err)
		}
	}
}
