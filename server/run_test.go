package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/hub"
	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/embedded"
)

// cluster is an embedded log with a producer.
type cluster struct {
	t        *testing.T
	config   kafka.Config
	producer *kafka.Producer
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, config: kafka.Config{Brokers: []string{b.Addr()}}}
	if c.producer, err = kafka.NewProducer(c.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.producer.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) topics(names ...string) {
	c.t.Helper()
	var specs []kafka.TopicSpec
	for _, n := range names {
		kind := feed.State
		if n == "events" {
			kind = feed.Log
		}
		specs = append(specs, kafka.TopicSpec{Name: n, Kind: kind, Partitions: 2})
	}
	if err := kafka.EnsureTopics(c.t.Context(), c.config, specs...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) produce(topic, key, value string) {
	c.t.Helper()
	r := kafka.Record{Topic: topic, Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	if err := errors.Join(c.producer.Produce(c.t.Context(), r), c.producer.Flush(c.t.Context())); err != nil {
		c.t.Fatal(err)
	}
}

// running is a server under Run.
type running struct {
	site
	admin  string
	cancel context.CancelFunc
	ended  <-chan error
}

// run starts a server and does not wait for it to be ready; ready is closed
// when it is.
func run(t *testing.T, c *cluster, change func(*Config)) (r *running, ready <-chan struct{}) {
	t.Helper()
	listening := make(chan struct{})
	config := Config{
		Door: everybody(t), Kafka: c.config, Topics: map[string]TopicConfig{"figures": {Kind: feed.State}, "events": {Kind: feed.Log, Recent: 5}},
		Page: testPage, Listen: testkit.FreeAddress(t), AdminListen: testkit.FreeAddress(t), Drain: 200 * time.Millisecond,
		Listening: func(net.Addr, net.Addr) { close(listening) },
	}
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return &running{site{s, t, config.Listen}, config.AdminListen, cancel, ended}, listening
}

func await(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not after twenty seconds", what)
	}
}

// eventually waits until ask says yes.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ask(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after twenty seconds", what)
		}
	}
}

func adminGet(address, path string) (int, string) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// TestRun is the life of a pod: it waits for its topics without listening, is
// ready once it has read them, serves what comes, drains and is gone.
func TestRun(t *testing.T) {
	c := newCluster(t)
	c.topics("figures")
	c.produce("figures", "world", "1")
	r, ready := run(t, c, nil)
	eventually(t, "admin listener", func() bool { code, _ := adminGet(r.admin, "/healthz"); return code == 200 })
	if code, _ := adminGet(r.admin, "/readyz"); code != 503 {
		t.Errorf("ready without its topics: %d", code)
	}
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("listens although it is not ready")
	}
	c.topics("events")
	await(t, "ready", ready)
	if code, _ := adminGet(r.admin, "/readyz"); code != 200 {
		t.Errorf("not ready: %d", code)
	}
	stream := r.stream("/v1/events?topics=figures,events")
	stream.want("figures 1")
	c.produce("events", "a", "e0")
	stream.want("events e0")
	c.produce("figures", "world", "2")
	stream.want("figures 2")
	c.produce("figures", "world", "")
	stream.want(`delete {"topic":"figures","key":"world"}`)
	id := stream.id
	if code, text := adminGet(r.admin, "/metrics"); code != 200 ||
		!strings.Contains(text, "livemap_hub_clients 1\n") || !strings.Contains(text, `livemap_hub_records_total{topic="figures"} 3`) {
		t.Errorf("metrics: %d %s", code, text)
	}
	r.cancel()
	stream.want(`goodbye {"reason":"drain"}`, "")
	select {
	case err := <-r.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("still running half a minute after its end")
	}
	c.produce("events", "a", "e1")

	// Another pod goes on where this one stopped.
	other, ready := run(t, c, nil)
	await(t, "ready", ready)
	other.stream("/v1/events?topics=figures,events", "Last-Event-ID", id).want("events e1")
}

// TestIngest plays what a tail reports: recreated and truncated topics, added
// partitions, partitions without a leader.
func TestIngest(t *testing.T) {
	config := Config{Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1"}}, Topics: testTopics(), Page: testPage}.withDefaults()
	h, err := hub.New(config.hubConfig())
	if err != nil {
		t.Fatal(err)
	}
	in, _, err := newIngest(config, h, newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	tell := func(events ...kafka.Event) {
		t.Helper()
		for _, e := range events {
			if err := in.handle(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := func(topic string, id byte, partitions int) kafka.Event {
		return kafka.TopicSeen{Topic: topic, ID: [16]byte{id}, Partitions: partitions}
	}
	records := func(topic string, partition int32, offset int64, value string) kafka.Event {
		return kafka.Records{Topic: topic, Partition: partition, Next: offset + 1, Records: []kafka.Record{
			{Topic: topic, Partition: partition, Offset: offset, Key: []byte("k"), Value: []byte(value)},
		}}
	}
	tell(seen("figures", 1, 2), seen("events", 2, 1), records("figures", 0, 5, "1"), kafka.CaughtUp{Topic: "figures"},
		kafka.CaughtUp{Topic: "events"}, seen("pictures", 3, 1), kafka.CaughtUp{Topic: "pictures"})
	if h.Ready() {
		t.Error("ready although a partition was not read")
	}
	tell(kafka.NoLeader{Topic: "figures", Partition: 1})
	if !h.Ready() {
		t.Error("a partition without a leader holds up the rest")
	}
	await(t, "ready", in.ready)
	latest := func() string {
		r, _ := h.Latest(in.topics["figures"].index, "k")
		return string(r.Value)
	}
	if latest() != "1" {
		t.Errorf("latest %q", latest())
	}
	tell(seen("figures", 1, 3), records("figures", 2, 0, "2"), kafka.Skipped{Topic: "events", To: 3})
	if latest() != "2" {
		t.Errorf("latest %q after a partition was added", latest())
	}
	tell(seen("figures", 9, 1))
	if latest() != "" {
		t.Errorf("latest %q after the topic was made again", latest())
	}
	tell(records("figures", 0, 0, "3"), kafka.Lost{Topic: "figures", From: 1, To: 0}, records("figures", 0, 0, "4"))
	if latest() != "4" {
		t.Errorf("latest %q after the log was cut", latest())
	}
	if err := in.handle(seen("figures", 9, 500)); !errors.Is(err, hub.ErrIDTooLong) {
		t.Errorf("500 partitions: %v", err)
	}
}

// Wrong settings are all reported, and taken addresses at once.
func TestRunRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	s, err := New(Config{Door: everybody(t), Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1"}}, Listen: taken, AdminListen: taken})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context())
	for _, want := range []string{"listen: cannot listen: listen tcp " + taken, "admin-listen: cannot listen: listen tcp " + taken} {
		if !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s:\n%v", want, err)
		}
	}
	_, err = New(Config{
		Kafka: kafka.Config{Brokers: []string{"x"}}, Listen: "8080", AdminListen: "here",
		Topics: map[string]TopicConfig{"hello": {Kind: "queue", Kafka: "k"}, "b": {Kind: feed.Log, Kafka: "k", Format: "xml"}},
		Hub:    hub.Config{Heartbeat: -1},
		Limits: Limits{PerSubject: -1}, TLS: TLS{CertFile: "c"}, FrameAncestors: []string{"https://a.example; script-src *"},
	})
	for _, want := range []string{`listen "8080"`, `admin-listen "here"`, `"x"`, `kind "queue"`, "reserved", `kafka "k"`, `format "xml"`, "heartbeat", "door", "max-per-subject -1", `tls-cert "c"`, "frame-ancestors"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s:\n%v", want, err)
		}
	}
}

// A server whose Kafka is not there says so, and ends when told to.
func TestRunWithoutKafka(t *testing.T) {
	var log testkit.Log
	s, err := New(Config{
		Door:  everybody(t),
		Kafka: kafka.Config{Brokers: []string{testkit.FreeAddress(t)}}, Listen: "127.0.0.1:0", AdminListen: "off",
		Page: testPage, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, "a log line on Kafka", func() bool { return strings.Contains(log.String(), "does not answer") })
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("still running half a minute after its end")
	}
}

func TestParseTopics(t *testing.T) {
	topics, err := ParseTopics([]byte(`
listen: ":80"
topics:
  prices: {kind: state, kafka: shop.prices, format: text}
  clicks: {kind: log, recent: 0, max_age: 2m, lapped: catch_up}
  sales:  {kind: log}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]TopicConfig{
		"prices": {Kind: feed.State, Kafka: "shop.prices", Recent: 50, Format: hub.FormatText},
		"clicks": {Kind: feed.Log, MaxAge: 2 * time.Minute, Lapped: hub.LappedCatchUp},
		"sales":  {Kind: feed.Log, Recent: 50},
	} {
		if topics[name] != want {
			t.Errorf("%s: got %+v, want %+v", name, topics[name], want)
		}
	}
	if topics, err := ParseTopics([]byte("listen: x")); topics != nil || err != nil {
		t.Errorf("without topics: %v, %v", topics, err)
	}
	for _, bad := range []string{"topics: [a]", "topics: {a: {kinds: log}}", "topics: {a: {max_age: long}}", "{"} {
		if topics, err := ParseTopics([]byte(bad)); err == nil {
			t.Errorf("%q gave %v", bad, topics)
		}
	}
}
