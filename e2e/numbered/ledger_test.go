package numbered

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tenRecords is a log of one partition: numbers 0 to 9 at even offsets, as
// transaction markers leave them.
func tenRecords() *Truth {
	t := &Truth{partitions: make([][]entry, 1), board: map[string]int64{"board0": 7}}
	for n := range int64(10) {
		t.partitions[0] = append(t.partitions[0], entry{offset: 2 * n, n: n})
	}
	return t
}

// received returns the ledger of a client that got these numbers, in this order.
func received(numbers ...int64) *Ledger {
	l := &Ledger{}
	for _, n := range numbers {
		l.Record(0, 2*n, n)
	}
	l.Value("board0", 7)
	return l
}

func TestVerdicts(t *testing.T) {
	gap := func(from, to, atMost int64, excused bool) func(*Ledger) {
		return func(l *Ledger) {
			l.Gap(Gap{Topic: Topic, Reason: "expired", From: from, To: to, AtMost: atMost, Excused: excused})
		}
	}
	none := func(*Ledger) {}
	for _, c := range []struct {
		name    string
		numbers []int64
		also    func(*Ledger)
		want    Verdict
	}{
		{"all", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, none, Verdict{Received: 10}},
		{"one missing", []int64{0, 1, 2, 3, 5, 6, 7, 8, 9}, none, Verdict{Received: 9, Lost: 1}},
		{"the end missing", []int64{0, 1, 2, 3, 4, 5, 6, 7}, none, Verdict{Received: 8, Lost: 2}},
		{"one twice", []int64{0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9}, none, Verdict{Received: 10, Duplicated: 1}},
		{"one late", []int64{0, 1, 3, 2, 4, 5, 6, 7, 8, 9}, none, Verdict{Received: 10, Reordered: 1}},
		{"a true gap", []int64{0, 1, 5, 6, 7, 8, 9}, gap(4, 10, 6, true), Verdict{Received: 7, Gapped: 3, Gaps: 1}},
		{"a gap for one who was not away", []int64{0, 1, 5, 6, 7, 8, 9}, gap(4, 10, 6, false), Verdict{Received: 7, Gapped: 3, Gaps: 1, FalseGaps: 1}},
		{"a gap over what was received", []int64{0, 1, 4, 5, 6, 7, 8, 9}, gap(4, 10, 6, true), Verdict{Received: 8, Gapped: 2, Gaps: 1, FalseGaps: 1}},
		{"a gap over nothing", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, gap(5, 6, 1, true), Verdict{Received: 10, Gaps: 1, FalseGaps: 1}},
		{"a gap that says too little", []int64{0, 1, 5, 6, 7, 8, 9}, gap(4, 10, 2, true), Verdict{Received: 7, Gapped: 3, Gaps: 1, FalseGaps: 1}},
		{"a gap and more lost", []int64{0, 1, 5, 6, 7, 9}, gap(4, 10, 6, true), Verdict{Received: 6, Gapped: 3, Gaps: 1, Lost: 1}},
		{"an aborted record", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, Aborted}, none, Verdict{Received: 10, Phantoms: 1}},
		{"a record that is not in the log", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12}, none, Verdict{Received: 10, Phantoms: 1}},
		{"a board that went back", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, func(l *Ledger) { l.Value("board0", 5); l.Value("board0", 7) }, Verdict{Received: 10, Reordered: 1}},
		{"a board that stayed behind", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, func(l *Ledger) { l.board["board0"] = 6 }, Verdict{Received: 10, Lost: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := received(c.numbers...)
			c.also(l)
			v := l.Judge(tenRecords(), true)
			if v.Good() != c.want.Good() || !v.Good() && len(v.Why) == 0 && v.Duplicated+v.Reordered+v.Phantoms == 0 {
				t.Errorf("good is %t, because of %q", v.Good(), v.Why)
			}
			v.Why = nil
			if g, w := v, c.want; g.Received != w.Received || g.Lost != w.Lost || g.Duplicated != w.Duplicated || g.Reordered != w.Reordered ||
				g.FalseGaps != w.FalseGaps || g.Gaps != w.Gaps || g.Gapped != w.Gapped || g.Phantoms != w.Phantoms {
				t.Errorf("judged %+v, want %+v", g, w)
			}
		})
	}
}

func TestArrived(t *testing.T) {
	truth := tenRecords()
	l := received(0, 1, 2, 3, 4, 5, 6, 7, 8)
	if l.At(truth, true) {
		t.Error("a client that lacks the last record is said to have it")
	}
	l.Gap(Gap{Topic: Topic, From: 18, To: 20, AtMost: 2})
	if !l.At(truth, true) {
		t.Error("a client that was told of the last record is said to lack it")
	}
	l.board["board0"] = 6
	if l.At(truth, true) || !l.At(truth, false) {
		t.Error("the board counts for those, and only those, who follow it")
	}
}

// TestClientComesBack: a client shows the id of the last complete event, does
// not count an event that was cut in half, and knows a nap from a short pause.
func TestClientComesBack(t *testing.T) {
	const head = "retry: 1\nevent: hello\ndata: {}\n\n"
	record := func(n string, offset string) string {
		return "event: numbers\ndata: {\"topic\":\"numbers\",\"partition\":0,\"offset\":" + offset + ",\"key\":\"k\",\"value\":{\"n\":" + n + "}}\nid: after" + n + "\n\n"
	}
	bodies := []string{
		head + record("0", "0") + record("1", "2")[:40], // cut in half
		head + record("1", "2") + "event: goodbye\ndata: {\"reason\":\"drain\"}\n\n",
		head + "event: gap\ndata: {\"topic\":\"numbers\",\"partition\":0,\"reason\":\"expired\",\"from\":3,\"to\":5,\"at_most\":2}\nid: x\n\n",
	}
	ids := make(chan string, len(bodies)+1)
	var asked int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("Last-Event-ID")
		if asked >= len(bodies) {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, bodies[asked])
		asked++
	}))
	defer s.Close()
	c := NewClient(ClientConfig{Addr: strings.TrimPrefix(s.URL, "http://"), Path: "/", MaxAge: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	for _, want := range []string{"", "after0", "after1", "x"} {
		select {
		case got := <-ids:
			if got != want {
				t.Errorf("the client came with id %q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the client does not come back")
		}
	}
	cancel()
	<-done
	truth := &Truth{partitions: [][]entry{{{0, 0}, {2, 1}, {4, 2}}}}
	v, n := c.Judge(truth)
	if v.Received != 2 || v.Gapped != 1 || v.Duplicated != 0 || v.FalseGaps != 1 {
		t.Errorf("judged %+v; the gap is false, for the client was not away for a minute", v)
	}
	if n.Reconnects != 2 || n.Goodbyes["drain"] != 1 || len(n.Pauses) != 2 {
		t.Errorf("counted %+v, want 2 reconnects and a drain", n)
	}
}

func TestClientCutsItself(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: hello\ndata: {}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	c := NewClient(ClientConfig{Addr: strings.TrimPrefix(s.URL, "http://"), Path: "/", Every: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	for began := time.Now(); c.Reconnects() < 3; time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("it does not")
		}
	}
	cancel()
	<-done
}

// TestGapOverAMarker: a gap over a transaction's marker alone is true where the log
// was made to begin behind it, and nowhere else.
func TestGapOverAMarker(t *testing.T) {
	for begin, falseGaps := range map[int64]int64{0: 1, 5: 1, 6: 0, 8: 0} {
		kept, truth, l := &Truth{}, tenRecords(), received(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		kept.Keep(truth, map[int32]int64{0: begin})
		truth.Behind(kept)
		l.Gap(Gap{Topic: Topic, Reason: "expired", From: 5, To: 6, AtMost: 1, Excused: true})
		if v := l.Judge(truth, true); v.FalseGaps != falseGaps || v.Gaps != 1 || v.Lost != 0 {
			t.Errorf("a log that begins at %d: %+v", begin, v)
		}
	}
}

// TestWhatRetentionTook: what was kept before it was deleted stands in front of what
// the log held at the end, each record once.
func TestWhatRetentionTook(t *testing.T) {
	kept := &Truth{}
	for _, before := range []int64{8, 4, 12} {
		kept.Keep(tenRecords(), map[int32]int64{0: before})
	}
	end := tenRecords()
	end.partitions[0] = end.partitions[0][5:]
	end.Behind(kept)
	if got, want := end.Produced(), int64(10); got != want {
		t.Fatalf("%d records, want %d", got, want)
	}
	for i, e := range end.partitions[0] {
		if e != tenRecords().partitions[0][i] {
			t.Errorf("record %d is %+v", i, e)
		}
	}
}
