package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livemap/feed"
	"livemap/sse"
)

// stage is a hub with the topics figures (state) and events (log), and words
// for what the tests do with it.
type stage struct {
	*Hub
	t testing.TB
}

func newStage(t testing.TB, change func(*Config)) *stage {
	t.Helper()
	c := Config{Topics: []Topic{
		{Name: "events", Kind: feed.Log, Recent: 2},
		{Name: "figures", Kind: feed.State},
	}, MaxStreamAge: -1, Shards: -1} // a shard would keep synctest from its rest
	if change != nil {
		change(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Topics {
		if err := h.SetTopic(i, [16]byte{byte(i + 1)}, 1); err != nil {
			t.Fatal(err)
		}
		h.SetStart(i, 0, 0)
	}
	return &stage{h, t}
}

// put publishes records written as topic/partition@offset key=value; no "=value"
// is a tombstone.
func (s *stage) put(records ...string) {
	s.t.Helper()
	for _, text := range records {
		where, what, _ := strings.Cut(text, " ")
		key, value, has := strings.Cut(what, "=")
		topic, place, _ := strings.Cut(where, "/")
		var r Record
		if _, err := fmt.Sscanf(place, "%d@%d", &r.Partition, &r.Offset); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		r.Topic, r.Key = s.byName[topic], []byte(key)
		if has {
			r.Value = []byte(value)
		}
		if err := s.Publish([]Record{r}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// got is what a client was sent: events as "name data", and the last id.
type got struct {
	events []string
	id     string
	parser sse.Parser
}

// connection is a client stepped by hand.
type connection struct {
	*walker
	sink *memorySink
	got  got
	t    testing.TB
}

func (s *stage) join(sub Subscription) *connection {
	s.t.Helper()
	client, err := s.Join(sub)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &connection{sink: &memorySink{}, t: s.t}
	c.walker = &walker{Client: client, sink: c.sink}
	if err := c.enter(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// read returns the events that came since the last call, heartbeats left out.
func (c *connection) read() []string {
	c.t.Helper()
	for {
		news, err := c.advance(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		if news != nil {
			break
		}
	}
	c.got.events = nil
	c.got.take(c.t, c.sink.Next(c.sink.Len()))
	return c.got.events
}

func (g *got) take(t testing.TB, b []byte) {
	t.Helper()
	err := g.parser.Parse(b, func(e *sse.Event) {
		g.id = string(e.ID)
		if string(e.Name) != "heartbeat" && string(e.Name) != "hello" {
			g.events = append(g.events, string(e.Name)+" "+string(e.Data))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// leave ends the connection and returns the id to come back with.
func (c *connection) leave() string {
	if c.prefix != nil {
		c.hub.prefixes.release(c.prefix)
	}
	c.Reject()
	return c.got.id
}

// wantEvents compares events with what they should be.
func wantEvents(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func both(keys ...string) Subscription {
	return Subscription{Topics: []string{"figures", "events"}, Keys: keys}
}

func only(topic string, keys ...string) Subscription {
	return Subscription{Topics: []string{topic}, Keys: keys}
}

func with(s Subscription, id string) Subscription {
	s.LastID = id
	return s
}

func TestFreshClient(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "figures/0@1 b=1", "events/0@0 a=e0", "events/0@1 b=e1", "events/0@2 a=e2",
		"figures/0@2 a=2", "figures/0@3 c=1", "figures/0@4 c")
	c := s.join(both())
	wantEvents(t, c.read(), "events e1", "events e2", "figures 1", "figures 2")
	s.put("events/0@3 x=e3", "figures/0@5 b")
	wantEvents(t, c.read(), "events e3", `delete {"topic":"figures","key":"b"}`)
	c.leave()
	keyed := s.join(both("a"))
	wantEvents(t, keyed.read(), "events e0", "events e2", "figures 2")
	keyed.leave()
}

// An id whose position is in the ring continues exactly there, and costs no
// prefix.
func TestResumeInRing(t *testing.T) {
	for name, keys := range map[string][]string{"every key": nil, "one key": {"a"}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.put("events/0@0 a=e0", "figures/0@0 a=1")
			stays := s.join(both(keys...)) // keeps the ring
			goes := s.join(both(keys...))
			goes.read()
			s.put("events/0@1 a=e1")
			wantEvents(t, goes.read(), "events e1")
			id := goes.leave()
			s.put("figures/0@1 a=2", "figures/0@2 a=3", "events/0@2 b=e2", "events/0@3 a=e3")
			back := s.join(with(both(keys...), id))
			if back.prefix != nil {
				t.Error("the ring has the position, but a prefix was built")
			}
			want := []string{"figures 2", "figures 3", "events e2", "events e3"}
			if keys != nil {
				want = slices.Delete(want, 2, 3)
			}
			wantEvents(t, back.read(), want...)
			back.leave()
			stays.leave()
		})
	}
}

// Without a ring that has it, the position is answered from the topics: log
// topics record by record, state topics with the keys that changed since.
func TestResumeOutsideRing(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "figures/0@1 b=1", "figures/0@2 c=1", "events/0@0 a=e0")
	c := s.join(both())
	c.read()
	id := c.leave()
	s.put("events/0@1 a=e1", "figures/0@3 a=2", "figures/0@4 a=3", "figures/0@5 b", "events/0@2 b=e2", "events/0@3 a=e3")
	for range 2 { // the other pod answers the same
		back := s.join(with(both(), id))
		wantEvents(t, back.read(), "events e1", "events e2", "events e3", "figures 3", `delete {"topic":"figures","key":"b"}`)
		back.leave()
	}
}

func TestUnusableID(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "events/0@0 a=e0")
	for _, id := range []string{"nonsense", "AAAA", strings.Repeat("A", 4000), "AQ==", "\x00"} {
		c := s.join(with(both(), id))
		wantEvents(t, c.read(), `gap {"topic":"events","reason":"unknown_id"}`, "events e0",
			`gap {"topic":"figures","reason":"unknown_id"}`, "figures 1")
		c.leave()
	}
}

// Topics of the id that are not asked for are ignored; those that are asked for
// and not in the id start fresh.
func TestOtherTopics(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "events/0@0 a=e0", "events/0@1 a=e1", "events/0@2 a=e2")
	c := s.join(only("events"))
	wantEvents(t, c.read(), "events e1", "events e2")
	id := c.leave()
	s.put("events/0@3 a=e3")
	c = s.join(with(both(), id))
	wantEvents(t, c.read(), "events e3", "figures 1")
	id = c.leave()
	s.put("figures/0@1 a=2", "events/0@4 a=e4")
	c = s.join(with(only("figures"), id))
	wantEvents(t, c.read(), "figures 2")
	c.leave()
}

// Another key set: state topics fresh, log topics continue.
func TestOtherKeys(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "figures/0@1 b=1", "events/0@0 a=e0", "events/0@1 b=e1")
	c := s.join(both("a"))
	wantEvents(t, c.read(), "events e0", "figures 1")
	id := c.leave()
	s.put("events/0@2 a=e2", "events/0@3 b=e3")
	c = s.join(with(both("a", "b"), id))
	wantEvents(t, c.read(), "events e2", "events e3", "figures 1", "figures 1")
	id = c.leave()
	c = s.join(with(both(), id))
	wantEvents(t, c.read(), "figures 1", "figures 1")
	c.leave()
}

// A topic that was deleted and made again: a gap, then fresh; who is connected
// is told too.
func TestRecreated(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "events/0@7 a=old")
	stays, goes := s.join(both()), s.join(both())
	stays.read()
	goes.read()
	id := goes.leave()
	if err := s.SetTopic(s.byName["events"], [16]byte{99}, 1); err != nil {
		t.Fatal(err)
	}
	s.put("events/0@0 a=new", "figures/0@1 a=2")
	wantEvents(t, stays.read(), `gap {"topic":"events","reason":"recreated"}`, "events new", "figures 2")
	c := s.join(with(both(), id))
	wantEvents(t, c.read(), `gap {"topic":"events","reason":"recreated"}`, "events new", "figures 2")
	c.leave()
	c = s.join(with(both(), stays.leave()))
	wantEvents(t, c.read())
	c.leave()
}

// A partition added later begins at 0, for those who are connected and for
// those who come back with an id that knows nothing of it.
func TestNewPartition(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 a=e0")
	stays, goes := s.join(both()), s.join(both())
	stays.read()
	goes.read()
	id := goes.leave()
	if err := s.SetTopic(s.byName["events"], [16]byte{1}, 2); err != nil {
		t.Fatal(err)
	}
	s.put("events/1@0 b=n0", "events/0@1 a=e1", "events/1@1 b=n1")
	wantEvents(t, stays.read(), "events n0", "events e1", "events n1")
	stays.leave()
	c := s.join(with(only("events"), id))
	wantEvents(t, c.read(), "events n0", "events e1", "events n1")
	c.leave()
}

// What is no longer kept is a gap that says from where to where; the rest comes.
func TestExpired(t *testing.T) {
	s := newStage(t, func(c *Config) { c.JournalBytes = 1 << 16 })
	s.put("events/0@0 a=e0")
	c := s.join(only("events"))
	c.read()
	id := c.leave()
	large := strings.Repeat("x", 20_000)
	for i := range 6 {
		s.put(fmt.Sprintf("events/0@%d a=%s", i+1, large))
	}
	c = s.join(with(only("events"), id))
	wantEvents(t, c.read(), `gap {"topic":"events","partition":0,"reason":"expired","from":1,"to":4,"at_most":3}`,
		"events "+large, "events "+large, "events "+large)
	c.leave()
}

// Deletes that were forgotten make a state topic start fresh.
func TestForgottenDeletes(t *testing.T) {
	s := newStage(t, nil)
	s.put("figures/0@0 a=1", "figures/0@1 b=1")
	c := s.join(only("figures"))
	c.read()
	id := c.leave()
	s.put("figures/0@2 b")
	var records []Record
	for i := range MaxTombstones {
		records = append(records, Record{Topic: 1, Offset: int64(i + 3), Key: fmt.Append(nil, i)})
	}
	if err := s.Publish(records); err != nil {
		t.Fatal(err)
	}
	c = s.join(with(only("figures"), id))
	wantEvents(t, c.read(), `gap {"topic":"figures","reason":"expired"}`, "figures 1")
	c.leave()
	if n := len(s.topics[1].table.latest); n > MaxTombstones+1 {
		t.Errorf("%d keys are kept", n)
	}
}

// Heartbeats move the id of a client whose keys are quiet, so that it need not
// read again what others were sent.
func TestHeartbeatMovesID(t *testing.T) {
	s := newStage(t, nil)
	c := s.join(both("quiet"))
	c.read()
	before := c.got.id
	s.put("events/0@0 a=e0", "figures/0@0 a=1")
	wantEvents(t, c.read())
	if c.got.id != before {
		t.Error("the id moved without an event")
	}
	s.beat()
	c.read()
	v, err := parseID(c.leave())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range v.topics {
		if topic.at(0) != 1 {
			t.Errorf("after a heartbeat the id stands at %v", v.topics)
		}
	}
}

// A client of a filtered view gets ids of its own view, unkeyed ones those of
// the ring, for the same frames.
func TestIDsOfViews(t *testing.T) {
	s := newStage(t, nil)
	every, keyed := s.join(both()), s.join(both("a"))
	every.read()
	keyed.read()
	s.put("events/0@0 a=e0", "events/0@1 b=e1", "events/0@2 a=e2")
	every.read()
	keyed.read()
	a, b := every.leave(), keyed.leave()
	if a[idHeadText:] != b[idHeadText:] {
		t.Errorf("ids %s and %s stand at different places", a, b)
	}
	if a[:idHeadText] == b[:idHeadText] {
		t.Error("a keyed view has the id of every key")
	}
}

// A log truncated below what clients have: they are told, and offsets repeat.
func TestTruncated(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 a=e0", "events/0@1 a=e1", "events/0@2 a=e2")
	c := s.join(only("events"))
	c.read()
	s.SetLost(0, 0, 3, 1)
	s.put("events/0@1 a=f1", "events/0@2 a=f2", "events/0@3 a=f3")
	wantEvents(t, c.read(), `gap {"topic":"events","partition":0,"reason":"truncated","to":1}`, "events f1", "events f2", "events f3")
	id := c.leave()
	s.put("events/0@4 a=f4")
	c = s.join(with(only("events"), id))
	wantEvents(t, c.read(), "events f4")
	c.leave()
}

// A log that lost what comes next.
func TestLost(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 a=e0")
	c := s.join(only("events"))
	c.read()
	s.SetLost(0, 0, 1, 50)
	s.put("events/0@50 a=e50")
	wantEvents(t, c.read(), `gap {"topic":"events","partition":0,"reason":"expired","from":1,"to":50,"at_most":49}`, "events e50")
	c.leave()
}

// What lies before a hole is still sent, and then the hole.
func TestBeforeLost(t *testing.T) {
	s := newStage(t, nil)
	s.put("events/0@0 a=e0")
	c := s.join(only("events"))
	c.read()
	id, own := c.leave(), s.join(only("events", "a"))
	own.read()
	ownID := own.leave()
	s.put("events/0@1 a=e1")
	s.SetLost(0, 0, 2, 50)
	s.put("events/0@50 a=e50")
	hole := `gap {"topic":"events","partition":0,"reason":"expired","from":2,"to":50,"at_most":48}`
	for name, sub := range map[string]Subscription{
		"id before the hole": with(only("events"), id), "one key": with(only("events", "a"), ownID), "fresh": only("events"),
	} {
		s.dropRings()
		c := s.join(sub)
		if got := c.read(); !slices.Equal(got, []string{"events e1", hole, "events e50"}) {
			t.Errorf("%s: %q", name, got)
		}
		c.leave()
	}
	inside := eventsID(s, 20)
	c = s.join(with(only("events"), inside))
	wantEvents(t, c.read(), `gap {"topic":"events","partition":0,"reason":"expired","from":20,"to":50,"at_most":30}`, "events e50")
	c.leave()

	s.SetLost(0, 0, 51, 30) // the log now ends inside the hole
	s.put("events/0@30 a=f30")
	s.dropRings()
	c = s.join(with(only("events"), id))
	wantEvents(t, c.read(), "events e1", `gap {"topic":"events","partition":0,"reason":"expired","from":2,"to":30,"at_most":28}`, "events f30")
	c.leave()
	s.put("events/0@31 a=f31", "events/0@32 a=f32")
	c = s.join(only("events")) // a hole before all that a newcomer is sent concerns nobody
	wantEvents(t, c.read(), "events f31", "events f32")
	c.leave()
}

// dropRings leaves only journals and tables to continue from.
func (s *stage) dropRings() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.dropIdleRing() {
	}
}

// eventsID returns the id of a client of events that stands at next.
func eventsID(s *stage, next int64) string {
	return string((&id{topics: []idTopic{{name: s.topics[0].name, uuid: s.topics[0].uuidHash, next: []int64{next}}}}).append(nil))
}

// serve runs a client over a pipe and returns what it is sent.
func (s *stage) serve(sub Subscription) (*pipe, <-chan CloseReason) {
	s.t.Helper()
	client, err := s.Join(sub)
	if err != nil {
		s.t.Fatal(err)
	}
	p := newPipe(s.t)
	ended := make(chan CloseReason, 1)
	go func() {
		ended <- client.Serve(p.ctx, p, nil)
		p.Close()
	}()
	return p, ended
}

// A pod that has not read as far as the id says hello, waits, and then says
// goodbye; or goes on when it has.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := newStage(t, nil)
		ahead.put("events/0@0 a=e0", "events/0@1 a=e1", "events/0@2 a=e2")
		c := ahead.join(only("events"))
		c.read()
		id := c.leave()

		s := newStage(t, nil)
		s.put("events/0@0 a=e0")
		p, ended := s.serve(with(only("events"), id))
		synctest.Wait()
		if got := p.taken(); !strings.Contains(got, "event: hello") {
			t.Errorf("no hello while waiting: %q", got)
		}
		time.Sleep(4 * time.Second)
		s.put("events/0@1 a=e1", "events/0@2 a=e2", "events/0@3 a=e3")
		synctest.Wait()
		if got := p.taken(); strings.Contains(got, "e2") || !strings.Contains(got, "e3") || strings.Contains(got, "gap") {
			t.Errorf("after the pod has caught up: %q", got)
		}
		p.hangUp()
		if reason := <-ended; reason != CloseLeft {
			t.Errorf("ended as %s", reason)
		}

		s = newStage(t, nil)
		p, ended = s.serve(with(only("events"), id))
		time.Sleep(6 * time.Second)
		if reason := <-ended; reason != CloseBehind {
			t.Errorf("ended as %s", reason)
		}
		if got := p.taken(); !strings.Contains(got, `goodbye`+"\n"+`data: {"reason":"behind"}`) || strings.Contains(got, "id:") {
			t.Errorf("got %q", got)
		}
	})
}
