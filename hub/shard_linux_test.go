package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"livemap/hub/internal/poll"
)

// A client is at most 64 bytes of ours, with nothing in it for the collector.
func TestSlotSize(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n > 64 {
		t.Errorf("a slot has %d bytes", n)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[slot]()) {
		switch f.Type.Kind() {
		case reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint8, reflect.Bool:
		default:
			t.Errorf("%s is a %s", f.Name, f.Type)
		}
	}
}

// running starts the hub of a stage; the function ends it.
func (s *stage) running() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ran; err != nil {
			s.t.Error(err)
		}
	}
}

// attach joins and hands over one end of a connection.
func (s *stage) attach(sub Subscription, buffers int) (*peer, <-chan CloseReason) {
	s.t.Helper()
	c, err := s.Join(sub)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, other := socketPair(s.t, buffers)
	ended := handOver(c, conn, nil)
	return &peer{TCPConn: other, t: s.t.(*testing.T), ended: ended}, ended
}

// From its arrival to its end a client costs the shard no allocation, and
// neither does an event.
func TestShardAllocations(t *testing.T) {
	shared := &testPermission{}
	for name, test := range map[string]struct {
		sub        Subscription
		permission func() Permission // of the next client
	}{
		"every key":                {both(), func() Permission { return nil }},
		"two keys":                 {both("a", "b"), func() Permission { return nil }},
		"a permission with others": {both(), func() Permission { return shared }},
		"a permission of its own":  {both("a", "b"), permissions(120)},
	} {
		t.Run(name, func(t *testing.T) {
			sub := test.sub
			s := newStage(t, func(c *Config) { c.Shards = 1 })
			sub.Permission = shared
			keeps, err := s.Join(sub) // keeps the view
			if err != nil {
				t.Fatal(err)
			}
			p, err := poll.New()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			shard, offset := s.shards.all[0], int64(0)
			shard.openQueue()
			defer shard.closeQueue()
			publish := func() {
				if err := s.Publish([]Record{{Topic: 0, Offset: offset, Key: []byte("a"), Value: []byte(`{"v":1}`)}}); err != nil {
					t.Fatal(err)
				}
				offset++
			}
			var b [64 << 10]byte
			arrive := func() (int, *net.TCPConn) {
				conn, other := socketPair(t, 64<<10)
				fd, err := poll.Detach(conn)
				if err != nil {
					t.Fatal(err)
				}
				return fd, other
			}
			// As many connections as there will be runs, made before they count.
			var fds []int
			var others []*net.TCPConn
			for range 120 {
				fd, other := arrive()
				fds, others = append(fds, fd), append(others, other)
			}
			life := func() {
				s.mu.Lock()
				keeps.view.clients++ // as Join does
				next := keeps.view.ring.next
				s.mu.Unlock()
				s.clients.mu.Lock()
				s.clients.sharded++
				shard.load++
				s.clients.mu.Unlock()
				shard.arrive(p, &arrival{fd: fds[0], view: keeps.view, permission: test.permission(), next: next, expires: 1 << 62})
				for range 3 {
					publish()
					shard.read(p)
					if n, err := others[0].Read(b[:]); err != nil || n == 0 {
						t.Fatal(n, err)
					}
				}
				shard.recheck()
				shard.ungather()
				shard.drop(0, CloseLeft)
				fds, others = fds[1:], others[1:]
			}
			for range 10 {
				life()
			}
			alone := testing.AllocsPerRun(100, func() { publish(); publish(); publish() })
			together := testing.AllocsPerRun(100, life)
			if extra := together - alone; extra > 4 { // the audience, which in life has many clients
				t.Errorf("a client's life allocates %.1f times", extra)
			}
			for _, o := range others {
				o.Close()
			}
			for _, fd := range fds {
				poll.Close(fd)
			}
			keeps.Reject()
		})
	}
}

// permissions returns a function that returns another one each time, of n made
// before they count.
func permissions(n int) func() Permission {
	all := make([]testPermission, n)
	return func() Permission {
		p := &all[0]
		all = all[1:]
		return p
	}
}

// descriptors returns how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// However clients leave, no descriptor, goroutine, position or prefix is left.
func TestShardLeavesNothing(t *testing.T) {
	before := descriptors(t)
	goroutines := runtime.NumGoroutine()
	s := newStage(t, func(c *Config) { c.Shards = 2 })
	s.put("figures/0@0 a=" + strings.Repeat("x", 20_000))
	stop := s.running()
	var peers []*peer
	held := permissions(31)
	shared := held()
	for i := range 90 {
		sub := both()
		switch i % 3 {
		case 0:
			sub.Permission = shared
		case 1:
			sub.Permission = held()
		}
		p, _ := s.attach(sub, 32<<10)
		peers = append(peers, p)
		switch i % 3 {
		case 0:
			p.Close()
		case 1:
			p.SetLinger(0)
			p.Close()
		}
	}
	if n := runtime.NumGoroutine(); n > goroutines+10 {
		t.Errorf("%d goroutines for 90 clients", n-goroutines)
	}
	for i, p := range peers {
		if i%3 < 2 {
			p.over(CloseLeft)
		}
	}
	stop()
	for _, p := range peers {
		p.Close()
	}
	for _, shard := range s.shards.all {
		if n := len(shard.positions.all) - len(shard.positions.free); n != 0 {
			t.Errorf("%d positions left", n)
		}
		if n := len(shard.prefixes.all) - len(shard.prefixes.free); n != 0 {
			t.Errorf("%d prefixes left", n)
		}
		if n := len(shard.permissions.all) - len(shard.permissions.free); n != 0 {
			t.Errorf("%d permissions left", n)
		}
		if n := len(shard.rests.all) - len(shard.rests.free); n != 0 || shard.restBytes != 0 {
			t.Errorf("%d rests of %d bytes left", n, shard.restBytes)
		}
		if shard.slab.used != 0 || len(shard.byView) != 0 || shard.load != 0 {
			t.Errorf("%d slots, %d audiences, load %d left", shard.slab.used, len(shard.byView), shard.load)
		}
	}
	if n := descriptors(t); n > before {
		t.Errorf("%d descriptors left", n-before)
	}
	if n := shared.(*testPermission).left.Load(); n != 30 {
		t.Errorf("told of %d of the 30 who shared a permission", n)
	}
	if s.Clients() != 0 || s.views != 0 {
		t.Errorf("%d clients, %d views left", s.Clients(), s.views)
	}
}

// What many are owed goes out with few calls, and each gets the same, in order and
// whole: also who reads nothing for a while, and when others leave meanwhile.
func TestTellTogether(t *testing.T) {
	const clients, records = togetherClients + 50, 40
	s := newStage(t, func(c *Config) { c.Shards = 1 })
	stop := s.running()
	large := strings.Repeat("x", 8000)
	var want []string
	publish := func(i int) {
		want = append(want, fmt.Sprintf("events %d%s", i, large))
		s.put(fmt.Sprintf("events/0@%d a=%d%s", i, i, large))
	}
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i], _ = s.attach(only("events"), 64<<10)
	}
	publish(0)
	for _, p := range peers { // when they have that, they wait for more
		p.readUntil("events 0", 64<<10)
	}
	want = nil
	slow, gone := peers[7], peers[9]
	if err := errors.Join(gone.SetLinger(0), gone.Close()); err != nil {
		t.Fatal(err)
	}
	gone.over(CloseLeft)
	var readers sync.WaitGroup
	for _, p := range peers {
		if p != slow && p != gone {
			readers.Go(func() { wantEvents(t, p.readUntil(fmt.Sprintf("events %d", records-1), 64<<10), want...) })
		}
	}
	for i := 1; i < records; i++ {
		publish(i)
	}
	readers.Wait()
	wantEvents(t, slow.readUntil(fmt.Sprintf("events %d", records-1), 1000), want...)
	for _, p := range peers {
		p.Close()
	}
	stop()
	if cap(s.shards.all[0].told) == 0 {
		t.Log("each got it by a call of its own: io_uring cannot be used here")
	}
}

// A stream that ends in the middle of its prefix ends behind a whole event.
func TestGoodbyeInPrefix(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards, c.MaxStreamAge = 1, 200*time.Millisecond })
	for i := range 40 {
		s.put(fmt.Sprintf("figures/0@%d k%d=%s", i, i, strings.Repeat("x", 30_000)))
	}
	defer s.running()()
	p, _ := s.attach(both(), 32<<10)
	select { // it is not over: the socket is full
	case r := <-p.ended:
		t.Fatalf("ended as %s", r)
	case <-time.After(time.Second):
	}
	events := p.readUntil("", 32<<10)
	if n := len(events); n < 2 || n > 40 || events[n-1] != `goodbye {"reason":"rebalance"}` {
		t.Errorf("%d events, the last %.80q", n, events[n-1])
	}
	for _, e := range events[:len(events)-1] {
		if len(e) != len("figures ")+30_000 {
			t.Errorf("a cut event: %d bytes", len(e))
		}
	}
	p.over(CloseRebalance)
}

// A client that is far behind does not keep the loop to itself, and gets all.
func TestFarBehind(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards = 1 })
	defer s.running()()
	stays, _ := s.attach(only("events"), 4<<20)
	stays.readUntilID()
	id := stays.got.id
	const records = 500
	value := strings.Repeat("x", 20_000)
	go func() {
		for i := range records {
			s.put(fmt.Sprintf("events/0@%d a=%d%s", i, i, value))
		}
	}()
	stays.readUntil(fmt.Sprintf("events %dx", records-1), 64<<10)
	back, _ := s.attach(with(only("events"), id), 4<<20)
	if got := len(back.readUntil(fmt.Sprintf("events %dx", records-1), 64<<10)); got != records {
		t.Errorf("%d of %d events", got, records)
	}
	for _, p := range []*peer{stays, back} {
		p.Close()
		p.over(CloseLeft)
	}
}

// Who shows an id that the hub has not reached is told hello while it waits; it
// may leave meanwhile, or be told that it was in vain.
func TestShardBehind(t *testing.T) {
	t.Run("connection", func(t *testing.T) {
		testShardBehind(t, func(c *Client, conn *net.TCPConn) { c.HandOver(conn, nil) })
	})
	t.Run("bare socket", func(t *testing.T) {
		testShardBehind(t, func(c *Client, conn *net.TCPConn) {
			fd, err := poll.Detach(conn)
			if err != nil {
				t.Error(err)
			}
			c.HandOverSocket(fd, nil)
		})
	})
}

func testShardBehind(t *testing.T, handOver func(*Client, *net.TCPConn)) {
	ahead := newStage(t, nil)
	ahead.put("events/0@0 a=e0", "events/0@1 a=e1")
	c := ahead.join(only("events"))
	c.read()
	id := c.leave()
	s := newStage(t, func(c *Config) { c.Shards, c.BehindWait = 1, 300*time.Millisecond })
	s.put("events/0@0 a=e0")
	defer s.running()()
	var waiting sync.WaitGroup
	connect := func(run func(p *peer)) {
		client, err := s.Join(with(only("events"), id))
		if err != nil {
			t.Fatal(err)
		}
		conn, other := socketPair(t, 32<<10)
		ended := make(chan CloseReason, 1)
		client.over = func(r CloseReason) { ended <- r }
		waiting.Go(func() { handOver(client, conn) })
		run(&peer{TCPConn: other, t: t, ended: ended})
	}
	connect(func(p *peer) {
		wantEvents(t, p.readUntil("", 4096), `goodbye {"reason":"behind"}`)
		p.over(CloseBehind)
	})
	connect(func(p *peer) {
		p.Close()
		p.over(CloseLeft)
	})
	connect(func(p *peer) {
		p.Read(make([]byte, 1)) // it waits
		s.put("events/0@1 a=e1", "events/0@2 a=e2")
		wantEvents(t, p.readUntil("e2", 4096), "events e2")
		p.Close()
		p.over(CloseLeft)
	})
	waiting.Wait()
}

// A fifth of the clients take nothing: the others get every event, and what the
// hub holds does not grow.
func TestStalledFifth(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards, c.RingBytes, c.JournalBytes = 2, 512<<10, 512<<10 })
	defer s.running()()
	var peers []*peer
	var stalled []*peer
	for i := range 50 {
		p, _ := s.attach(only("events"), 32<<10)
		if i%5 == 0 {
			stalled = append(stalled, p)
		} else {
			p.readUntilID()
			peers = append(peers, p)
		}
	}
	value := strings.Repeat("x", 2000)
	var before int64
	for i := range 2000 {
		s.put(fmt.Sprintf("events/0@%d a=%d%s", i, i, value))
		if i%20 == 19 { // the others keep up
			for _, p := range peers {
				if got := p.readUntil(fmt.Sprintf("events %dx", i), 64<<10); len(got) != 20 {
					t.Fatalf("%d of 20 events: %.40q", len(got), got[0])
				}
			}
		}
		if i == 500 {
			before = allocated()
		}
	}
	if after := allocated(); after > before+2<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
	}
	for _, p := range append(peers, stalled...) {
		p.Close()
		p.over(CloseLeft)
	}
}

// What a client that waits costs, beside its socket, in the heap and in stacks.
func TestMemoryPerClient(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards = 1 })
	defer s.running()()
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const clients = 1000
	var peers []int
	var before int64
	for i := range clients + 1 {
		if i == 1 { // the first brings the ring with it
			s.put("events/0@0 a=e0")
			before = used()
		}
		conn, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Join(both())
		if err != nil {
			t.Fatal(err)
		}
		c.HandOver(accepted, []byte("HEAD"))
		fd, err := poll.Detach(conn) // so that only the hub's side is counted
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, fd)
	}
	s.put("events/0@1 a=e1")
	each := (used() - before) / clients
	t.Logf("%d bytes a client", each)
	if each > 512 {
		t.Errorf("a client costs %d bytes", each)
	}
	for _, fd := range peers {
		poll.Close(fd)
	}
}

// A shard that the kernel no longer lets wait ends its clients, and the hub says
// why; those of other shards are told goodbye.
func TestShardFails(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards = 2 })
	ran := make(chan error, 1)
	go func() { ran <- s.Run(t.Context()) }()
	var peers []*peer
	for range 4 {
		p, _ := s.attach(both(), 64<<10)
		p.readUntilID()
		peers = append(peers, p)
	}
	broken := s.shards.all[0]
	broken.post(func(m *mail) {
		p := m.poller
		m.calls = append(m.calls, func() { p.Close() }) // by the loop itself, which waits next
	})
	if err := <-ran; err == nil || !strings.Contains(err.Error(), "hub: shard 0: ") {
		t.Errorf("ended with %v", err)
	}
	told := 0
	for _, p := range peers {
		if strings.Contains(p.remains(), `goodbye`) {
			told++
		}
		p.over(CloseDrain)
	}
	if told < 2 || s.Clients() != 0 { // those of the broken one may be told, too
		t.Errorf("%d were told goodbye, want 2 at least; %d clients left", told, s.Clients())
	}
	if _, err := s.Join(both()); err == nil {
		t.Error("somebody may join")
	}
}

// Ten thousand different key sets take little each, and all of it comes back.
func TestKeySetsMemory(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Shards = 1 })
	defer s.running()()
	keep, _ := s.attach(both(), 64<<10)
	for i := range 100 {
		s.put(fmt.Sprintf("figures/0@%d k%d=%d", i, i, i))
	}
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	const sets = 10_000
	var clients []*Client
	for i := range sets {
		sub := only("figures")
		sub.Keys = []string{fmt.Sprintf("k%d", i%100), fmt.Sprintf("k%d", i/100), "k7"}
		c, err := s.Join(sub)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for i := range 100 { // frames, with postings
		s.put(fmt.Sprintf("figures/0@%d k%d=%d", 100+i, i, i))
	}
	each := (used() - before) / sets
	t.Logf("%d bytes a key set, with its client", each)
	if each > 2<<10 {
		t.Errorf("a key set takes %d bytes", each)
	}
	for _, c := range clients {
		c.Reject()
	}
	clear(clients)
	if left := used() - before; left > sets*128 { // maps keep their buckets
		t.Errorf("%d bytes left", left)
	}
	keep.Close()
	keep.over(CloseLeft)
}
