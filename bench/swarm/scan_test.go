package swarm

import (
	"fmt"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"livemap/bench/event"
)

func newSwarm() *swarm {
	return &swarm{clients: make([]client, 1), latency: hdrhistogram.New(1, maxLatency.Microseconds(), 3)}
}

// frames are SSE frames as servers write them, with the given numbers.
func frames(numbers ...int64) []byte {
	b := []byte(": hello, \",\"n\n\n")
	for _, n := range numbers {
		b = fmt.Appendf(b, "id: %d\nevent: x\ndata: {\"pub\":", n)
		b = event.Append(b, event.Stamp{Number: n, At: 1000 * n})
		b = append(b, "}\n\n"...)
	}
	return b
}

// inChunks frames a body as chunks of the given size.
func inChunks(b []byte, size int) []byte {
	var framed []byte
	for len(b) > 0 {
		n := min(size, len(b))
		framed = fmt.Appendf(framed, "%x\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	return framed
}

// TestWhateverThePieces feeds bodies cut everywhere, plain and in chunks that
// end in the middle of stamps: all events count, none twice.
func TestWhateverThePieces(t *testing.T) {
	plain := frames(1, 2, 3)
	bodies := map[string][]byte{"plain": plain}
	for _, size := range []int{1, 7, 41, 42, 43, 250, 4096} {
		bodies[fmt.Sprintf("chunks of %d", size)] = inChunks(plain, size)
	}
	for name, body := range bodies {
		for _, piece := range []int{1, 2, 13, 41, 42, 43, 100, len(body)} {
			s, c := newSwarm(), &client{framed: name != "plain"}
			for at := 0; at < len(body); at += piece {
				if !s.body(c, body[at:min(at+piece, len(body))], 5000) {
					t.Fatalf("%s in pieces of %d: broken at byte %d", name, piece, at)
				}
			}
			if s.report.Events != 3 || s.report.Missing != 0 || s.report.Again != 0 || s.report.Newest != 3 {
				t.Errorf("%s in pieces of %d: %+v", name, piece, s.report)
			}
			if got := s.latency.Max(); got < 3990 || got > 4010 {
				t.Errorf("%s in pieces of %d: greatest latency %d µs, want 4000", name, piece, got)
			}
		}
	}
}

func TestFaultsAreCounted(t *testing.T) {
	cases := []struct {
		numbers []int64
		want    Report
	}{
		{[]int64{5, 6, 7}, Report{Events: 3, Newest: 7}},
		{[]int64{1, 4, 5}, Report{Events: 3, Newest: 5, Missing: 2}},
		{[]int64{1, 2, 2, 3}, Report{Events: 4, Newest: 3, Again: 1}},
		{[]int64{1, 3, 2, 4}, Report{Events: 4, Newest: 4, Missing: 1, Again: 1}},
	}
	for _, c := range cases {
		s := newSwarm()
		s.body(&client{}, frames(c.numbers...), 9_000)
		if s.report.Bytes = 0; s.report != c.want {
			t.Errorf("%v: got %+v, want %+v", c.numbers, s.report, c.want)
		}
	}
}

func TestBrokenChunksEndAClient(t *testing.T) {
	for _, body := range []string{"0\r\n\r\n", "x\r\n", "fffffffff\r\n", "5 \r\nhello"} {
		if newSwarm().body(&client{framed: true}, []byte(body), 1) {
			t.Errorf("%q is taken for a stream", body)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	s, c := newSwarm(), &client{framed: true}
	body := inChunks(frames(1), 100)
	if n := testing.AllocsPerRun(100, func() { s.body(c, body, 2000) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
	s := newSwarm()
	s.onWay = 1
	c := &client{state: waiting}
	if body, err := s.answer(c, []byte(head[:20])); err != nil || body != nil || c.state != waiting {
		t.Fatalf("half a head: %q, %v", body, err)
	}
	body, err := s.answer(c, []byte(head[20:]+"5\r\n"))
	if err != nil || string(body) != "5\r\n" || c.state != streaming || !c.framed {
		t.Errorf("body %q, %v, %+v", body, err, c)
	}
	if _, err := s.answer(&client{state: waiting}, []byte("HTTP/1.1 503 Service Unavailable\r\n\r\n")); err == nil {
		t.Error("503 is taken for a stream")
	}
}

func TestLastID(t *testing.T) {
	cases := []struct{ stream, want string }{
		{"", ""},
		{"id: 1\n", ""},
		{"id: 1\ndata: x\n\n", "1"},
		{"id: 1\ndata: x\n\nid: 2\ndata: y\n", "1"},
		{"id: 1\n\ndata: id: 3\nid:2\n\nevent: heartbeat\n\n", "2"},
		{": 1\n\n", ""},
	}
	for _, c := range cases {
		if got := string(lastID([]byte(c.stream))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.stream, got, c.want)
		}
	}
}

func TestTheWatchedStreamIsBounded(t *testing.T) {
	s := newSwarm()
	for n := range int64(1000) {
		s.body(&s.clients[0], frames(n+1), 1)
	}
	if len(s.tail) > maxWatched {
		t.Errorf("%d bytes are kept", len(s.tail))
	}
	if got := string(lastID(s.tail)); got != "1000" {
		t.Errorf("the last id is %q", got)
	}
}
