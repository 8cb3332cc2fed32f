package hub

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"livemap/sse"
)

// While the past cannot be read a shard's client costs its slot and is told that
// the stream lives; then it goes on where it was.
func TestShardPastAway(t *testing.T) {
	s, log := pasts(t, 3000, func(c *Config) { c.Shards, c.Heartbeat = 1, 100*time.Millisecond })
	back := log.away()
	defer s.running()()
	p, _ := s.attach(with(only("events"), eventsID(s, 100)), 64<<10)
	p.SetReadDeadline(time.Now().Add(30 * time.Second))
	var parser sse.Parser
	var events []string
	beats := 0
	b := make([]byte, 32<<10)
	for len(events) < 2900 {
		n, err := p.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		err = parser.Parse(b[:n], func(e *sse.Event) {
			switch string(e.Name) {
			case "heartbeat":
				if beats++; len(events) == 0 && beats <= 3 && string(e.ID) != eventsID(s, 100) {
					t.Errorf("a heartbeat moved the id to %s", e.ID)
				}
			case "events":
				events = append(events, string(e.Name)+" "+string(e.Data))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if beats == 3 {
			back()
		}
	}
	if err := numbered(events, 100, 3000); err != nil {
		t.Error(err)
	}
	p.Close()
	p.over(CloseLeft)
}

// A client that leaves, and one that is to end, while they wait for the past.
func TestShardLeavesPast(t *testing.T) {
	s, log := pasts(t, 3000, func(c *Config) { c.Shards = 1 })
	log.away()
	stop := s.running()
	leaves, _ := s.attach(with(only("events"), eventsID(s, 100)), 64<<10)
	leaves.Read(make([]byte, 1))
	leaves.Close()
	leaves.over(CloseLeft)
	ends, _ := s.attach(with(only("events"), eventsID(s, 100)), 64<<10)
	ends.Read(make([]byte, 1))
	stop()
	ends.over(CloseDrain)
	if n := s.builders.waiting(); n != 0 || s.prefixes.inUse() != 0 {
		t.Errorf("%d pages are waited for, %d bytes of prefixes are left", n, s.prefixes.inUse())
	}
}

// Clients that come back from different places in the past cost the
// hub a slot and a place in line each, whatever they are owed: nothing that
// grows with their number is held for long, and all get what they are owed.
func TestCrowdFromPast(t *testing.T) {
	const crowd, records = 150, 2000
	s, _ := pasts(t, records, func(c *Config) {
		c.Shards, c.PrefixBytes, c.HistoryBytes = 2, 4<<20, 1<<20
	})
	defer s.running()()
	most := 0
	var mu sync.Mutex
	var clients sync.WaitGroup
	for i := range crowd {
		from := rand.IntN(1000)
		p, _ := s.attach(with(only("events"), eventsID(s, int64(from))), 16<<10)
		clients.Go(func() {
			p.SetReadDeadline(time.Now().Add(2 * time.Minute))
			b := make([]byte, 8<<10)
			for len(p.got.events) < records-from {
				n, err := p.Read(b)
				if err != nil {
					t.Errorf("client %d: %v after %d events", i, err, len(p.got.events))
					return
				}
				p.got.take(t, b[:n])
			}
			if err := numbered(p.got.events, from, records); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			mu.Lock()
			most = max(most, s.prefixes.inUse())
			mu.Unlock()
			p.Close()
		})
	}
	goroutines := runtime.NumGoroutine()
	clients.Wait()
	if most > 5<<20 {
		t.Errorf("%d bytes of prefixes at once", most)
	}
	if n := goroutines - crowd; n > 100 {
		t.Errorf("%d goroutines besides the test's own", n)
	}
	if n := s.past.kept(); n > 1<<20 {
		t.Errorf("%d bytes of the history are kept", n)
	}
}
