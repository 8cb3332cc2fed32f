package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// driver moves the bytes of clients to their sockets. Each must pass the same
// suite: the walker on all systems, the shard where there is epoll.
type driver struct {
	name   string
	shards int
	// serve drives a client whose connection was taken over, until it is over.
	serve    func(c *Client, conn *net.TCPConn, head []byte) CloseReason
	oneByOne bool // Config.OneByOne
}

var drivers = []driver{{"walker", -1, serveWalker, false}}

// socketSink is what package server uses for a socket.
type socketSink struct{ *net.TCPConn }

func (s socketSink) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(s.TCPConn) }

// serveWalker watches the socket as package server does.
func serveWalker(c *Client, conn *net.TCPConn, head []byte) CloseReason {
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		var b [1]byte
		conn.Read(b[:])
		cancel()
	}()
	reason := c.Serve(ctx, socketSink{conn}, head)
	conn.Close()
	<-watched
	return reason
}

// suite is one run of the conformance tests.
type suite struct {
	*stage
	driver driver
	listen *net.TCPListener
}

func TestConformance(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		run    func(*testing.T, *suite)
	}{
		{"first bytes", nil, testFirstBytes},
		{"byte by byte", nil, testByteByByte},
		{"stalled client", func(c *Config) { c.StallTimeout = 800 * time.Millisecond }, testStalled},
		{"slow but alive", func(c *Config) { c.StallTimeout = 600 * time.Millisecond }, testSlowButAlive},
		{"lapped", func(c *Config) { c.RingBytes = 128 << 10 }, testLapped},
		{"half close", nil, testHalfClose},
		{"reset", nil, testReset},
		{"more than a request", nil, testMoreThanRequest},
		{"drain", nil, testDrain},
		{"drain of the stalled", nil, testDrainStalled},
		{"greatest age", func(c *Config) { c.MaxStreamAge = 800 * time.Millisecond }, testMaxAge},
		{"a partition is away", nil, testAway},
		{"permission ends", nil, testPermissionEnds},
		{"permission withdrawn", func(c *Config) { c.RingBytes = 256 << 10 }, testRevoked},
		{"permission withdrawn in the middle", nil, testRevokedStalled},
	}
	for _, d := range drivers {
		for _, test := range tests {
			t.Run(d.name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				s := &suite{stage: newStage(t, func(c *Config) {
					c.Shards, c.OneByOne = d.shards, d.oneByOne
					if test.change != nil {
						test.change(c)
					}
				}), driver: d}
				var err error
				if s.listen, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
					t.Fatal(err)
				}
				defer s.listen.Close()
				ctx, cancel := context.WithCancel(context.Background())
				ran := make(chan error, 1)
				go func() { ran <- s.Run(ctx) }()
				test.run(t, s)
				cancel()
				if err := <-ran; err != nil {
					t.Error(err)
				}
				if n := s.Clients(); n != 0 {
					t.Errorf("%d clients left", n)
				}
			})
		}
	}
}

// peer is the client's end of a connection.
type peer struct {
	*net.TCPConn
	t     *testing.T
	ended <-chan CloseReason
	got   got
	first string
}

// connect opens a connection and has the driver serve it.
func (s *suite) connect(t *testing.T, sub Subscription) *peer {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, s.listen.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	accepted, err := s.listen.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	// Buffers that are not grown to megabytes, so that a peer that does not read
	// is noticed. (Much smaller ones make even a quick peer wait for the timer
	// of a closed window.)
	if err := errors.Join(accepted.SetWriteBuffer(128<<10), conn.SetReadBuffer(128<<10)); err != nil {
		t.Fatal(err)
	}
	client, err := s.Join(sub)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan CloseReason, 1)
	go func() { ended <- s.driver.serve(client, accepted, []byte("HEAD\r\n\r\n")) }()
	return &peer{TCPConn: conn, t: t, ended: ended}
}

// readUntil reads, n bytes at a time, until the stream holds text in an event,
// or ends when text is empty. It returns the events of the call.
func (p *peer) readUntil(text string, n int) []string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(60 * time.Second))
	p.got.events = nil
	b := make([]byte, n)
	for {
		k, err := p.Read(b)
		in := b[:k]
		if p.first == "" && k > 0 {
			p.first = string(in)
		}
		p.got.take(p.t, bytes.TrimPrefix(in, []byte("HEAD\r\n\r\n")))
		if text != "" && len(p.got.events) > 0 && strings.Contains(p.got.events[len(p.got.events)-1], text) {
			return p.got.events
		}
		if err != nil {
			if text != "" || !errors.Is(err, io.EOF) {
				p.t.Fatalf("reading, waiting for %q: %v", text, err)
			}
			return p.got.events
		}
	}
}

// remains reads to the end, however that comes.
func (p *peer) remains() string {
	p.SetReadDeadline(time.Now().Add(30 * time.Second))
	b, _ := io.ReadAll(p)
	return string(b)
}

// over waits for the driver to be done with the client.
func (p *peer) over(want CloseReason) {
	p.t.Helper()
	select {
	case got := <-p.ended:
		if got != want {
			p.t.Errorf("ended as %s, want %s", got, want)
		}
	case <-time.After(60 * time.Second):
		p.t.Fatalf("not ended after ten seconds, want %s", want)
	}
}

// Head, hello and what is owed go out together.
func testFirstBytes(t *testing.T, s *suite) {
	s.put("figures/0@0 a=1")
	p := s.connect(t, both())
	p.readUntil("figures 1", 4096)
	if !strings.HasPrefix(p.first, "HEAD\r\n\r\nretry: ") || !strings.Contains(p.first, "event: figures\ndata: 1\n") {
		t.Errorf("first bytes %q", p.first)
	}
	p.Close()
	p.over(CloseLeft)
}

// Frames arrive whole and in order however the peer reads.
func testByteByByte(t *testing.T, s *suite) {
	for i := range 50 {
		s.put(fmt.Sprintf("figures/0@%d k%d=%d", i, i, i))
	}
	p := s.connect(t, both())
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("figures %d", i))
	}
	wantEvents(t, p.readUntil("figures 49", 1), want...)
	s.put("events/0@0 a=e0")
	wantEvents(t, p.readUntil("e0", 1), "events e0")
	p.Close()
	p.over(CloseLeft)
}

// A client that reads nothing is closed as slow. Meanwhile the others get
// everything, and publishing does not wait.
func testStalled(t *testing.T, s *suite) {
	stalled, quick := s.connect(t, only("events")), s.connect(t, only("events"))
	large := strings.Repeat("x", 30_000)
	const records = 200
	sent := make(chan time.Duration, 1)
	go func() {
		begin := time.Now()
		for i := range records {
			s.put(fmt.Sprintf("events/0@%d a=%d%s", i, i, large))
		}
		sent <- time.Since(begin)
	}()
	quick.readUntil(fmt.Sprintf("events %d", records-1), 64<<10)
	if d := <-sent; d > 5*time.Second {
		t.Errorf("publishing took %s", d)
	}
	stalled.over(CloseSlow)
	quick.Close()
	quick.over(CloseLeft)
}

// A client that takes a little now and then is alive, however long one write
// takes.
func testSlowButAlive(t *testing.T, s *suite) {
	s.put("events/0@0 a=" + strings.Repeat("x", 1_500_000))
	p := s.connect(t, only("events"))
	b := make([]byte, 64<<10)
	for range 12 {
		p.SetReadDeadline(time.Now().Add(60 * time.Second))
		if n, err := p.Read(b); err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		time.Sleep(100 * time.Millisecond) // the pace is the point
	}
	s.put("events/0@1 a=end")
	p.got = got{}
	for tail := ""; !strings.Contains(tail, "data: end\n"); {
		p.SetReadDeadline(time.Now().Add(60 * time.Second))
		n, err := p.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		tail = tail[max(0, len(tail)-100):] + string(b[:n])
	}
	p.Close()
	p.over(CloseLeft)
}

// A client that the ring has left behind is told so, and goes on at the head.
// Its frames are short enough for a copy of the one it stands in to be kept:
// where there is none the connection is closed.
func testLapped(t *testing.T, s *suite) {
	p := s.connect(t, both())
	p.readUntilID()
	large := strings.Repeat("x", maxRestBytes-1024)
	for i := range 600 {
		s.put(fmt.Sprintf("events/0@%d a=%s", i, large), fmt.Sprintf("figures/0@%d a=%d", i, i))
	}
	events := p.readUntil("figures 599", 16<<10)
	s.put("events/0@600 a=end")
	wantEvents(t, p.readUntil("events end", 16<<10), "events end")
	gaps := 0
	for _, e := range events {
		if strings.HasPrefix(e, "gap ") {
			gaps++
			if !strings.Contains(e, `"topic":"events","partition":0,"reason":"slow"`) {
				t.Errorf("got %s", e)
			}
		}
	}
	if gaps == 0 {
		t.Error("no gap")
	}
	p.Close()
	p.over(CloseLeft)
}

// readUntilID reads until the opening is over.
func (p *peer) readUntilID() {
	p.t.Helper()
	b := make([]byte, 4<<10)
	p.SetReadDeadline(time.Now().Add(60 * time.Second))
	for p.got.id == "" {
		n, err := p.Read(b)
		if err != nil {
			p.t.Fatal(err)
		}
		p.got.take(p.t, bytes.TrimPrefix(b[:n], []byte("HEAD\r\n\r\n")))
	}
}

// A peer that closes its side is gone, although its socket still takes bytes.
func testHalfClose(t *testing.T, s *suite) {
	p := s.connect(t, both())
	p.readUntilID()
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.over(CloseLeft)
}

func testReset(t *testing.T, s *suite) {
	p := s.connect(t, both())
	p.readUntilID()
	if err := errors.Join(p.SetLinger(0), p.Close()); err != nil {
		t.Fatal(err)
	}
	p.over(CloseLeft)
}

// Nothing may follow the request.
func testMoreThanRequest(t *testing.T, s *suite) {
	p := s.connect(t, both())
	p.readUntilID()
	if _, err := p.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	p.over(CloseLeft)
}

// A drain sends the newest records, then goodbye with a short retry, to each at
// its own time within the window.
func testDrain(t *testing.T, s *suite) {
	var peers []*peer
	for range 20 {
		p := s.connect(t, both())
		p.readUntilID()
		peers = append(peers, p)
	}
	s.put("events/0@0 a=newest")
	begin := time.Now()
	s.Drain(context.Background(), 400*time.Millisecond)
	if d := time.Since(begin); d < 100*time.Millisecond || d > 5*time.Second {
		t.Errorf("the drain took %s", d)
	}
	for _, p := range peers {
		events := p.readUntil("", 4096)
		wantEvents(t, events, "events newest", `goodbye {"reason":"drain"}`)
		if ms := p.got.parser.RetryMilliseconds(); ms > int(drainRetry.Milliseconds()) {
			t.Errorf("retry %d ms", ms)
		}
		p.over(CloseDrain)
	}
	if _, err := s.Join(both()); !errors.Is(err, ErrDraining) {
		t.Errorf("joining while draining: %v", err)
	}
}

// A drain whose time is up does not wait for those who read nothing.
func testDrainStalled(t *testing.T, s *suite) {
	p := s.connect(t, only("events"))
	p.readUntilID()
	for i := range 50 {
		s.put(fmt.Sprintf("events/0@%d a=%s", i, strings.Repeat("x", 50_000)))
	}
	late, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	s.Drain(late, 100*time.Millisecond)
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("the drain took %s", d)
	}
	p.over(CloseDrain)
}

func testMaxAge(t *testing.T, s *suite) {
	p := s.connect(t, both())
	wantEvents(t, p.readUntil("", 4096), `goodbye {"reason":"rebalance"}`)
	p.over(CloseRebalance)
	if ms := p.got.parser.RetryMilliseconds(); ms > int(drainRetry.Milliseconds()) {
		t.Errorf("asked to stay away for %d ms, though it only has to move", ms)
	}
}

// A pod that was started while a partition has no leader serves those who know it
// the others, and their position in it stays; when it is back they come again and
// have what they lacked.
func testAway(t *testing.T, s *suite) {
	const topic = 0 // events
	if err := s.SetTopic(topic, [16]byte{1}, 2); err != nil {
		t.Fatal(err)
	}
	s.SetAway(topic, 1, true)
	sub := only("events")
	sub.LastID = string((&id{topics: []idTopic{{name: s.topics[topic].name, uuid: s.topics[topic].uuidHash, next: []int64{0, 5}}}}).append(nil))
	p := s.connect(t, sub)
	s.put("events/0@0 a=other")
	wantEvents(t, p.readUntil("other", 4096), "events other")
	s.SetAway(topic, 1, false)
	wantEvents(t, p.readUntil("", 4096), `goodbye {"reason":"rebalance"}`)
	p.over(CloseRebalance)

	s.SetStart(topic, 1, 4)
	s.put("events/1@4 a=had", "events/1@5 a=lacked", "events/0@1 a=new")
	sub.LastID = p.got.id
	p = s.connect(t, sub)
	wantEvents(t, p.readUntil("new", 4096), "events lacked", "events new")
	p.Close()
	p.over(CloseLeft)
}

func testPermissionEnds(t *testing.T, s *suite) {
	sub := both()
	sub.Expires = time.Now().Add(300 * time.Millisecond)
	p := s.connect(t, sub)
	wantEvents(t, p.readUntil("", 4096), `goodbye {"reason":"expired"}`)
	p.over(CloseExpired)
}

// testPermission is one that tests withdraw.
type testPermission struct {
	withdrawn atomic.Bool
	left      atomic.Int32
}

func (p *testPermission) Revoked() bool { return p.withdrawn.Load() }
func (p *testPermission) Left()         { p.left.Add(1) }

// Of those who share a permission that is withdrawn all are thrown out, no
// others, and who gave it hears of each.
func testRevoked(t *testing.T, s *suite) {
	shared, other := &testPermission{}, &testPermission{}
	join := func(p *testPermission) *peer {
		sub := both()
		sub.Permission = p
		c := s.connect(t, sub)
		c.readUntilID()
		return c
	}
	first, second, stays := join(shared), join(shared), join(other)
	s.Recheck()
	s.put("events/0@0 a=e0")
	for _, p := range []*peer{first, second, stays} {
		wantEvents(t, p.readUntil("e0", 4096), "events e0")
	}
	shared.withdrawn.Store(true)
	s.Recheck()
	for _, p := range []*peer{first, second} {
		wantEvents(t, p.readUntil("", 4096), `goodbye {"reason":"expired"}`)
		p.over(CloseRevoked)
	}
	s.put("events/0@1 a=e1")
	wantEvents(t, stays.readUntil("e1", 4096), "events e1")
	stays.Close()
	stays.over(CloseLeft)
	if a, b := shared.left.Load(), other.left.Load(); a != 2 || b != 1 {
		t.Errorf("%d and %d left, want 2 and 1", a, b)
	}
}

// Whoever does not read what he was sent before the withdrawal is not waited
// for, wherever he is: in his prefix, between frames or in one.
func testRevokedStalled(t *testing.T, s *suite) {
	permission := &testPermission{}
	sub := both()
	sub.Permission = permission
	inRing := s.connect(t, sub)
	inRing.readUntilID()
	for i := range 40 {
		s.put(fmt.Sprintf("figures/0@%d k%d=%s", i, i, strings.Repeat("x", 50_000)))
	}
	inPrefix := s.connect(t, sub)
	permission.withdrawn.Store(true)
	s.Recheck()
	s.put("figures/0@40 k=late")
	for _, p := range []*peer{inRing, inPrefix} {
		p.over(CloseRevoked)
		if text := p.remains(); strings.Contains(text, "late") {
			t.Error("a record was sent behind the withdrawal")
		}
	}
	if n := permission.left.Load(); n != 2 {
		t.Errorf("%d left", n)
	}
}

// TestMemoryBehindStalled: what a stalled client costs does not grow with what
// is published.
func TestMemoryBehindStalled(t *testing.T) {
	s := newStage(t, func(c *Config) { c.RingBytes, c.JournalBytes = 1<<20, 1<<20 })
	p := newStalledPipe(t)
	client, err := s.Join(only("events"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan CloseReason, 1)
	go func() { ended <- client.Serve(p.ctx, p, nil) }()
	value := []byte(strings.Repeat("x", 10_000))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before uint64
	for i := range 3000 {
		if i == 500 {
			before = heap()
		}
		if err := s.Publish([]Record{{Topic: 0, Offset: int64(i), Value: value}}); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("the heap grew from %d to %d KiB behind a client that reads nothing", before>>10, after>>10)
	}
	p.hangUp()
	<-ended
}
