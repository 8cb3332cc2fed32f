package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"livemap/auth"
	"livemap/feed"
	"livemap/hub"
	"livemap/internal/testkit"
	"livemap/sse"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// testTopics are what the tests serve.
func testTopics() map[string]TopicConfig {
	return map[string]TopicConfig{
		"figures":  {Kind: feed.State},
		"events":   {Kind: feed.Log, Recent: 5},
		"pictures": {Kind: feed.State, Format: hub.FormatBase64},
	}
}

var testPage = fstest.MapFS{
	"index.html":       {Data: []byte("<!doctype html>" + strings.Repeat(" page", 200))},
	"embed.html":       {Data: []byte("<!doctype html>embed")},
	"livemap.js":       {Data: []byte("export {}")},
	"assets/a-1234.js": {Data: []byte(strings.Repeat("let a;", 500))},
	"icon.svg":         {Data: []byte("<svg/>")},
}

// everybody is a door that lets everybody see everything.
func everybody(t testing.TB) *auth.Door {
	everything, err := auth.Anonymous("*")
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Door{Anonymous: everything}
}

// site is a server over real sockets, without a Kafka.
type site struct {
	*Server
	t       *testing.T
	address string
}

func newSite(t *testing.T, change func(*Config)) *site {
	t.Helper()
	return newSiteAt(t, "127.0.0.1:0", change)
}

func newSiteAt(t *testing.T, address string, change func(*Config)) *site {
	t.Helper()
	config := Config{Topics: testTopics(), Page: testPage, PagePolicy: "default-src 'none'", Door: everybody(t)}
	if change != nil {
		change(&config)
	}
	config = config.withDefaults()
	h, err := hub.New(config.hubConfig())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(config, h)
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), "listen", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 2)
	go func() { ran <- h.Run(ctx) }()
	go func() { ran <- s.guard(ctx) }()
	behind, wait, err := s.gate(l)
	if err != nil {
		t.Fatal(err)
	}
	public := s.public(behind)
	served := make(chan error, 1)
	go func() { served <- public.serve() }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, <-ran); err != nil {
			t.Error(err)
		}
		public.close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		wait()
	})
	return &site{s, t, l.Addr().String()}
}

// put publishes a record; a nil value is a tombstone.
func (s *site) put(topic string, offset int64, key string, value []byte) {
	s.t.Helper()
	err := s.hub.Publish([]hub.Record{{Topic: s.topics[topic].index, Offset: offset, Key: []byte(key), Value: value}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// raw sends bytes on a new connection and returns what comes back until the
// peer closes it, or until text was read.
func (s *site) raw(request, until string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	var all bytes.Buffer
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		all.Write(b[:n])
		if err == io.EOF || until != "" && strings.Contains(all.String(), until) {
			return all.String()
		}
		if err != nil {
			s.t.Fatalf("%q: %v after %q", request, err, all.String())
		}
	}
}

// get asks for a path and returns the answer with its body.
func (s *site) get(path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest("GET", "http://"+s.address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

// stream opens an event stream.
func (s *site) stream(path string, header ...string) *streamed {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cancel(); resp.Body.Close() })
	return &streamed{Response: resp, t: s.t, body: bufio.NewReader(resp.Body)}
}

// streamed is a stream being read.
type streamed struct {
	*http.Response
	t      *testing.T
	body   *bufio.Reader
	parser sse.Parser
	queue  []string
	id     string
}

// next returns the next event as "name data", hello and heartbeats left out;
// "" at the end.
func (s *streamed) next() string {
	s.t.Helper()
	b := make([]byte, 4096)
	for len(s.queue) == 0 {
		n, err := s.body.Read(b)
		if perr := s.parser.Parse(b[:n], func(e *sse.Event) {
			s.id = string(e.ID)
			if name := string(e.Name); name != "hello" && name != "heartbeat" {
				s.queue = append(s.queue, name+" "+string(e.Data))
			}
		}); perr != nil {
			s.t.Fatal(perr)
		}
		if err == io.EOF && len(s.queue) == 0 {
			return ""
		}
		if err != nil && err != io.EOF {
			s.t.Fatal(err)
		}
	}
	e := s.queue[0]
	s.queue = s.queue[1:]
	return e
}

func (s *streamed) want(events ...string) {
	s.t.Helper()
	for _, want := range events {
		if got := s.next(); got != want {
			s.t.Errorf("got %q, want %q", got, want)
		}
	}
}

// variable matches what differs from one answer to the next.
var variable = regexp.MustCompile(`retry: \d+|Date: [^\r]+|"now":"[^"]+"`)

// TestHeads compares the beginning of a stream byte for byte, on HTTP/1.0 and
// 1.1: no chunks, and the first event with the head.
func TestHeads(t *testing.T) {
	s := newSite(t, nil)
	s.put("figures", 0, "a", []byte(`{"v":1}`))
	want := "HTTP/1.1 200 OK\r\n" +
		"Content-Type: text/event-stream\r\n" +
		"Cache-Control: no-cache, no-transform\r\n" +
		"X-Accel-Buffering: no\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"Referrer-Policy: no-referrer\r\n" +
		"Connection: close\r\n" +
		"Date: X\r\n\r\n" +
		"retry: X\nevent: hello\n" +
		`data: {"v":1,"server":"livemap","heartbeat_ms":15000,"now":X,"topics":[{"name":"figures","kind":"state"}]}` + "\n\n" +
		"event: figures\ndata: {\"v\":1}\nid: "
	replace := func(m string) string {
		name, _, _ := strings.Cut(m, ":")
		if name == `"now"` {
			return `"now":X`
		}
		return name + ": X"
	}
	for _, request := range []string{
		"GET /v1/events?topics=figures HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/events?topics=figures HTTP/1.0\r\n\r\n",
		"GET /v1/events?topics=figures HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /v1/events?topics=figures HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nAccept: text/event-stream\r\nTE: chunked\r\n\r\n",
	} {
		got := variable.ReplaceAllStringFunc(s.raw(request, "event: heartbeat\n"), replace)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", request, got, want)
		}
	}
	head := s.raw("HEAD /v1/events?topics=figures HTTP/1.1\r\nHost: x\r\n\r\n", "")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(head, "\r\n\r\n") ||
		!strings.Contains(head, "Content-Type: text/event-stream\r\n") || strings.Contains(head, "chunked") {
		t.Errorf("HEAD: %q", head)
	}
	if n := s.hub.Clients(); n > 4 { // those above may still be leaving, HEAD never came
		t.Errorf("%d clients", n)
	}
}

// TestProblems goes through the requests that are refused.
func TestProblems(t *testing.T) {
	s := newSite(t, nil)
	get := func(target string, fields ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(fields, "") + "\r\n"
	}
	for _, c := range []struct{ name, request, status, has string }{
		{"unknown topic", get("/v1/events?topics=orders"), "400 Bad Request", `there is no topic \"orders\"`},
		{"no topics", get("/v1/events"), "400 Bad Request", "topics is missing"},
		{"empty topics", get("/v1/events?topics="), "400 Bad Request", "topics is missing"},
		{"topics twice", get("/v1/events?topics=figures&topics=events"), "400 Bad Request", "more than once"},
		{"one of them unknown", get("/v1/events?topics=figures,,events"), "400 Bad Request", "there is no topic"},
		{"broken encoding", get("/v1/events?topics=%zz"), "400 Bad Request", "percent-encoded"},
		{"broken key", get("/v1/events?topics=figures&keys=a%25zz"), "400 Bad Request", "percent sign inside a key"},
		{"no key", get("/v1/events?topics=figures&keys="), "400 Bad Request", "keys is empty"},
		{"too many keys", get("/v1/events?topics=figures&keys=" + strings.Repeat(",", 300)), "400 Bad Request", "too many"},
		{"envelope", get("/v1/events?topics=figures&envelope=yes"), "400 Bad Request", "envelope"},
		{"id in the query", get("/v1/events?topics=figures&lastEventId=nonsense"), "400 Bad Request", "lastEventId"},
		{"since", get("/v1/events?topics=events&since=5m"), "400 Bad Request", "since must be a time"},
		{"since twice as negative", get("/v1/events?topics=events&since=--5m"), "400 Bad Request", "since must be a time"},
		{"since ahead", get("/v1/events?topics=events&since=2999-01-01T00:00:00Z"), "400 Bad Request", "since lies ahead"},
		{"empty since", get("/v1/events?topics=events&since="), "400 Bad Request", "since must be a time"},
		{"until", get("/v1/events?topics=events&until=yesterday"), "400 Bad Request", "until must be a time"},
		{"until before since", get("/v1/events?topics=events&since=-5m&until=-6m"), "400 Bad Request", "until lies before since"},
		{"nothing there", get("/v1/nothing"), "404 Not Found", "nothing at this path"},
		{"no page", get("/nothing"), "404 Not Found", "nothing at this path"},
		{"outside", get("/../../etc/passwd"), "404 Not Found", ""},
		{"method", "POST /v1/events?topics=figures HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed", "\r\nAllow: GET, HEAD\r\n"},
		{"options", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "", ""},
		{"accept", get("/v1/events?topics=figures", "Accept: application/json\r\n"), "406 Not Acceptable", "text/event-stream"},
		{"accept with weight 0", get("/v1/events?topics=figures", "Accept: text/event-stream;q=0, text/html\r\n"), "406 Not Acceptable", ""},
		{"long target", get("/v1/events?topics=" + strings.Repeat("a", 9000)), "414 Request URI Too Long", "longer than"},
		{"long header", get("/v1/events?topics=figures", "X-A: "+strings.Repeat("a", 17000)+"\r\n"), "431 Request Header Fields Too Large", "longer than"},
		{"body", get("/v1/events?topics=figures", "Content-Length: 5\r\n") + "hello", "400 Bad Request", "must have no body"},
		{"chunked body", get("/v1/events?topics=figures", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", "400 Bad Request", "must have no body"},
		{"sent ahead", "GET /v1/events?topics=figures HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "nothing after the request"},
		{"latest of a log", get("/v1/latest?topic=events&key=a"), "400 Bad Request", "only state topics"},
		{"latest of nothing", get("/v1/latest?topic=figures&key=none"), "404 Not Found", "nothing at this key"},
		{"latest without key", get("/v1/latest?topic=figures"), "400 Bad Request", "key is missing"},
		{"latest without topic", get("/v1/latest?key=none"), "400 Bad Request", "there is no topic"},
	} {
		got := s.raw(c.request, "")
		if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, c.has) {
			t.Errorf("%s: got %q", c.name, got)
		}
		if c.status != "" && !strings.Contains(got, "Content-Type: application/problem+json\r\n") {
			t.Errorf("%s: not a problem: %q", c.name, got)
		}
		if strings.Contains(got, "event:") {
			t.Errorf("%s: events were sent: %q", c.name, got)
		}
	}
}

// TestKeys: commas and percent signs inside a key.
func TestKeys(t *testing.T) {
	for in, want := range map[string][]string{
		"world":                   {"world"},
		"world,country/CA":        {"world", "country/CA"},
		"a%2Cb":                   {"a,b"},
		"a%2cb,c":                 {"a,b", "c"},
		"100%25":                  {"100%"},
		"%252C":                   {"%2C"},
		"":                        {""},
		"ключ":                    {"ключ"},
		"a%":                      nil,
		"a%2":                     nil,
		"a%41":                    nil,
		strings.Repeat("k,", 500): nil,
	} {
		got, err := splitKeys(in)
		if (err != nil) != (want == nil) || strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	s := newSite(t, nil)
	s.put("figures", 0, "a,b", []byte("1"))
	s.put("figures", 1, "100%", []byte("2"))
	s.put("figures", 2, "other", []byte("3"))
	// As a browser's URLSearchParams writes the list "a%2Cb,100%25".
	s.stream("/v1/events?topics=figures&keys=a%252Cb%2C100%2525").want("figures 1", "figures 2")
	s.stream("/v1/events?topics=figures&keys=a%252Cb,100%2525").want("figures 1", "figures 2")
}

// TestResume: the header comes before the query, never causes an error, and the
// stream goes on where the id says.
func TestResume(t *testing.T) {
	s := newSite(t, nil)
	s.put("events", 0, "a", []byte("e0"))
	first := s.stream("/v1/events?topics=events")
	first.want("events e0")
	s.put("events", 1, "a", []byte("e1"))
	first.want("events e1")
	id := first.id
	s.put("events", 2, "a", []byte("e2"))
	s.stream("/v1/events?topics=events", "Last-Event-ID", id).want("events e2")
	s.stream("/v1/events?topics=events&lastEventId=" + id).want("events e2")
	s.stream("/v1/events?topics=events&lastEventId=nonsense", "Last-Event-ID", id).want("events e2")
	for _, bad := range []string{"nonsense", strings.Repeat("A", 2000), "\u00ff"} {
		s.stream("/v1/events?topics=events", "Last-Event-ID", bad).
			want(`gap {"topic":"events","reason":"unknown_id"}`, "events e0", "events e1", "events e2")
	}
}

// TestInjection: nothing in a key or a value becomes an event, a field or an id.
func TestInjection(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Topics["notes"] = TopicConfig{Kind: feed.State, Format: hub.FormatText}
	})
	evil := []string{
		"x\n\nevent: goodbye\ndata: {}\n\n", "x\r\revent: forged\rdata: y\r\r", "x\r\n\r\nid: 9\r\n\r\n",
		"\x00", "\nid: \x00\n", "data: x", ":comment\n", "retry: 0\n", "\u2028\u2029", "\xff\xfe\n\n", "\xef\xbb\xbf", "x\n\rid: 1\n\r\n\r",
	}
	forged := func(name string) bool {
		return name != "notes" && name != "delete" && name != "hello" && name != "heartbeat"
	}
	for _, envelope := range []string{"", "&envelope=1"} {
		r := s.stream("/v1/events?topics=notes" + envelope)
		start := len(evil) * len(envelope) * 2
		n := 0
		go func() {
			for i, e := range evil {
				s.put("notes", int64(start+2*i), e, []byte(e))
				s.put("notes", int64(start+2*i+1), e, nil)
			}
		}()
		for n < 2*len(evil) {
			got := r.next()
			name, data, _ := strings.Cut(got, " ")
			if forged(name) {
				t.Fatalf("a forged event: %q", got)
			}
			if want := evil[n/2]; n%2 == 0 && envelope == "" {
				lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(want)
				if name != "notes" || data != lines {
					t.Errorf("%q arrived as %q %q", want, name, data)
				}
			}
			n++
			if r.parser.RetryMilliseconds() == 0 || strings.Trim(r.id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Fatalf("retry %d, id %q after %q", r.parser.RetryMilliseconds(), r.id, got)
			}
		}
	}
}

// TestTopics: what a new client is sent is told of histories only, also where a
// configuration file has set it for all.
func TestTopics(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Topics["figures"] = TopicConfig{Kind: feed.State, Recent: DefaultRecent} })
	const want = `{"topics":[{"name":"events","kind":"log","format":"json","recent":5},{"name":"figures","kind":"state","format":"json"},{"name":"pictures","kind":"state","format":"base64"}]}` + "\n"
	if resp, body := s.get("/v1/topics"); resp.StatusCode != 200 || body != want {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestLatest(t *testing.T) {
	s := newSite(t, nil)
	s.put("figures", 0, "world", []byte(`{"v":1}`))
	s.put("pictures", 0, "p", []byte("\x00\xff"))
	resp, body := s.get("/v1/latest?topic=figures&key=world")
	etag := resp.Header.Get("ETag")
	if resp.StatusCode != 200 || body != `{"v":1}` || resp.Header.Get("Content-Type") != "application/json" || etag == "" {
		t.Errorf("%s %q %v", resp.Status, body, resp.Header)
	}
	if resp, body := s.get("/v1/latest?topic=figures&key=world", "If-None-Match", `"x", W/`+etag); resp.StatusCode != 304 || body != "" {
		t.Errorf("with its own ETag: %s %q", resp.Status, body)
	}
	s.put("figures", 1, "world", []byte(`{"v":2}`))
	if resp, body := s.get("/v1/latest?topic=figures&key=world", "If-None-Match", etag); resp.StatusCode != 200 || body != `{"v":2}` {
		t.Errorf("after a change: %s %q", resp.Status, body)
	}
	if resp, body := s.get("/v1/latest?topic=pictures&key=p"); body != "\x00\xff" || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("bytes: %q %v", body, resp.Header)
	}
	s.put("figures", 2, "world", nil)
	if resp, _ := s.get("/v1/latest?topic=figures&key=world", "If-None-Match", etag); resp.StatusCode != 404 {
		t.Errorf("deleted: %s", resp.Status)
	}
}

// TestShedding: a browser never comes back after an error, so it is told goodbye
// with 200; a proxy of ours gets 503 and tries the next pod.
func TestShedding(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := newSite(t, func(c *Config) {
			c.Hub.MaxClients = 1
			if trusted {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		s.stream("/v1/events?topics=events")
		resp, body := s.get("/v1/events?topics=events")
		if trusted {
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || strings.Contains(body, "goodbye") {
				t.Errorf("trusted: %s %v %q", resp.Status, resp.Header, body)
			}
			continue
		}
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" ||
			!strings.HasPrefix(body, "retry: ") || !strings.HasSuffix(body, "event: goodbye\ndata: {\"reason\":\"overload\"}\n\n") {
			t.Errorf("direct: %s %v %q", resp.Status, resp.Header, body)
		}
	}
}

func TestPage(t *testing.T) {
	s := newSite(t, nil)
	for _, c := range []struct {
		path, kind, cache, policy string
		status                    int
	}{
		{"/", "text/html; charset=utf-8", "no-cache", "default-src 'none'; frame-ancestors 'none'", 200},
		{"/embed", "text/html; charset=utf-8", "no-cache", "default-src 'none'; frame-ancestors *", 200},
		{"/livemap.js", "text/javascript; charset=utf-8", "no-cache", "default-src 'none'; frame-ancestors 'none'", 200},
		{"/assets/a-1234.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "default-src 'none'; frame-ancestors 'none'", 200},
		{"/icon.svg", "image/svg+xml", "no-cache", "default-src 'none'; frame-ancestors 'none'", 200},
		{"/index.html", "application/problem+json", "no-store", "", 404},
		{"/assets/", "application/problem+json", "no-store", "", 404},
	} {
		resp, _ := s.get(c.path)
		h := resp.Header
		if resp.StatusCode != c.status || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache || h.Get("Content-Security-Policy") != c.policy {
			t.Errorf("%s: %s %v", c.path, resp.Status, h)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", c.path, h)
		}
	}
	plain, whole := s.get("/")
	zipped, small := s.get("/", "Accept-Encoding", "br, gzip;q=0.5")
	if zipped.Header.Get("Content-Encoding") != "gzip" || len(small) >= len(whole) || zipped.Header.Get("ETag") == plain.Header.Get("ETag") ||
		plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("gzip: %v, %d of %d bytes", zipped.Header, len(small), len(whole))
	}
	if resp, _ := s.get("/", "Accept-Encoding", "gzip;q=0"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("gzip although it was refused")
	}
	if resp, body := s.get("/", "Accept-Encoding", "gzip", "If-None-Match", zipped.Header.Get("ETag")); resp.StatusCode != 304 || body != "" {
		t.Errorf("not modified: %s", resp.Status)
	}
	if head := s.raw("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", ""); !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "Content-Length: 1015\r\n") {
		t.Errorf("HEAD: %q", head)
	}
}
