package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"livemap/auth"
	"livemap/feed"
	"livemap/internal/certtest"
	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/server"
)

var (
	flagURL    = flag.String("url", "", "judge the server at this URL instead of livemap: go test ./conformance -args -url URL")
	flagHeader = flag.String("header", "", "a line for each request, such as \"Authorization: Bearer …\"")
)

// history is how many events are there at the beginning: as many as the checks of
// framing would otherwise wait for.
const history = 30

// report fails the test for each check that failed, and shows the rest.
func report(t *testing.T, target Target) {
	t.Helper()
	results, err := Run(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	Text(&text, results)
	t.Log("\n" + text.String())
	for _, r := range results {
		if r.Verdict == Fail {
			t.Errorf("%s: %s (%s; %s): %s", r.Check.ID, r.Check.Title, r.Check.Level, r.Check.Source, r.Reason)
		}
	}
}

// TestServer judges the server that -url names, or livemap: over plain HTTP,
// where shards drive the streams, and over TLS.
func TestServer(t *testing.T) {
	if *flagURL != "" {
		target := Target{URL: *flagURL}
		if *flagHeader != "" {
			target.Header = []string{*flagHeader}
		}
		report(t, target)
		return
	}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("livemap, TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			target := livemap(t, secure)
			target.Wait = 10 * time.Second
			report(t, target)
		})
	}
}

// livemap starts a pod over the embedded log, with a topic that is published to.
func livemap(t *testing.T, secure bool) Target {
	t.Helper()
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cluster := kafka.Config{Brokers: []string{b.Addr()}}
	if err := kafka.EnsureTopics(t.Context(), cluster, kafka.TopicSpec{Name: "news", Kind: feed.Log, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	producer, err := kafka.NewProducer(cluster)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(ctx context.Context, data []byte) error {
		if err := producer.Produce(ctx, kafka.Record{Topic: "news", Key: data, Value: data}); err != nil {
			return err
		}
		return producer.Flush(ctx)
	}
	for range history {
		if err := publish(t.Context(), []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	everything, err := auth.Anonymous("*")
	if err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	config := server.Config{
		Door: &auth.Door{Anonymous: everything}, Kafka: cluster, Listen: "127.0.0.1:0", AdminListen: "off", Drain: -1,
		Topics:    map[string]server.TopicConfig{"news": {Kind: feed.Log, Recent: history, Format: "text"}},
		Listening: func(public, _ net.Addr) { listening <- public.String() },
	}
	target := Target{Publish: publish}
	scheme := "http"
	if secure {
		files, pool, err := certtest.Write(t.TempDir(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		config.TLS = server.TLS{CertFile: files.Cert, KeyFile: files.Key}
		target.TLS, scheme = tlsOf(pool), "https"
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		producer.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-listening:
		target.URL = scheme + "://" + address + "/v1/events?topics=news"
	case <-time.After(time.Minute):
		t.Fatal("livemap does not listen")
	}
	return target
}

// plain is a server of sixty lines over net/http that the suite must let pass:
// what is judged is not how livemap does it.
type plain struct {
	mu     sync.Mutex
	events []string
	wake   chan struct{}
}

func (p *plain) publish(_ context.Context, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.NewReplacer("\r\n", "\ndata: ", "\r", "\ndata: ", "\n", "\ndata: ").Replace(string(data))
	p.events = append(p.events, fmt.Sprintf("id: %d\ndata: %s\n\n", len(p.events), text))
	close(p.wake)
	p.wake = make(chan struct{})
	return nil
}

func (p *plain) since(n int) (text string, next int, wake chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.events[min(n, len(p.events)):], ""), len(p.events), p.wake
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != "GET" && r.Method != "HEAD" {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	if len(r.URL.RawQuery) > 1<<16 {
		w.WriteHeader(http.StatusRequestURITooLong)
		return
	}
	if r.Method == "HEAD" {
		return
	}
	next := 0
	if _, err := fmt.Sscanf(r.Header.Get("Last-Event-ID"), "%d", &next); err == nil && next >= 0 {
		next++
	} else {
		next = 0
	}
	fmt.Fprint(w, "retry: 1000\n\n")
	for {
		text, n, wake := p.since(next)
		next = n
		fmt.Fprint(w, text)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

// TestPlainServerPasses: a server that somebody else might write passes.
func TestPlainServerPasses(t *testing.T) {
	t.Parallel()
	p := &plain{wake: make(chan struct{})}
	for range history {
		if err := p.publish(t.Context(), []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewUnstartedServer(p)
	s.Config.ReadHeaderTimeout = 2 * time.Second
	s.Config.MaxHeaderBytes = 256 << 10
	s.Start()
	defer s.Close()
	report(t, Target{URL: s.URL + "/events", Publish: p.publish, Wait: 10 * time.Second})
}

// TestMarkdown: the table has a row for each check and a column for each server.
func TestMarkdown(t *testing.T) {
	columns := []Column{
		{"one", []Result{{heads[0], Pass, ""}, {heads[1], Fail, "a|b\nc"}}},
		{"two", []Result{{heads[0], NotApplicable, "no"}, {heads[1], Pass, ""}}},
	}
	var b bytes.Buffer
	Markdown(&b, columns)
	want := "| check | what passes | level | source | one | two |\n|---|---|---|---|---|---|\n" +
		"| `head.type` | " + heads[0].Title + " | must | " + heads[0].Source + " | ✓ | – |\n" +
		"| `head.cache` | " + heads[1].Title + " | should | " + heads[1].Source + " | **✗** | ✓ |\n" +
		"\n**one.** `head.cache`: a\\|b c. 1 pass, 1 fail, 0 do not apply.\n\n**two.** 1 pass, 0 fail, 1 do not apply.\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func tlsOf(pool *x509.CertPool) *tls.Config { return &tls.Config{RootCAs: pool} }
