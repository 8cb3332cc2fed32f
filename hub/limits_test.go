package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"livemap/feed"
)

// allocated returns the bytes in use.
func allocated() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// nowhere takes everything.
type nowhere struct{ frames int }

func (n *nowhere) WriteBuffers(b *net.Buffers) (total int64, err error) {
	for len(*b) > 0 {
		total += int64(len((*b)[0]))
		*b = (*b)[1:]
	}
	n.frames++
	return total, nil
}
func (n *nowhere) SetWriteDeadline(time.Time) error { return nil }

// Delivering a frame allocates nothing, with keys and without.
func TestStepAllocations(t *testing.T) {
	for name, sub := range map[string]Subscription{"every key": both(), "one key": both("a"), "three keys": both("a", "b", "c")} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			client, err := s.Join(sub)
			if err != nil {
				t.Fatal(err)
			}
			w := &walker{Client: client, sink: &nowhere{}}
			if err := w.enter(context.Background()); err != nil {
				t.Fatal(err)
			}
			drain := func() {
				for {
					news, err := w.advance(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					if news != nil {
						return
					}
				}
			}
			drain()
			offset := int64(0)
			value := []byte(`{"v":1,"scope":"world"}`)
			publish := func() {
				if err := s.Publish([]Record{{Topic: 0, Offset: offset, Key: []byte("a"), Value: value}}); err != nil {
					t.Fatal(err)
				}
				offset++
			}
			for range 50 { // let what is reused reach its size
				publish()
				drain()
			}
			alone := testing.AllocsPerRun(200, publish)
			drain()
			// Publish, then the walker's write: the difference is the client's.
			together := testing.AllocsPerRun(200, func() { publish(); drain() })
			if extra := together - alone; extra > 1 { // the broadcast's channel, one for all who wait
				t.Errorf("a step allocates %.1f times", extra)
			}
			w.Reject()
		})
	}
}

// Publishing costs the same whether nobody listens to a ring or many do.
func TestPublishAllocations(t *testing.T) {
	for _, views := range []int{1, 100} {
		s := newStage(t, nil)
		var clients []*Client
		for i := range views {
			c, err := s.Join(both("a", fmt.Sprint("k", i)))
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		offset := int64(0)
		record := []Record{{Topic: 0, Key: []byte("a"), Value: []byte(`{"v":1}`)}}
		publish := func() {
			record[0].Offset = offset
			offset++
			if err := s.Publish(record); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			publish()
		}
		if got := testing.AllocsPerRun(500, publish); got > 5 {
			t.Errorf("with %d views a record costs %v allocations", views, got)
		}
		for _, c := range clients {
			c.Reject()
		}
	}
}

// Who is told of news can read them at once: the first of many shards need not
// wait until all others were told.
func TestNewsCanBeReadAtOnce(t *testing.T) {
	s := newStage(t, nil)
	c, err := s.Join(both("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Reject()
	told := 0
	for range 3 {
		l := &listener{stir: func() {
			told++
			if !c.view.ring.mu.TryRLock() {
				t.Error("the ring is locked")
				return
			}
			c.view.ring.mu.RUnlock()
		}}
		c.view.listen(l)
		defer c.view.unlisten(l)
	}
	s.put("figures/0@0 a=1")
	if told != 3 {
		t.Errorf("%d of 3 were told", told)
	}
}

// A ring stays within its bytes and its age.
func TestRingBounds(t *testing.T) {
	r := newRing([]int{0}, plain, 4*segmentBytes, time.Minute)
	event := []byte(strings.Repeat("x", 1000) + "AQAAAAAAtail\n\n")
	push := func(now int64) {
		r.push(entry{bytes: event, id: 1000, key: "k", mark: mark(r.next), now: now})
	}
	for i := range 2000 {
		push(int64(i))
	}
	if r.bytes > 5*segmentBytes || len(r.segments) > 6 {
		t.Errorf("%d bytes in %d segments", r.bytes, len(r.segments))
	}
	if p := r.postings["k"]; len(p.frames) != int(r.next-r.first) || p.frames[0] != r.first {
		t.Errorf("the posting has %d frames from %d, the ring %d from %d", len(p.frames), p.frames[0], r.next-r.first, r.first)
	}
	push(1 << 20) // a quarter of an hour later
	push(2 << 20)
	if n := r.next - r.first; n > 2 {
		t.Errorf("%d frames although all but one are too old", n)
	}
	large := []byte(strings.Repeat("y", 3*segmentBytes) + "AQAAAAAAtail\n\n")
	r.push(entry{bytes: large, id: 3 * segmentBytes, key: "k", mark: mark(r.next), now: 2 << 20})
	if r.segments[len(r.segments)-1].frames[0].end != uint32(len(large)) {
		t.Error("a frame larger than a segment has no segment of its own")
	}
}

// All rings together stay within their bytes, and those that nobody uses go
// first.
func TestRingsBound(t *testing.T) {
	const all = 8 * segmentBytes
	s := newStage(t, func(c *Config) { c.RingBytes, c.RingsBytes = all/2, all })
	var clients []*Client
	for _, sub := range []Subscription{only("events"), both(), only("events", "k"), both("k")} {
		for _, sub.Envelope = range []bool{false, true} {
			c, err := s.Join(sub)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
	}
	total := func() (n, rings int) {
		for _, r := range s.rings {
			n += r.bytes
			if len(r.segments) > 0 {
				rings++
			}
		}
		return n, rings
	}
	value := []byte(`"` + strings.Repeat("x", 1000) + `"`)
	publish := func(from, to int64) {
		for i := from; i < to; i++ {
			if err := s.Publish([]Record{{Topic: 0, Offset: i, Key: []byte("k"), Value: value}}); err != nil {
				t.Fatal(err)
			}
			if n, _ := total(); n > all {
				t.Fatalf("%d bytes in all rings after record %d", n, i)
			}
		}
	}
	publish(0, 2000)
	if n, rings := total(); rings != 4 || n < all/2 {
		t.Errorf("%d bytes in %d rings", n, rings)
	}
	for _, c := range clients[1:] {
		c.Reject()
	}
	publish(2000, 2500)
	if n, rings := total(); rings != 1 {
		t.Errorf("%d bytes in %d rings of which one is used", n, rings)
	}
	clients[0].Reject()
}

// A journal keeps no second copy of what stands in a ring, and has its own once
// the ring gives that up: for its bytes, or because nobody uses it any more.
func TestJournalSharesWithRings(t *testing.T) {
	const n, ringBytes = 10_000, 16 * segmentBytes
	for name, tt := range map[string]struct {
		format Format
		value  string // with the number in it
		shared bool
	}{
		"a line":       {FormatJSON, `{"n":%06d,"text":"` + strings.Repeat("x", 180) + `"}`, true},
		"several":      {FormatText, "%06d\n" + strings.Repeat("x", 190), false},
		"not as it is": {FormatBase64, "%06d" + strings.Repeat("x", 196), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(c *Config) { c.RingBytes, c.Topics[0].Format = ringBytes, tt.format })
			client, err := s.Join(only("events"))
			if err != nil {
				t.Fatal(err)
			}
			j, r := &s.topics[0].journal, client.view.ring
			buffer := make([]byte, 0, 1<<10) // used again, as Kafka's client may
			publish := func(from, to int) {
				for i := from; i < to; i++ {
					buffer = fmt.Appendf(buffer[:0], tt.value, i)
					if err := s.Publish([]Record{{Offset: int64(i), Value: buffer}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			check := func(when string, borrowed int) {
				t.Helper()
				kept := map[*segment]bool{}
				for _, seg := range r.segments {
					kept[seg] = true
				}
				for i, rec := range j.records {
					if string(rec.value) != fmt.Sprintf(tt.value, i) {
						t.Fatalf("%s: record %d is %q", when, i, rec.value)
					}
					if rec.lender != nil {
						borrowed--
						if !kept[rec.lender] {
							t.Fatalf("%s: record %d keeps a segment that its ring gave up", when, i)
						}
					}
				}
				if borrowed != 0 || len(j.records) != n {
					t.Errorf("%s: %d too few are borrowed of %d", when, borrowed, len(j.records))
				}
			}
			share := func(records int) int {
				if tt.shared {
					return records
				}
				return 0
			}
			const few = ringBytes / 1024
			publish(0, few)
			before := allocated() - int64(len(r.segments)*segmentBytes)
			publish(few, 2*few)
			each := (allocated() - int64(len(r.segments)*segmentBytes) - before) / few
			t.Logf("%d bytes a record beside the ring", each)
			if tt.shared && each > 96+64 {
				t.Errorf("%d bytes a record beside the ring", each)
			}
			publish(2*few, n)
			check("with a ring", share(int(r.next-r.first)))
			client.Reject()
			s.sweep(time.Now().Add(time.Hour))
			if len(s.rings) > 0 {
				t.Fatal("the ring is still there")
			}
			r.segments = nil
			check("without", 0)
		})
	}
}

// Topics and partitions whose ids would not fit are a matter of configuration.
func TestIDRoom(t *testing.T) {
	s := newStage(t, nil)
	if err := s.SetTopic(0, [16]byte{1}, 90); err != nil {
		t.Errorf("90 partitions: %v", err)
	}
	if err := s.SetTopic(0, [16]byte{1}, 200); !errors.Is(err, ErrIDTooLong) {
		t.Errorf("200 partitions: %v", err)
	}
	// What is let through fits, with offsets as high as they get.
	next := make([]int64, 90)
	for i := range next {
		next[i] = 1<<48 - 1
	}
	text := (&id{topics: []idTopic{{next: next}, {next: next[:1]}}}).append(nil)
	if len(text) > MaxIDBytes {
		t.Errorf("an id of %d characters was let through", len(text))
	}
}

func TestConfigValidate(t *testing.T) {
	good := Config{Topics: []Topic{{Name: "a", Kind: feed.Log}}}
	if err := good.Validate(); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
	bad := Config{
		Topics: []Topic{
			{Name: "hello", Kind: feed.Log},
			{Name: "a b", Kind: feed.State},
			{Name: "c", Kind: "queue", Recent: -1, MaxAge: time.Millisecond, Lapped: "stop", Format: "xml"},
			{Name: "c", Kind: feed.Log},
		},
		Heartbeat: -1, RetryMin: time.Hour, RetryMax: time.Second, MaxClients: -1, RingBytes: 1, RingsBytes: 2,
	}
	err := bad.Validate()
	for _, want := range []string{
		`topic "hello"`, "reserved", `topic "a b"`, `kind "queue"`, "recent -1", "max_age 1ms", `lapped "stop"`,
		`format "xml"`, "named twice", "heartbeat -1ns", "retry-max 1s", "max-clients -1", "ring-bytes 1", "rings-bytes 2",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if err := (Config{}).Validate(); err == nil {
		t.Error("no topics were let through")
	}
}
