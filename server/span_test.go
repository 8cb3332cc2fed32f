package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/hub"
	"livemap/kafka"
	"livemap/orders"
)

// pastBegin is when the first record of the past was written.
var pastBegin = time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Second)

// past writes n records to events, one a second by their timestamps, whose
// values are numbered.
func (c *cluster) past(n int) {
	c.t.Helper()
	for i := range n {
		r := kafka.Record{
			Topic: "events", Key: fmt.Append(nil, "k", i%7), At: orders.TimeOf(pastBegin.Add(time.Duration(i) * time.Second)),
			Value: fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, strings.Repeat("x", 200)),
		}
		if err := c.producer.Produce(c.t.Context(), r); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := c.producer.Flush(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// forgetful is a pod whose journal holds next to nothing.
func forgetful(c *Config) {
	c.Hub.JournalBytes, c.Hub.HistoryBytes = 1<<16, 1<<16
	// On a busy machine a client can be behind by more than that: it is caught up.
	c.Topics["events"] = TopicConfig{Kind: feed.Log, Recent: 5, MaxAge: time.Second, Lapped: hub.LappedCatchUp}
}

// tally counts what came by number, and fails the test where one comes twice or
// a key's go back.
type tally struct {
	t    *testing.T
	seen map[int]bool
	last map[int]int
}

func newTally(t *testing.T) *tally { return &tally{t, map[int]bool{}, map[int]int{}} }

func (y *tally) take(event string) {
	y.t.Helper()
	var n int
	if _, err := fmt.Sscanf(event, `events {"n":%d`, &n); err != nil {
		y.t.Fatalf("got %q", event)
	}
	if y.seen[n] || y.last[n%7] > n {
		y.t.Errorf("record %d came again, or late", n)
	}
	y.seen[n], y.last[n%7] = true, n
}

// complete says whether exactly the records from low up to high came.
func (y *tally) complete(low, high int) {
	y.t.Helper()
	if len(y.seen) != high-low {
		y.t.Errorf("%d records came, should be %d", len(y.seen), high-low)
	}
	for n := range y.seen {
		if n < low || n >= high {
			y.t.Errorf("record %d came", n)
		}
	}
}

// A client gets the past from Kafka where the pod has forgotten it, and goes on
// live; cut off in the middle it goes on exactly there, on another pod.
func TestSince(t *testing.T) {
	c := newCluster(t)
	c.topics("figures", "events")
	c.produce("figures", "world", "1")
	const before = 4000 // 1 MB: many pages and pieces
	c.past(before)
	r, ready := run(t, c, forgetful)
	await(t, "ready", ready)
	other, ready := run(t, c, forgetful)
	await(t, "ready", ready)

	y := newTally(t)
	first := r.stream("/v1/events?topics=events&since=" + url.QueryEscape(pastBegin.Format(time.RFC3339)))
	for range before / 3 {
		y.take(first.next())
	}
	for len(first.queue) > 0 { // parsed already: the id lies behind them
		y.take(first.next())
	}
	second := other.stream("/v1/events?topics=events&since=-1h", "Last-Event-ID", first.id)
	for len(y.seen) < before {
		y.take(second.next())
	}
	c.produce("events", "k0", `{"n":4004}`) // a multiple of 7, as its key wants
	y.take(second.next())
	delete(y.seen, 4004)
	y.complete(0, before)

	// From the middle, and with the state beside it.
	y = newTally(t)
	from := pastBegin.Add(3000 * time.Second)
	both := r.stream("/v1/events?topics=events,figures&since=" + from.Format(time.RFC3339))
	for states := 0; len(y.seen) < before-3000+1 || states == 0; {
		if e := both.next(); e == "figures 1" {
			states++
		} else {
			y.take(e)
		}
	}
	delete(y.seen, 4004)
	y.complete(3000, before)
}

// A span that is over ends, and can be kept by caches.
func TestSpan(t *testing.T) {
	c := newCluster(t)
	c.topics("figures", "events")
	c.produce("figures", "world", "1")
	c.past(4000)
	r, ready := run(t, c, forgetful)
	await(t, "ready", ready)
	at := func(n int) string { return pastBegin.Add(time.Duration(n) * time.Second).Format(time.RFC3339) }

	path := "/v1/events?topics=events&since=" + at(500) + "&until=" + at(2500)
	y := newTally(t)
	s := r.stream(path)
	if s.Header.Get("Cache-Control") != "public, max-age=3600, no-transform" || s.Header.Get("ETag") == "" || s.Header.Get("X-Accel-Buffering") != "" {
		t.Errorf("header of a span that is over: %v", s.Header)
	}
	for range 2000 {
		y.take(s.next())
	}
	s.want(`goodbye {"reason":"end"}`, "")
	y.complete(500, 2500)

	again, err := http.NewRequest("GET", "http://"+r.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Header.Set("If-None-Match", s.Header.Get("ETag"))
	resp, err := http.DefaultTransport.RoundTrip(again)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotModified {
		t.Errorf("with its tag: %s", resp.Status)
	}
	// A browser's EventSource comes back when the span is over; nothing else than
	// 204 keeps it from doing so for ever.
	if s := r.stream(path, "Last-Event-ID", s.id); s.StatusCode != http.StatusNoContent {
		t.Errorf("come back after the end: %s", s.Status)
	}

	// Keys, and the state beside it: that is the present.
	keyed := r.stream("/v1/events?topics=events,figures&keys=k3,world&until=" + at(70))
	for n := 3; n < 70; n += 7 {
		if e := keyed.next(); !strings.HasPrefix(e, fmt.Sprintf(`events {"n":%d,`, n)) {
			t.Errorf("got %.40q, want %d", e, n)
		}
	}
	keyed.want("figures 1", `goodbye {"reason":"end"}`, "")
	if cc := keyed.Header.Get("Cache-Control"); cc != "no-cache, no-transform" {
		t.Errorf("a span with a state may be kept: %s", cc)
	}
}

// A stream whose end lies ahead ends then.
func TestUntilAhead(t *testing.T) {
	c := newCluster(t)
	c.topics("figures", "events")
	r, ready := run(t, c, forgetful)
	await(t, "ready", ready)
	c.produce("events", "a", "e0")
	s := r.stream("/v1/events?topics=events&since=-1m&until=" + time.Now().Add(2*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"))
	s.want("events e0", `goodbye {"reason":"end"}`, "")
}

// A pod whose Kafka is away sends nobody away for good.
func TestSinceWithoutKafka(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Hub = hub.Config{} })
	s.stream("/v1/events?topics=events&since=-1h").want(`goodbye {"reason":"behind"}`, "")
}
