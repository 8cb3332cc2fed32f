package server

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile is one way to be a nuisance. It is given a connection and whether the
// test is over, and leaves when it is or when the server has had enough.
type hostile struct {
	name string
	act  func(c net.Conn, over <-chan struct{})
}

const hostileRequest = "GET /v1/events?topics=events HTTP/1.1\r\nHost: a\r\n\r\n"

// drip sends text again and again, a little at a time.
func drip(c net.Conn, over <-chan struct{}, text string, n int) {
	for i := 0; ; i = (i + n) % len(text) {
		if _, err := io.WriteString(c, text[i:min(i+n, len(text))]); err != nil {
			return
		}
		select {
		case <-over:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// sip reads n bytes at a time.
func sip(c net.Conn, over <-chan struct{}, n int) {
	b := make([]byte, n)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		select {
		case <-over:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func shout(c net.Conn, text string) { io.WriteString(c, text) } //nolint:errcheck // the server may have had enough

func reset(c net.Conn) { c.(*net.TCPConn).SetLinger(0) } //nolint:errcheck // closed either way

var hostiles = []hostile{
	{"says nothing", func(_ net.Conn, over <-chan struct{}) { <-over }},
	{"slow head", func(c net.Conn, over <-chan struct{}) {
		drip(c, over, "GET /v1/events?topics=events HTTP/1.1\r\nX: y", 1)
	}},
	{"endless head", func(c net.Conn, over <-chan struct{}) {
		shout(c, "GET /v1/events?topics=events HTTP/1.1\r\nHost: a\r\n")
		drip(c, over, strings.Repeat("X-Header: "+strings.Repeat("y", 990)+"\r\n", 16), 4000)
	}},
	{"endless target", func(c net.Conn, over <-chan struct{}) {
		shout(c, "GET /v1/events?topics=")
		drip(c, over, strings.Repeat("y", 16_000), 4000)
	}},
	{"body", func(c net.Conn, over <-chan struct{}) {
		shout(c, "GET /v1/events?topics=events HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
		drip(c, over, strings.Repeat("z", 1000), 100)
	}},
	{"chunks", func(c net.Conn, over <-chan struct{}) {
		shout(c, "GET /v1/events?topics=events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		drip(c, over, strings.Repeat("5\r\nhello\r\n", 100), 10)
	}},
	{"requests ahead", func(c net.Conn, over <-chan struct{}) {
		drip(c, over, hostileRequest+hostileRequest, len(hostileRequest))
	}},
	{"talks on", func(c net.Conn, over <-chan struct{}) {
		shout(c, hostileRequest)
		c.Read(make([]byte, 10)) //nolint:errcheck // the stream has begun
		drip(c, over, "noise", 5)
	}},
	{"never reads", func(c net.Conn, over <-chan struct{}) { shout(c, hostileRequest); <-over }},
	{"sips", func(c net.Conn, over <-chan struct{}) { shout(c, hostileRequest); sip(c, over, 1) }},
	{"leaves in the middle of a frame", func(c net.Conn, _ <-chan struct{}) {
		shout(c, hostileRequest)
		io.ReadFull(c, make([]byte, 700)) //nolint:errcheck // in the first event
	}},
	{"resets in the middle of a frame", func(c net.Conn, _ <-chan struct{}) {
		shout(c, hostileRequest)
		io.ReadFull(c, make([]byte, 700)) //nolint:errcheck // as above
		reset(c)
	}},
	{"half closes", func(c net.Conn, over <-chan struct{}) {
		shout(c, hostileRequest)
		c.(*net.TCPConn).CloseWrite() //nolint:errcheck // the server may have been quicker
		sip(c, over, 4096)
	}},
	{"comes and goes", func(c net.Conn, _ <-chan struct{}) { shout(c, hostileRequest); reset(c) }},
}

// storm has some of each nuisance at work, again and again as soon as one ends,
// until over.
func storm(address string, each int, over <-chan struct{}) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, h := range hostiles {
		for range each {
			all.Go(func() {
				for {
					c, err := net.Dial("tcp", address)
					if err == nil {
						var act sync.WaitGroup
						act.Go(func() { h.act(c, over) })
						done := make(chan struct{})
						go func() { act.Wait(); close(done) }()
						select {
						case <-done:
						case <-over:
						}
						c.Close()
						<-done
					}
					select {
					case <-over:
						return
					default:
					}
				}
			})
		}
	}
	return &all
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestHostile: whatever a hundred others do, who behaves is sent every record
// once and in order, by shards and by net/http; and when the others have gone,
// nothing of them is left.
func TestHostile(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Hub.StallTimeout, c.Hub.Shards = 700*time.Millisecond, 2
		c.Hub.RingBytes, c.Hub.JournalBytes, c.Hub.PrefixBytes = 1<<20, 1<<20, 8<<20
	})
	value := strings.Repeat("x", 8000)
	offset := int64(0)
	publish := func() {
		s.put("events", offset, "a", fmt.Appendf(nil, `"%d %s"`, offset, value))
		offset++
	}
	publish()
	good := make([]*streamed, 4)
	expect := func() {
		t.Helper()
		for i, g := range good {
			if got, want := g.next(), fmt.Sprintf(`events "%d `, offset-1); !strings.HasPrefix(got, want) {
				t.Fatalf("%d: got %.60q, want %s", i, got, want)
			}
		}
	}
	for i := range good {
		good[i] = s.stream(eventsPath)
	}
	expect()
	for range 150 { // ring and journal are full
		publish()
		expect()
	}
	round := func(rounds int) {
		over := make(chan struct{})
		others := storm(s.address, 8, over)
		for range rounds {
			publish()
			expect()
			time.Sleep(5 * time.Millisecond) // so that there is a storm at all
		}
		close(over)
		others.Wait()
		eventually(t, "all others are gone", func() bool { return s.hub.Clients() == len(good) && s.connections.count() == 0 })
	}
	round(40) // what is made once is made
	descriptors, goroutines, heap := openDescriptors(t), runtime.NumGoroutine(), heapBytes()
	round(120)
	eventually(t, "goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	eventually(t, "descriptors are closed", func() bool { return openDescriptors(t) <= descriptors })
	if grown := heapBytes() - heap; grown > 2<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	for _, reason := range []string{"left", "slow"} {
		if n := metric(t, s, `livemap_hub_closes_total{reason="`+reason+`"}`); n == "0" {
			t.Errorf("nobody was closed as %s", reason)
		}
	}
}
