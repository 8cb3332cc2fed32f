package loadtest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// play gives b to a new receiver in pieces and returns what it counted.
func play(b []byte, random *rand.Rand, envelope bool) (Counts, *client, *receiver, error) {
	config := (&Config{Connections: 1, StateTopics: []string{"metrics"}, MaxEventBytes: 1 << 10}).withDefaults()
	r := newReceiver(&config, &target{envelope: envelope}, newLedger(config.StateTopics))
	r.now = 1_800_000_000_000_000
	c := &client{state: awaiting, due: r.now - 5, asked: r.now - 5}
	var err error
	for len(b) > 0 && err == nil {
		n := len(b)
		if random != nil {
			n = 1 + random.IntN(n)
		}
		err = r.receive(c, b[:n])
		b = b[n:]
	}
	r.hangUp(c)
	r.startOver(c, true)
	r.accounts.judge()
	return r.counts, c, r, err
}

// FuzzReceive: whatever a server sends, and in whatever pieces, the same is
// counted, and nothing is held afterwards.
func FuzzReceive(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	f.Add([]byte(head+"\r\nevent: gap\ndata: {\"topic\":\"shipments\",\"partition\":0,\"reason\":\"slow\",\"from\":3,\"to\":9}\nid: 4\n\n"), uint64(1), true)
	f.Add([]byte(head+"Transfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n1\r\n\n\r\n0\r\n\r\n"), uint64(2), false)
	f.Add([]byte(head+"\r\n"+string(frame("metrics", 1, 1<<61, "world", 1, "x"))+"event:goodbye\rdata:{\"reason\":\"end\"}\r\r"), uint64(3), true)
	f.Add([]byte(head+"\r\n\xef\xbb\xbfretry: 5\nid: a\n\nevent: delete\ndata: {\"topic\":\"metrics\",\"key\":\"w\\u00fc\"}\n\n"), uint64(4), true)
	f.Fuzz(func(t *testing.T, b []byte, seed uint64, envelope bool) {
		whole, _, _, wholeErr := play(b, nil, envelope)
		pieces, _, r, piecesErr := play(b, rand.New(rand.NewPCG(seed, 0)), envelope)
		whole[Bytes], pieces[Bytes] = 0, 0 // after an error the rest does not count
		if kind(wholeErr) != kind(piecesErr) {
			t.Fatalf("whole: %v; in pieces: %v", wholeErr, piecesErr)
		}
		if whole != pieces {
			t.Fatalf("whole: %v\nin pieces: %v", whole, pieces)
		}
		for c, n := range pieces {
			if n < 0 {
				t.Fatalf("%v is %d", Count(c), n)
			}
		}
		if r.held != 0 || r.connected != 0 || r.accounts.ledger.keyRoom.Load() != maxKeyCells {
			t.Fatalf("held %d, connected %d, key cells %d", r.held, r.connected, r.accounts.ledger.keyRoom.Load())
		}
	})
}

// kind returns what an error counts as: its text may quote less of a piece.
func kind(err error) string {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.count.String()
	case err == nil:
		return ""
	}
	return err.Error()
}

func TestPiecesDoNotMatter(t *testing.T) {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1500\nevent: hello\ndata: {\"v\":1}\n\n")
	for o := range int64(50) {
		b.Write(frame("shipments", o%2, o, "world", 1_800_000_000_000_000-o*1000, fmt.Sprintf("id-%d", o)))
		b.WriteString(":comment\r\n\r\nevent: heartbeat\rdata: {}\r\r")
	}
	b.WriteString("event: goodbye\ndata: {\"reason\":\"drain\"}\n\nevent: metrics\ndata: {\"cut")
	want, _, _, err := play([]byte(b.String()), nil, true)
	if err != nil || want[Records] != 50 || want[Heartbeats] != 50 || want[Hellos] != 1 || want[GoodbyeDrain] != 1 || want[Malformed] != 0 {
		t.Fatalf("%v, %v", want, err)
	}
	for seed := range uint64(300) {
		got, _, _, err := play([]byte(b.String()), rand.New(rand.NewPCG(seed, 9)), true)
		if err != nil || got != want {
			t.Fatalf("seed %d: %v, %v; want %v", seed, got, err, want)
		}
	}
}

// TestParsersAreShared: what one client's stream said stays with that client.
func TestParsersAreShared(t *testing.T) {
	r, a := testReceiver(t, Config{Connections: 2}, false)
	b := &client{state: awaiting}
	receive := func(c *client, s string) {
		t.Helper()
		if err := r.receive(c, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	receive(b, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
	receive(a, "retry: 70\nid: a1\ndata: x\n\n")
	receive(b, "data: y\n\n")
	if string(a.id) != "a1" || a.retry != 70 || len(b.id) != 0 || b.retry != 0 {
		t.Fatalf("a has %q, %d; b has %q, %d", a.id, a.retry, b.id, b.retry)
	}
	receive(a, "data: unfinished")
	receive(b, "id: b1\ndata: z\n\nid: b2\ndata: cut")
	if a.parser == nil || b.parser == nil || a.parser == b.parser {
		t.Fatal("two clients within an event need a parser each")
	}
	r.hangUp(a)
	r.hangUp(b)
	if string(a.id) != "a1" || string(b.id) != "b1" {
		t.Fatalf("after the cut a has %q, b has %q: an event without its empty line does not move the id", a.id, b.id)
	}
	if len(r.kept) != 2 || r.held != 0 {
		t.Errorf("%d parsers kept, %d bytes held", len(r.kept), r.held)
	}
}

// TestLatencyCountsFromPublication: records are due every ten milliseconds; the
// server stalls for a second and then sends all at once. Whoever measured only
// the gap between a request and its answer would see one slow record in a
// hundred; half of what was due in that second waited for half of it.
func TestLatencyCountsFromPublication(t *testing.T) {
	r, c := testReceiver(t, Config{Connections: 1}, true)
	begin := r.now
	const every, records, stallUntil = 10_000, 200, 1_000_000
	for i := range int64(records) {
		at := begin + i*every
		r.now = max(at, begin+stallUntil)
		if err := r.receive(c, frame("t", 0, i, "k", at, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var h Histogram
	h.take(r.latency)
	if h.Count() != records {
		t.Fatalf("%d measured, want %d", h.Count(), records)
	}
	for q, want := range map[float64]time.Duration{0.25: 0, 0.75: 500 * time.Millisecond, 1: time.Second} {
		got := time.Duration(h.Quantile(q)) * time.Microsecond
		if d := got - want; d < -15*time.Millisecond || d > 15*time.Millisecond {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
}

func TestWhatIsNoLatency(t *testing.T) {
	r, c := testReceiver(t, Config{Connections: 1}, true)
	give := func(at int64) {
		t.Helper()
		if err := r.receive(c, frame("t", 0, at, "k", at, fmt.Sprint(at))); err != nil {
			t.Fatal(err)
		}
	}
	give(c.asked - 1)
	give(r.now + 2_000_000)
	c.slow = true
	give(r.now)
	c.slow = false
	c.asked = 1
	give(r.now - 2*highestMicros)
	want := map[Count]int64{Backlog: 1, Ahead: 1, Overlong: 1, Unstamped: 0}
	for k, n := range want {
		if r.counts[k] != n {
			t.Errorf("%v is %d, want %d", k, r.counts[k], n)
		}
	}
	if n := r.latency.TotalCount(); n != 2 {
		t.Errorf("%d measured, want those from the future and from long ago", n)
	}
}

// TestSettle: what is published sooner after a client asked than it takes to settle is
// a record like any other, but no latency.
func TestSettle(t *testing.T) {
	r, c := testReceiver(t, Config{Connections: 1, Settle: time.Second}, true)
	for i, at := range []int64{c.asked - 1, c.asked, c.asked + 999_999, c.asked + 1_000_000} {
		if err := r.receive(c, frame("t", 0, int64(i), "k", at, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.latency.TotalCount(); n != 1 || r.counts[Backlog] != 1 || r.counts[Settling] != 2 || r.counts[Records] != 4 {
		t.Errorf("%d latencies of %d records, %d backlog, %d settling", n, r.counts[Records], r.counts[Backlog], r.counts[Settling])
	}
}

// TestConnectCountsFromDue: a client that was due long before it could connect
// waited all that time.
func TestConnectCountsFromDue(t *testing.T) {
	r, _ := testReceiver(t, Config{Connections: 1}, false)
	r.connect.Reset()
	c := &client{state: awaiting, due: r.now - 750_000, asked: r.now - 10}
	if err := r.receive(c, []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := r.connect.ValueAtPercentile(50); got < 749_000 || got > 751_000 {
		t.Errorf("%d microseconds", got)
	}
}

func TestAccountingWithoutEnvelope(t *testing.T) {
	record := func(name, data, id string) string {
		return "event: " + name + "\ndata: " + data + "\nid: " + id + "\n\n"
	}
	t.Run("ids", func(t *testing.T) {
		r, c := testReceiver(t, Config{Connections: 1}, false)
		s := record("m", `{"emitted_at":1800000000000000}`, "1") + record("m", `{}`, "2") + record("m", `{}`, "2") + record("m", `nonsense`, "3")
		if err := r.receive(c, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if r.counts[Repeated] != 1 || r.counts[Unstamped] != 3 || r.counts[Malformed] != 1 || r.latency.TotalCount() != 1 {
			t.Errorf("repeated %d, unstamped %d, malformed %d, measured %d", r.counts[Repeated], r.counts[Unstamped], r.counts[Malformed], r.latency.TotalCount())
		}
	})
	t.Run("sequence", func(t *testing.T) {
		r, c := testReceiver(t, Config{Connections: 1, Sequence: "n", Time: "t"}, false)
		var other []cell
		var s string
		for _, n := range []int{1, 2, 2, 5, 4, 6} {
			s += record("m", fmt.Sprintf(`{"t":1800000000000,"n":%d}`, n), "x")
		}
		if err := r.receive(c, []byte(s)); err != nil {
			t.Fatal(err)
		}
		for n := range int64(7) {
			r.accounts.record(&other, entry{topic: []byte("m"), offset: n})
		}
		r.startOver(c, true)
		r.accounts.close(&other, true)
		r.accounts.judge()
		got := []int64{r.counts[Lost], r.counts[Duplicated], r.counts[Reordered], r.latency.TotalCount()}
		if want := []int64{1, 1, 1, 6}; !reflect.DeepEqual(got, want) {
			t.Errorf("lost, duplicated, reordered, measured: %v, want %v", got, want)
		}
	})
}

func TestAnswersThatAreNoStream(t *testing.T) {
	tests := []struct {
		answer string
		count  Count
		final  bool
	}{
		{"HTTP/1.1 401 Unauthorized\r\n\r\n", Status4xx, true},
		{"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\r\n", Status4xx, false},
		{"HTTP/1.1 503 Busy\r\n\r\n", Status5xx, false},
		{"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", BadAnswer, true},
		{"HTTP/1.1 204 No Content\r\n\r\n", BadAnswer, true},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", BadAnswer, true},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n", BadAnswer, true},
		{"SMTP ready\r\n", BadAnswer, false},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nxyz", BadAnswer, false},
		{"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: " + strings.Repeat("x", 2<<10), TooLarge, false},
	}
	for _, test := range tests {
		_, _, _, err := play([]byte(test.answer), nil, false)
		var f *failure
		if !errors.As(err, &f) || f.count != test.count || f.final != test.final {
			t.Errorf("%.40q: %v, want %v, final %v", test.answer, err, test.count, test.final)
		}
	}
	if _, _, _, err := play([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"), nil, false); err != io.EOF {
		t.Errorf("empty stream: %v", err)
	}
}
