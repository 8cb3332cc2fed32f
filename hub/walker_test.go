package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Heartbeats come at their interval, with the id of the head and the time.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		p, ended := s.serve(both())
		synctest.Wait()
		opening := p.taken()
		if strings.Count(opening, "event: heartbeat") != 1 {
			t.Errorf("the opening does not end with a heartbeat: %q", opening)
		}
		time.Sleep(DefaultHeartbeat - time.Second)
		synctest.Wait()
		if got := p.taken(); got != "" {
			t.Errorf("before the heartbeat: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := "event: heartbeat\ndata: {\"now\":\"2000-01-01T00:00:15.000Z\"}\nid: "
		if got := p.taken(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q…", got, want)
		}
		cancel()
		if reason := <-ended; reason != CloseDrain {
			t.Errorf("ended as %s", reason)
		}
		if got := p.taken(); !strings.Contains(got, "event: goodbye\n") {
			t.Errorf("no goodbye: %q", got)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// Streams end between four and six fifths of the greatest age, not all at once.
func TestMaxAgeIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.MaxStreamAge = 10 * time.Minute })
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		begin := time.Now()
		var mu sync.Mutex
		var ages []time.Duration
		var wg sync.WaitGroup
		for range 50 {
			_, ended := s.serve(both())
			wg.Go(func() {
				if reason := <-ended; reason != CloseRebalance {
					t.Errorf("ended as %s", reason)
				}
				mu.Lock()
				defer mu.Unlock()
				ages = append(ages, time.Since(begin))
			})
		}
		wg.Wait()
		low, high := slices.Min(ages), slices.Max(ages)
		if low < 8*time.Minute || high > 12*time.Minute+2*time.Second || high-low < time.Minute {
			t.Errorf("streams ended after %s to %s", low, high)
		}
		cancel()
		<-ran
	})
}

// Clients are told different pauses, so that they do not come back all at once.
func TestRetryIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.RetryMin, c.RetryMax = time.Second, 3*time.Second })
		seen := map[int]bool{}
		for range 100 {
			p, ended := s.serve(only("events"))
			synctest.Wait()
			var g got
			g.take(t, []byte(p.taken()))
			ms := g.parser.RetryMilliseconds()
			if ms < 1000 || ms >= 3000 {
				t.Errorf("retry %d ms", ms)
			}
			seen[ms] = true
			p.hangUp()
			<-ended
		}
		if len(seen) < 50 {
			t.Errorf("only %d different pauses for 100 clients", len(seen))
		}
	})
}

// A client that accepts nothing is closed after the stall timeout, to the
// second; one that accepts a byte now and then never is, once it has its prefix.
func TestStallTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		serve := func() (*pipe, <-chan CloseReason) {
			client, err := s.Join(only("events"))
			if err != nil {
				t.Fatal(err)
			}
			p := newStalledPipe(t)
			ended := make(chan CloseReason, 1)
			go func() { ended <- client.Serve(p.ctx, p, nil) }()
			return p, ended
		}
		_, ended := serve()
		begin := time.Now()
		if reason := <-ended; reason != CloseSlow || time.Since(begin) != DefaultStallTimeout {
			t.Errorf("ended as %s after %s", reason, time.Since(begin))
		}
		p, ended := serve()
		for opening := ""; !strings.Contains(opening, "event: heartbeat"); {
			b := make([]byte, 4096)
			n, err := p.peer.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			opening += string(b[:n])
		}
		s.put("events/0@0 a=" + strings.Repeat("x", 1000))
		for range 20 {
			time.Sleep(DefaultStallTimeout - time.Second)
			if _, err := p.peer.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case reason := <-ended:
			t.Errorf("ended as %s although it reads", reason)
		default:
		}
		p.hangUp()
		<-ended
	})
}

// Clients that join from the same place share one prefix.
func TestSharedPrefix(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "events/0@0 a=e0")
	var tabs []*connection
	for range 10 {
		tabs = append(tabs, s.join(both()))
	}
	for _, c := range tabs[1:] {
		if c.prefix != tabs[0].prefix {
			t.Error("two tabs do not share a prefix")
		}
	}
	s.put("figures/0@1 b=1") // a moment later it still serves, with what came since from the ring
	late := s.join(both())
	if late.prefix != tabs[0].prefix {
		t.Error("a prefix was built although one was at hand")
	}
	for _, c := range append(tabs, late) {
		wantEvents(t, c.read(), "events e0", "figures 1", "figures 1")
		c.leave()
	}
	if s.prefixes.inUse() != 0 {
		t.Errorf("%d bytes of prefixes left", s.prefixes.inUse())
	}
}

// Beyond the budget of prefixes joins wait; they are told hello meanwhile, and
// come in as others are done.
func TestPrefixBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.PrefixBytes = 1 << 16 })
		for i := range 8 {
			s.put(fmt.Sprintf("figures/0@%d k%d=%s", i, i, strings.Repeat("x", 10_000)))
		}
		first := s.join(only("figures")) // larger than the whole budget: let through alone
		p, ended := s.serve(only("figures", "k1", "k2", "k3"))
		synctest.Wait()
		if got := p.taken(); !strings.HasPrefix(got, "retry:") || strings.Contains(got, "figures\ndata") {
			t.Errorf("while waiting: %.200q", got)
		}
		first.read()
		first.leave()
		synctest.Wait()
		if got := p.taken(); strings.Count(got, "event: figures") != 3 {
			t.Errorf("after the wait: %.200q", got)
		}
		p.hangUp()
		<-ended
		if s.prefixes.inUse() != 0 {
			t.Errorf("%d bytes of prefixes left", s.prefixes.inUse())
		}
	})
}

// A client that leaves while it waits gives up its place.
func TestPrefixQueueLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.PrefixBytes = 1 << 16 })
		for i := range 8 {
			s.put(fmt.Sprintf("figures/0@%d k%d=%s", i, i, strings.Repeat("x", 10_000)))
		}
		first := s.join(only("figures"))
		one, oneEnded := s.serve(only("figures", "k1"))
		two, twoEnded := s.serve(only("figures", "k1")) // waits for the one who waits
		synctest.Wait()
		one.hangUp()
		if reason := <-oneEnded; reason != CloseLeft {
			t.Errorf("ended as %s", reason)
		}
		first.read()
		first.leave()
		synctest.Wait()
		if got := two.taken(); !strings.Contains(got, "event: figures") {
			t.Errorf("who stayed was not served: %q", got)
		}
		two.hangUp()
		<-twoEnded
	})
}

func TestAdmission(t *testing.T) {
	s := newStage(t, func(c *Config) { c.MaxClients = 2 })
	a, b := s.join(both()), s.join(both())
	if _, err := s.Join(both()); !errors.Is(err, ErrFull) {
		t.Errorf("the third of two: %v", err)
	}
	a.leave()
	s.join(both()).leave()
	b.leave()
	for name, c := range map[string]struct {
		sub  Subscription
		want error
	}{
		"no topic":      {Subscription{}, ErrNoTopic},
		"unknown topic": {only("orders"), ErrUnknownTopic},
		"empty keys":    {Subscription{Topics: []string{"events"}, Keys: []string{}}, ErrKeys},
		"too many keys": {Subscription{Topics: []string{"events"}, Keys: manyKeys(MaxViewKeys + 1)}, ErrKeys},
	} {
		if _, err := s.Join(c.sub); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if n := s.Clients(); n != 0 {
		t.Errorf("%d clients after refusals", n)
	}
}

func manyKeys(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
	}
	return keys
}

// Ten thousand key sets cost little each, and nothing once they are gone.
func TestManyViews(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 k1=e0")
	const views = 10_000
	var clients []*Client
	before := allocated()
	for i := range views {
		c, err := s.Join(both("world", fmt.Sprint("k", i)))
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	if each := (allocated() - before) / views; each > 2048 {
		t.Errorf("a view and its client cost %d bytes", each)
	}
	for i := range 50 {
		s.put(fmt.Sprintf("events/0@%d k%d=x", i+1, i))
	}
	for _, c := range clients {
		c.Reject()
	}
	for _, r := range s.rings {
		if len(r.views) != 0 || len(r.dirty) != 0 {
			t.Errorf("%d views, %d to wake left", len(r.views), len(r.dirty))
		}
		for key, p := range r.postings {
			if len(p.frames) == 0 {
				t.Errorf("key %s is remembered for nothing", key)
			}
		}
	}
}

// links connect a client to one who reads, by each of the drivers.
var links = map[string]func(t *testing.T, c *Client) (peer net.Conn, hangUp func(), ended <-chan CloseReason){
	"walker": func(t *testing.T, c *Client) (net.Conn, func(), <-chan CloseReason) {
		link := newStalledPipe(t)
		ended := make(chan CloseReason, 1)
		go func() { ended <- c.Serve(link.ctx, link, nil) }()
		return link.peer, link.hangUp, ended
	},
}

// TestConcurrent runs the whole hub at once, and compares what was delivered
// with what the clients were owed.
func TestConcurrent(t *testing.T) {
	for name, link := range links {
		t.Run(name, func(t *testing.T) { testConcurrent(t, link, false) })
		t.Run(name+" with history", func(t *testing.T) { testConcurrent(t, link, true) })
	}
}

func testConcurrent(t *testing.T, link func(*testing.T, *Client) (net.Conn, func(), <-chan CloseReason), history bool) {
	rng := rand.New(rand.NewPCG(11, 7))
	w := newWorld(modelTopics, 3)
	for range 6000 {
		w.grow(rng, 12)
	}
	config := modelConfig()
	config.Heartbeat = 200 * time.Millisecond
	if history { // next to nothing is remembered, and reading fails at times
		log := newWorldLog(w, rng)
		log.fail = func(int, int32) error {
			if log.rng.IntN(200) == 0 {
				return errAway
			}
			return nil
		}
		log.rng = rand.New(rand.NewPCG(11, 8))
		config.History, config.HistoryBytes, config.JournalBytes = log, 1<<16, 1<<16
	}
	p, err := newPod(w, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.pageSize = 3000
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()

	var clients sync.WaitGroup
	published := make(chan struct{})
	for i := range 24 {
		sub := pick(rng, 12)
		slices.Sort(sub.Keys)
		seed := uint64(i)
		clients.Go(func() { roam(t, p, w, sub, seed, published, link) })
	}
	for step := range 3000 {
		if err := p.pull(w, rng, rng.IntN(6)); err != nil {
			t.Fatal(err)
		}
		if step%100 == 0 {
			p.beat()
		}
	}
	if err := p.pullAll(w); err != nil {
		t.Fatal(err)
	}
	p.beat()
	close(published)
	clients.Wait()
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// roam is a client that connects, reads at its own pace, goes and comes back,
// until it has everything.
func roam(t *testing.T, p *pod, w *world, sub Subscription, seed uint64, published <-chan struct{},
	link func(*testing.T, *Client) (net.Conn, func(), <-chan CloseReason)) {
	rng := rand.New(rand.NewPCG(seed, 5))
	r := newReader(w, sub)
	for over := false; !over; {
		select {
		case <-published:
			over = true
		default:
		}
		sub.LastID = r.reconnect()
		client, err := p.Join(sub)
		if err != nil {
			t.Error(err)
			return
		}
		view := client.view
		conn, hangUp, ended := link(t, client)
		b := make([]byte, 50+rng.IntN(20_000))
		for reads := rng.IntN(200); over || reads > 0; reads-- {
			wait := 30 * time.Second
			if !over { // it goes before a quiet stream says something
				wait = 20 * time.Millisecond
			}
			conn.SetReadDeadline(time.Now().Add(wait))
			n, err := conn.Read(b)
			if errors.Is(err, os.ErrDeadlineExceeded) && !over {
				break
			}
			if err != nil {
				t.Error(err)
				break
			}
			r.take(b[:n])
			if over && atHead(p, view, string(r.parser.LastEventID())) {
				break
			}
		}
		hangUp()
		<-ended
	}
	r.settle()
	for _, e := range r.errs {
		t.Errorf("asking for %v of %v: %s", sub.Keys, sub.Topics, e)
	}
}

// atHead says whether id is the position of all that was published.
func atHead(p *pod, v *view, id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return id == string(v.head[:])+string(p.tail(v.ring))
}
