package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// worldLog is where the records of a world come from, as far back as it keeps
// them. It hands out a few records at a time.
type worldLog struct {
	w *world

	mu    sync.Mutex
	rng   *rand.Rand
	fail  func(topic int, partition int32) error // nil: never
	uuid  map[int][16]byte                       // of topics that were recreated
	reads int
}

func newWorldLog(w *world, rng *rand.Rand) *worldLog {
	w.kept = map[string][]int64{}
	for _, t := range w.topics {
		w.kept[t.Name] = make([]int64, len(w.logs[t.Name]))
	}
	return &worldLog{w: w, rng: rng, uuid: map[int][16]byte{}}
}

func (l *worldLog) id(topic int) [16]byte {
	if id, ok := l.uuid[topic]; ok {
		return id
	}
	return [16]byte{byte(topic + 1)}
}

func (l *worldLog) Read(ctx context.Context, topic int, partition int32, from int64, maxBytes int) (Stretch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.fail != nil {
		if err := l.fail(topic, partition); err != nil {
			return Stretch{}, err
		}
	}
	name := l.w.topics[topic].Name
	from = max(from, l.w.kept[name][partition])
	s := Stretch{UUID: l.id(topic), From: from, Next: from}
	for _, r := range l.w.logs[name][partition] {
		if r.Offset < from {
			continue
		}
		if len(s.Records) > l.rng.IntN(20) || maxBytes < 0 {
			break
		}
		s.Records = append(s.Records, r)
		s.Next = r.Offset + 1
		maxBytes -= len(r.Value)
	}
	return s, nil
}

func (l *worldLog) Find(_ context.Context, topic int, at time.Time) ([16]byte, []int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []int64
	name := l.w.topics[topic].Name
	for p, log := range l.w.logs[name] {
		next := l.w.kept[name][p]
		for _, r := range log {
			if r.Offset >= next {
				if !at.IsZero() && r.At.Std().Before(at) {
					next = r.Offset + 1
				} else {
					next = r.Offset
					break
				}
			}
		}
		out = append(out, next)
	}
	return l.id(topic), out, nil
}

func (l *worldLog) Ends(_ context.Context, topic int) ([16]byte, []int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []int64
	for _, log := range l.w.logs[l.w.topics[topic].Name] {
		end := int64(0)
		if len(log) > 0 {
			end = log[len(log)-1].Offset + 1
		}
		out = append(out, end)
	}
	return l.id(topic), out, nil
}

// trim drops the beginning of a random partition of a log topic, not more than
// all pods have read.
func (l *worldLog) trim(rng *rand.Rand, pods []*pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.w.topics[rng.IntN(len(l.w.topics))]
	p := rng.IntN(len(l.w.logs[t.Name]))
	n := len(l.w.logs[t.Name][p])
	for _, pod := range pods {
		n = min(n, pod.read[t.Name][p])
	}
	if t.Kind != feed.Log || n == 0 {
		return
	}
	l.w.kept[t.Name][p] = max(l.w.kept[t.Name][p], l.w.logs[t.Name][p][rng.IntN(n)].Offset)
}

// spanOf asks a pod for a random span of a client's topics that begins before
// at, and has the reader expect it.
func (c *modelClient) spanOf(p *pod, rng *rand.Rand, at orders.Time, over bool) error {
	at = max(at, 1)
	since := time.UnixMilli(1 + rng.Int64N(int64(at)))
	var until time.Time
	if over {
		until = since.Add(time.Duration(rng.Int64N(int64(at))) * time.Millisecond)
	}
	p.past.finds.forget()
	span, err := p.Locate(context.Background(), c.sub.Topics, "", since, until)
	if err != nil {
		return err
	}
	c.sub.Span = span
	for _, from := range span.from {
		for _, t := range c.world.topics {
			if hashName(t.Name) == from.name {
				copy(c.next[t.Name], from.next)
			}
		}
	}
	return nil
}

// A span that is over brings exactly what lies in it, whoever reads it how.
func TestModelSpan(t *testing.T) {
	for seed := range 40 {
		rng := rand.New(rand.NewPCG(uint64(seed), 8))
		if err := modelSpan(rng); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func modelSpan(rng *rand.Rand) error {
	w := newWorld(modelTopics, 1+rng.IntN(3))
	for range 800 {
		w.grow(rng, 12)
	}
	config := modelConfig()
	config.HistoryBytes = 1 << 16
	config.History = newWorldLog(w, rng)
	p, err := newPod(w, config, nil)
	if err != nil {
		return err
	}
	p.pageSize = 3000
	if err := p.pullAll(w); err != nil {
		return err
	}
	for range 6 {
		sub := pick(rng, 12)
		c := &modelClient{reader: newReader(w, sub), sub: sub}
		if err := c.spanOf(p, rng, w.clock, true); err != nil {
			return err
		}
		until := c.sub.Span.until
		for over := false; !over; {
			if err := c.connect(p); err != nil {
				return err
			}
			for steps := rng.IntN(12) + 1; steps > 0 && !over; steps-- {
				_, err := c.step(1)
				over = errors.Is(err, errEnd)
				if err != nil && !over {
					return err
				}
			}
			c.take(c.sink.Next(c.sink.Len()))
			if !over {
				if err := c.drop(rng); errors.Is(err, errEnd) {
					c.leave() // its last bytes are lost
				} else if err != nil {
					return err
				}
				continue
			}
			c.leave()
		}
		for _, t := range until.topics {
			for _, topic := range w.topics {
				if hashName(topic.Name) != t.name {
					continue
				}
				for k, to := range t.next {
					if n := c.missed(topic.Name, k, c.next[topic.Name][k], to); n > 0 || c.next[topic.Name][k] > to {
						c.wrong("%s/%d: stands at %d, the span ends at %d", topic.Name, k, c.next[topic.Name][k], to)
					}
				}
			}
		}
		if len(c.errs) > 0 || len(c.gaps) > 0 {
			return fmt.Errorf("%v of %v: %v %v", sub.Keys, sub.Topics, c.errs, c.gaps)
		}
	}
	return nil
}

// pasts is a stage whose events come from a log that goes back further than its
// journal.
func pasts(t *testing.T, records int, change func(*Config)) (*stage, *worldLog) {
	t.Helper()
	w := newWorld([]Topic{{Name: "events", Kind: feed.Log}, {Name: "figures", Kind: feed.State}}, 1)
	for i := range records {
		w.logs["events"][0] = append(w.logs["events"][0], Record{
			Offset: int64(i), Key: fmt.Append(nil, "k", i%3), Value: fmt.Appendf(nil, "e%d%s", i, make([]byte, 100)), At: orders.Time(1000 + i),
		})
	}
	log := newWorldLog(w, rand.New(rand.NewPCG(1, 1)))
	s := newStage(t, func(c *Config) {
		c.JournalBytes, c.History = 1<<16, log
		if change != nil {
			change(c)
		}
	})
	if err := s.Publish(w.logs["events"][0]); err != nil {
		t.Fatal(err)
	}
	return s, log
}

// numbered says whether events are exactly those from one number to another.
func numbered(events []string, from, to int) error {
	if len(events) != to-from {
		return fmt.Errorf("%d events, want %d to %d", len(events), from, to)
	}
	for i, e := range events {
		if want := fmt.Sprintf("events e%d\x00", from+i); e[:min(len(want), len(e))] != want {
			return fmt.Errorf("event %d is %.20q", from+i, e)
		}
	}
	return nil
}

// Clients that come back to about the same place share what is read and, at the
// same place, what is built.
func TestHistoryIsShared(t *testing.T) {
	s, log := pasts(t, 3000, nil)
	var first int
	stays := s.join(only("events")) // what was built is kept for a view that somebody has
	for i := range 20 {
		c := s.join(with(only("events"), eventsID(s, int64(10+i))))
		if err := numbered(c.read(), 10+i, 3000); err != nil {
			t.Fatal(err)
		}
		c.leave()
		if i == 0 {
			first = log.reads
		}
	}
	if log.reads > first {
		t.Errorf("the first client cost %d reads, twenty cost %d", first, log.reads)
	}
	before := count(t, s.metrics.built)
	again := s.join(with(only("events"), eventsID(s, 10)))
	again.read()
	again.leave()
	stays.leave()
	if n := count(t, s.metrics.built); n > before+1 { // the last page ends in the ring, and the ring is another
		t.Errorf("%d prefixes built for one who came the same way", n-before)
	}
	if n := s.past.kept(); n > DefaultHistoryBytes {
		t.Errorf("%d bytes are kept", n)
	}
}

// What is kept of the history stays within its bytes.
func TestHistoryIsBounded(t *testing.T) {
	s, _ := pasts(t, 5000, func(c *Config) { c.HistoryBytes = 1 << 16 })
	c := s.join(with(only("events"), eventsID(s, 0)))
	if err := numbered(c.read(), 0, 5000); err != nil {
		t.Fatal(err)
	}
	c.leave()
	if n := s.past.kept(); n > 1<<16 {
		t.Errorf("%d bytes are kept, allowed are %d", n, 1<<16)
	}
	shelves := 0
	for _, shelf := range s.past.shelves {
		shelves += len(shelf.pieces)
	}
	if shelves != s.past.recent.Len() {
		t.Errorf("%d pieces on shelves, %d in the list", shelves, s.past.recent.Len())
	}
}

// Heartbeats and a moving id come to a client whose keys are quiet in the past.
func TestQuietPast(t *testing.T) {
	s, _ := pasts(t, 3000, nil)
	c := s.join(with(only("events", "nobody"), eventsID(s, 0)))
	wantEvents(t, c.read())
	if id, err := parseID(c.leave()); err != nil || id.topics[0].at(0) != 3000 {
		t.Errorf("the id stands at %v, %v", id, err)
	}
}

// What the log no longer holds is a gap of that extent, then the rest.
func TestPastRetention(t *testing.T) {
	s, log := pasts(t, 3000, nil)
	log.w.kept["events"][0] = 1000
	c := s.join(with(only("events"), eventsID(s, 10)))
	events := c.read()
	wantEvents(t, events[:1], `gap {"topic":"events","partition":0,"reason":"expired","from":10,"to":1000,"at_most":990}`)
	if err := numbered(events[1:], 1000, 3000); err != nil {
		t.Error(err)
	}
	c.leave()
}

var errAway = errors.New("nobody leads it")

// away makes a log fail until the function is called.
func (l *worldLog) away() (back func()) {
	set := func(fail func(int, int32) error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.fail = fail
	}
	set(func(int, int32) error { return errAway })
	return func() { set(nil) }
}

// While the past cannot be read a client is told that the stream lives; it goes
// on where it was, or is sent to another pod when it has waited for long.
func TestPastAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := pasts(t, 3000, nil)
		back := log.away()
		p, ended := s.serve(with(only("events"), eventsID(s, 100)))
		time.Sleep(DefaultHeartbeat + time.Second)
		synctest.Wait()
		var g got
		g.take(t, []byte(p.taken()))
		if g.id != eventsID(s, 100) || len(g.events) > 0 {
			t.Errorf("while it waits: %.100q, id %s", g.events, g.id)
		}
		back()
		time.Sleep(2 * historyRest)
		synctest.Wait()
		g.take(t, []byte(p.taken()))
		if err := numbered(g.events, 100, 3000); err != nil {
			t.Error(err)
		}
		p.hangUp()
		<-ended

		log.away()
		s.past.forget(0)
		p, ended = s.serve(with(only("events"), eventsID(s, 200)))
		if reason := <-ended; reason != CloseBehind {
			t.Errorf("ended as %s", reason)
		}
		g.events = nil
		g.take(t, []byte(p.taken()))
		wantEvents(t, g.events, `goodbye {"reason":"behind"}`)
	})
}

// An id beyond what Kafka itself holds: the log was truncated while nobody
// looked. The client is told, and begins with the newest.
func TestTruncatedWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := pasts(t, 3000, nil)
		p, ended := s.serve(with(both(), eventsID(s, 5000)))
		time.Sleep(DefaultBehindWait + time.Second)
		synctest.Wait()
		var g got
		g.take(t, []byte(p.taken()))
		if len(g.events) == 0 || g.events[0] != `gap {"topic":"events","partition":0,"reason":"truncated","to":2998}` {
			t.Fatalf("got %.200q", g.events)
		}
		if err := numbered(g.events[1:], 2998, 3000); err != nil {
			t.Error(err)
		}
		p.hangUp()
		<-ended
		p, ended = s.serve(with(both(), g.id)) // the id that it has now holds
		synctest.Wait()
		g.events = nil
		g.take(t, []byte(p.taken()))
		wantEvents(t, g.events)
		p.hangUp()
		<-ended
	})
}

// A pod that only is behind tells no gap: Kafka has what the id says.
func TestBehindIsNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := pasts(t, 3000, nil)
		log.mu.Lock()
		log.w.logs["events"][0] = append(log.w.logs["events"][0], Record{Offset: 5000})
		log.mu.Unlock()
		p, ended := s.serve(with(only("events"), eventsID(s, 5001)))
		if reason := <-ended; reason != CloseBehind || strings.Contains(p.taken(), "gap") {
			t.Errorf("ended as %s", reason)
		}
	})
}

// A pod that has not heard that a topic was made again waits for the news
// instead of telling it to one who knows better.
func TestRecreatedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := pasts(t, 10, nil)
		log.mu.Lock()
		log.uuid[0] = [16]byte{99}
		log.mu.Unlock()
		id := string((&id{topics: []idTopic{{name: s.topics[0].name, uuid: hashUUID([16]byte{99}), next: []int64{1}}}}).append(nil))
		p, ended := s.serve(with(only("events"), id))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := p.taken(); strings.Contains(got, "gap") || strings.Contains(got, "events") && strings.Contains(got, "event: events") {
			t.Errorf("before the pod has heard: %.300q", got)
		}
		if err := s.SetTopic(0, [16]byte{99}, 1); err != nil {
			t.Fatal(err)
		}
		s.put("events/0@0 a=new0", "events/0@1 a=new1")
		synctest.Wait()
		var g got
		g.take(t, []byte(p.taken()))
		wantEvents(t, g.events, "events new1")
		p.hangUp()
		<-ended
	})
}

// A batch that nobody can decode is a gap of its extent, in the past as at
// present.
func TestDamaged(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 a=e0", "figures/0@0 a=1")
	stays, goes := s.join(both()), s.join(both())
	stays.read()
	goes.read()
	id := goes.leave()
	s.SetDamaged(0, 0, 1, 4)
	s.SetDamaged(1, 0, 1, 2)
	s.put("events/0@4 a=e4")
	want := []string{`gap {"topic":"events","partition":0,"reason":"reset","from":1,"to":4,"at_most":3}`,
		`gap {"topic":"figures","partition":0,"reason":"reset","from":1,"to":2,"at_most":1}`, "events e4"}
	wantEvents(t, stays.read(), want...)
	stays.leave()
	s.dropRings()
	c := s.join(with(both(), id))
	wantEvents(t, c.read(), want[0], want[2])
	c.leave()
}

// A log that is cut while a client is caught up from it: the client is told, and
// what takes the place of what it has seen does not pass for that.
func TestTruncatedWhileCaughtUp(t *testing.T) {
	s, log := pasts(t, 3000, nil)
	s.pageSize = 4000
	c := s.join(with(only("events"), eventsID(s, 10)))
	for len(c.got.events) == 0 || c.prefix != nil { // until its first page is over
		if _, err := c.advance(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.got.take(t, c.sink.Next(c.sink.Len()))
	}
	log.w.logs["events"][0] = log.w.logs["events"][0][:5]
	s.SetLost(0, 0, 3000, 5)
	s.put("events/0@5 a=new5", "events/0@6 a=new6")
	wantEvents(t, c.read(), `gap {"topic":"events","partition":0,"reason":"truncated","to":7}`)
	s.put("events/0@7 a=new7")
	wantEvents(t, c.read(), "events new7")
	c.leave()
}
