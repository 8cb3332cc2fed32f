package hub

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// count returns what a counter stands at.
func count(t *testing.T, c prometheus.Counter) int {
	t.Helper()
	all := prometheus.NewRegistry()
	all.MustRegister(c)
	found, err := all.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return int(found[0].GetMetric()[0].GetCounter().GetValue())
}

// heavy publishes n values of 10,000 bytes to figures, behind offset 1000, so
// that there are 1000 different ids from which all of them are owed.
func (s *stage) heavy(n int) {
	for i := range n {
		s.put(fmt.Sprintf("figures/0@%d k%d=%s", 1000+i, i, strings.Repeat("x", 10_000)))
	}
}

// figuresID returns the id of a client of figures that stands at next.
func figuresID(s *stage, next int64) string {
	return string((&id{topics: []idTopic{{name: s.topics[1].name, uuid: s.topics[1].uuidHash, next: []int64{next}}}}).append(nil))
}

// serveHello runs a client that reads hello and then nothing by itself.
func (s *stage) serveHello(sub Subscription) (*pipe, <-chan CloseReason) {
	s.t.Helper()
	client, err := s.Join(sub)
	if err != nil {
		s.t.Fatal(err)
	}
	p := newStalledPipe(s.t)
	ended := make(chan CloseReason, 1)
	go func() { ended <- client.Serve(p.ctx, p, nil) }()
	if _, err := p.peer.Read(make([]byte, 4096)); err != nil {
		s.t.Fatal(err)
	}
	return p, ended
}

// Hundreds of clients with large prefixes of their own that read nothing cost
// the others nothing: a prefix is planned only when there is room for it, those
// who wait are not woken in vain, and small prefixes pass.
func TestStalledJoinsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.PrefixBytes = 16 << 20 })
		s.heavy(200) // 2 MB: six of them may be in use at once
		const crowd, atOnce = 300, 6
		var pipes []*pipe
		var ends []<-chan CloseReason
		for i := range crowd {
			p, ended := s.serveHello(with(only("figures"), figuresID(s, int64(i))))
			pipes, ends = append(pipes, p), append(ends, ended)
		}
		synctest.Wait()
		if n := count(t, s.metrics.planned); n != atOnce {
			t.Errorf("%d plans for the %d for whom there is room", n, atOnce)
		}
		small, smallEnded := s.serve(both("k1")) // 10 KB
		for i := range 50 {
			s.put(fmt.Sprintf("events/0@%d k1=e%d", i, i))
		}
		synctest.Wait()
		if got := small.taken(); strings.Count(got, "event: figures") != 1 || !strings.Contains(got, "data: e49") {
			t.Errorf("a small join behind the crowd: %.300q", got)
		}
		if n := count(t, s.metrics.planned); n != atOnce+1 {
			t.Errorf("%d plans after a small join and 50 records", n)
		}
		for i := range crowd / 2 { // those with a prefix among them
			pipes[i].hangUp()
			<-ends[i]
		}
		synctest.Wait()
		if n := count(t, s.metrics.planned); n > crowd/2+atOnce+1 { // at most one for each who left
			t.Errorf("%d plans after half of the crowd left", n)
		}
		for i := crowd / 2; i < crowd; i++ {
			if reason := <-ends[i]; reason != CloseSlow {
				t.Errorf("client %d ended as %s", i, reason)
			}
		}
		if n := count(t, s.metrics.planned); n > crowd+1 {
			t.Errorf("%d plans for %d clients", n, crowd+1)
		}
		small.hangUp()
		<-smallEnded
		if s.prefixes.inUse() != 0 || s.prefixes.room.wanted() {
			t.Errorf("%d bytes of prefixes left", s.prefixes.inUse())
		}
	})
}

// A client that takes its prefix a byte at a time is closed when its time is up;
// one at twice the lowest rate is not.
func TestTrickledPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.heavy(200)
		begin := time.Now()
		p, ended := s.serveHello(with(only("figures"), figuresID(s, 0)))
		read := make(chan struct{})
		go func() {
			defer close(read)
			for {
				time.Sleep(DefaultStallTimeout - time.Second)
				if _, err := p.peer.Read(make([]byte, 1)); err != nil {
					return
				}
			}
		}()
		reason := <-ended
		if took := time.Since(begin); reason != CloseSlow || took < 3*time.Minute || took > 5*time.Minute {
			t.Errorf("ended as %s after %s", reason, took)
		}
		p.hangUp()
		<-read

		p, ended = s.serveHello(with(only("figures"), figuresID(s, 1)))
		for taken := 0; taken < 1_980_000; taken += 2 * lowestRate {
			time.Sleep(time.Second)
			if _, err := io.ReadFull(p.peer, make([]byte, 2*lowestRate)); err != nil {
				t.Fatalf("after %d bytes: %v", taken, err)
			}
		}
		p.hangUp()
		if reason := <-ended; reason != CloseLeft {
			t.Errorf("ended as %s", reason)
		}
	})
}

// One who takes hello a byte at a time holds up nobody who wants the same
// prefix.
func TestTrickledHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.PrefixBytes = 1 << 20 })
		s.heavy(60)
		first := s.join(with(only("figures"), figuresID(s, 0)))
		client, err := s.Join(with(only("figures"), figuresID(s, 1)))
		if err != nil {
			t.Fatal(err)
		}
		stalled := newStalledPipe(t)
		ended := make(chan CloseReason, 1)
		go func() { ended <- client.Serve(stalled.ctx, stalled, nil) }()
		synctest.Wait()
		same, sameEnded := s.serve(with(only("figures"), figuresID(s, 1)))
		synctest.Wait()
		first.leave()
		synctest.Wait()
		if got := same.taken(); strings.Count(got, "event: figures") != 60 {
			t.Errorf("behind one who has not read hello: %.200q", got)
		}
		same.hangUp()
		<-sameEnded
		stalled.hangUp()
		<-ended
	})
}

// Room is given first in, first out, to large ones up to three quarters.
func TestRoom(t *testing.T) {
	r := newRoom(256_000) // small: up to 1,000
	var order []string
	turns := map[string]*turn{}
	ask := func(name string, n int) { turns[name] = r.enqueue(n) }
	admitted := func() []string {
		order = order[:0]
		for name, t := range turns {
			if t.in {
				order = append(order, name)
			}
		}
		slices.Sort(order)
		return order
	}
	want := func(names ...string) {
		t.Helper()
		if got := admitted(); !slices.Equal(got, names) {
			t.Errorf("admitted are %q, want %q", got, names)
		}
	}
	ask("a", 150_000)
	ask("b", 100_000)
	ask("c", 10_000) // would fit, but b was first
	for i := range 64 {
		ask(fmt.Sprint("s", i), 1000)
	}
	if n := len(admitted()); n != 1+64 {
		t.Errorf("%d admitted, want a and the small ones", n)
	}
	for i := range 64 {
		r.leave(turns[fmt.Sprint("s", i)])
		delete(turns, fmt.Sprint("s", i))
	}
	want("a")
	r.leave(turns["b"]) // gone while it waits
	delete(turns, "b")
	want("a", "c")
	ask("d", 1_000_000) // more than there is: alone
	ask("e", 20_000)
	r.leave(turns["a"])
	delete(turns, "a")
	want("c")
	r.leave(turns["c"])
	delete(turns, "c")
	want("d")
	ask("f", 1000)
	want("d", "f")
	r.leave(turns["d"])
	delete(turns, "d")
	want("e", "f")
	if r.large != 20_000 || r.small != 1000 {
		t.Errorf("%d and %d bytes counted", r.large, r.small)
	}
}
