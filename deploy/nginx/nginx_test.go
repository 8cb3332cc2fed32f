package nginx

import (
	"bufio"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"livemap/internal/testkit"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// readUntil reads lines until one begins with want, and returns all.
func readUntil(t *testing.T, body io.Reader, want string) []string {
	t.Helper()
	var lines []string
	r := bufio.NewReader(body)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%v before %q came; %q", err, want, lines)
		}
		if lines = append(lines, strings.TrimSuffix(line, "\n")); strings.HasPrefix(line, want) {
			return lines
		}
	}
}

func whole(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestStream: a stream of a pod as a browser gets it, over HTTP/2 and HTTP/1.1.
func TestStream(t *testing.T) {
	s, address := newSource(t), testkit.FreeAddress(t)
	s.pod(address, 0)
	f := begin(t, []string{address}, nil)
	for _, http2 := range []bool{true, false} {
		resp := f.getWith(f.client(http2), "/v1/events?topics=figures")
		if (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s, want HTTP/2: %v", resp.Proto, http2)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Content-Encoding": "",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		readUntil(t, resp.Body, `data: 1`)
	}
	page := f.get("/")
	if body := whole(t, page.Body); page.StatusCode != 200 || !strings.Contains(body, "<html") || page.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("page: %s %v", page.Status, page.Header)
	}
	if embed := f.get("/embed"); embed.StatusCode != 200 {
		t.Errorf("embed: %s", embed.Status)
	}
	if latest := f.get("/v1/latest?topic=figures&key=world"); whole(t, latest.Body) != "1" || latest.Header.Get("ETag") == "" {
		t.Errorf("latest: %s %v", latest.Status, latest.Header)
	}
	redirect, err := f.client(false).Get("http://" + f.http + "/embed?x=1")
	if err != nil {
		t.Fatal(err)
	}
	redirect.Body.Close()
	if to := redirect.Header.Get("Location"); redirect.StatusCode != 308 || to != "https://127.0.0.1/embed?x=1" {
		t.Errorf("plain HTTP: %s %q", redirect.Status, to)
	}
}

// TestNothingIsHeldBack: what a pod has written is with the client, whatever the
// pod says about buffering, though the answer goes on.
func TestNothingIsHeldBack(t *testing.T) {
	heldBack(t, nil, func(resp *http.Response) io.Reader {
		if e := resp.Header.Get("Content-Encoding"); e != "" {
			t.Errorf("encoded as %q", e)
		}
		return resp.Body
	})
}

// TestNothingIsHeldBackByCompression: the same with the lines for compressed
// streams, as they stand in the configuration.
func TestNothingIsHeldBackByCompression(t *testing.T) {
	compressed := func(s *Site) {
		s.Change = map[string]string{"        gzip off;\n        # gzip on;": "        gzip on;"}
	}
	heldBack(t, compressed, func(resp *http.Response) io.Reader {
		if e := resp.Header.Get("Content-Encoding"); e != "gzip" {
			t.Fatalf("encoded as %q", e)
		}
		text, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	})
}

// heldBack has a pod write the next event only when the one before has arrived.
func heldBack(t *testing.T, change func(*Site), text func(*http.Response) io.Reader) {
	t.Helper()
	next := make(chan string)
	pod := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			return // nginx asks how the pod is
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for text := range next {
			io.WriteString(w, text)
			http.NewResponseController(w).Flush()
		}
	})
	f := begin(t, []string{pod}, change)
	for _, http2 := range []bool{true, false} {
		got := make(chan *http.Response)
		go func() { got <- f.getWith(f.client(http2), "/v1/events", "Accept-Encoding", "gzip") }()
		next <- "data: first\n\n"
		body := bufio.NewReader(text(<-got))
		for _, want := range []string{"data: first\n", "\n"} {
			if line, err := body.ReadString('\n'); err != nil || line != want {
				t.Fatalf("%q %v", line, err)
			}
		}
		next <- "data: second\n\n"
		if line, err := body.ReadString('\n'); err != nil || line != "data: second\n" {
			t.Fatalf("%q %v", line, err)
		}
		close(next)
		next = make(chan string)
	}
}

// TestFullPod: with one pod full nobody is stuck, and with all full nginx says
// when to come back.
func TestFullPod(t *testing.T) {
	s, full, roomy := newSource(t), testkit.FreeAddress(t), testkit.FreeAddress(t)
	s.pod(full, 1)
	stopRoomy := s.pod(roomy, 0)
	direct, err := http.Get("http://" + full + "/v1/events?topics=figures")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Body.Close()
	readUntil(t, direct.Body, "data: 1")
	f := begin(t, []string{full, roomy}, nil)
	for range 20 {
		resp := f.get("/v1/events?topics=figures")
		if lines := readUntil(t, resp.Body, "data: 1"); strings.Contains(strings.Join(lines, "\n"), "goodbye") {
			t.Fatalf("%q", lines)
		}
	}
	stopRoomy()
	wantGoodbye(t, f.get("/v1/events?topics=figures"))
	// And once there is room, there is a stream.
	direct.Body.Close()
	eventually(t, "a stream of the pod that was full", func() bool { return !isGoodbye(f.get("/v1/events?topics=figures")) })
}

// sicknesses are ways for a pod to be of no use; each returns its address.
var sicknesses = map[string]func(*testing.T) string{
	"nobody listens": testkit.FreeAddress,
	"frozen":         frozen,
	"resets":         resets,
	"damaged": func(t *testing.T) string {
		return accepting(t, func(c net.Conn) {
			// Not before there is a request: what nginx 1.22 has read of an answer that
			// came before it had sent one, it takes for the beginning of the next pod's.
			var b [1]byte
			c.Read(b[:])
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\x00: x\r\n\r\n")
			io.Copy(io.Discard, c)
		})
	},
	"fails": func(t *testing.T) string {
		return fake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	},
}

// TestSickPod: with one pod sick nobody is stuck; with all sick, however, a
// browser is told to come back, and is served when a pod is well again.
func TestSickPod(t *testing.T) {
	s, well := newSource(t), testkit.FreeAddress(t)
	s.pod(well, 0)
	for name, sickness := range sicknesses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick := sickness(t)
			f := begin(t, []string{sick, well}, func(s *Site) {
				s.Origins = []string{"https://shop.example"}
				if name == "frozen" { // not to wait so long
					s.Change = map[string]string{"proxy_read_timeout 20s;": "proxy_read_timeout 2s;", "proxy_read_timeout 10s;": "proxy_read_timeout 1s;"}
				}
			})
			for range 4 {
				readUntil(t, f.get("/v1/events?topics=figures").Body, "data: 1")
			}
			if err := WritePods(f.dir, []string{sick}); err != nil {
				t.Fatal(err)
			}
			f.reload()
			eventually(t, "goodbye from nginx", func() bool { return isGoodbye(f.get("/v1/events?topics=figures&access_token=s3cr3t")) })
			wantGoodbye(t, f.get("/v1/events?topics=figures"))
			wantGoodbye(t, f.getWith(f.client(false), "/v1/events?topics=figures"))
			if o := f.get("/v1/events", "Origin", "https://shop.example").Header; o.Get("Access-Control-Allow-Origin") != "https://shop.example" || o.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("a page of another origin cannot read the goodbye: %v", o)
			}
			if o := f.get("/v1/events", "Origin", "https://evil.example").Header; o.Get("Access-Control-Allow-Origin")+o.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("every origin may read: %v", o)
			}
			if name == "frozen" || name == "nobody listens" { // for the others it is the pod's word
				resp := f.get("/v1/latest?topic=figures&key=world&access_token=s3cr3t", "Referer", "https://x.example/?access_token=s3cr3t")
				if body := whole(t, resp.Body); resp.StatusCode != 503 || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, `"status":503`) {
					t.Errorf("latest: %s %v %s", resp.Status, resp.Header, body)
				}
			}
			if err := WritePods(f.dir, []string{well}); err != nil {
				t.Fatal(err)
			}
			f.reload()
			eventually(t, "a stream", func() bool { return !isGoodbye(f.get("/v1/events?topics=figures")) })
			for _, log := range []string{"access.log", "error.log"} {
				if text := f.log(log); strings.Contains(text, "s3cr3t") {
					t.Errorf("%s holds a token:\n%s", log, text)
				}
			}
			if text := f.log("access.log"); !strings.Contains(text, `"path":"/v1/events"`) || !strings.Contains(text, sick) {
				t.Errorf("access.log does not say which pod was tried:\n%s", text)
			}
		})
	}
}

var goodbye = regexp.MustCompile(`^retry: [1-5][05]00\nevent: goodbye\ndata: \{"reason":"overload"\}\n\n$`)

func wantGoodbye(t *testing.T, resp *http.Response) {
	t.Helper()
	body := whole(t, resp.Body)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-cache, no-transform" || !goodbye.MatchString(body) {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
}

// isGoodbye says whether an answer is nginx's own: it alone has a length.
func isGoodbye(resp *http.Response) bool {
	defer resp.Body.Close()
	return resp.StatusCode == 200 && resp.ContentLength > 0
}

// TestReload: a pod is put in and another taken out while streams go on.
func TestReload(t *testing.T) {
	s, old, fresh := newSource(t), testkit.FreeAddress(t), testkit.FreeAddress(t)
	stop := s.pod(old, 0)
	f := begin(t, []string{old}, nil)
	before := f.get("/v1/events?topics=figures")
	body := bufio.NewReader(before.Body)
	readUntil(t, body, "data: 1")
	s.pod(fresh, 0)
	if err := WritePods(f.dir, []string{fresh}); err != nil {
		t.Fatal(err)
	}
	f.reload()
	eventually(t, "streams of the new pod", func() bool {
		resp := f.get("/v1/events?topics=figures")
		defer resp.Body.Close()
		return strings.Contains(f.lastLine(resp), fresh)
	})
	s.put("world", "2")
	readUntil(t, body, "data: 2") // the old stream goes on
	stop()
	readUntil(t, body, "event: goodbye")
}

// lastLine ends an answer and returns what the access log then says of it.
func (f *front) lastLine(resp *http.Response) string {
	f.t.Helper()
	before := strings.Count(f.log("access.log"), "\n")
	resp.Body.Close()
	var lines []string
	eventually(f.t, "a line in the log", func() bool {
		lines = strings.Split(strings.TrimSpace(f.log("access.log")), "\n")
		return len(lines) > before
	})
	return lines[len(lines)-1]
}

// TestForwarded: the pods learn who asks, as what and of whom.
func TestForwarded(t *testing.T) {
	seen := make(chan *http.Request, 1)
	pod := fake(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	f := begin(t, []string{pod}, nil)
	f.get("/v1/topics", "X-Forwarded-For", "203.0.113.9", "Last-Event-ID", "abc", "Cookie", "__Host-livemap=t")
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Forwarded-Proto": "https", "Last-Event-Id": "abc", "Cookie": "__Host-livemap=t",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.Host != f.https {
		t.Errorf("host %q, want %q", r.Host, f.https)
	}
	if token := strings.Repeat("t", 8<<10); f.get("/v1/topics", "Authorization", "Bearer "+token).StatusCode != 200 || (<-seen).Header.Get("Authorization") != "Bearer "+token {
		t.Error("a token of 8 KiB does not get through")
	}
}

// TestProxyProtocol: the lines for a balancer that speaks TCP, as they stand in
// the file's comment.
func TestProxyProtocol(t *testing.T) {
	seen := make(chan *http.Request, 1)
	pod := fake(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	f := begin(t, []string{pod}, func(s *Site) {
		s.Change = map[string]string{
			"ssl http2;": "ssl http2 proxy_protocol;",
			"# set_real_ip_from 10.0.0.0/8;\n    # real_ip_header proxy_protocol;": "set_real_ip_from 127.0.0.0/8;\n    real_ip_header proxy_protocol;",
		}
	})
	c := f.client(false)
	c.Transport.(*http.Transport).DialContext = dialWith("PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n")
	f.getWith(c, "/v1/topics")
	if got := (<-seen).Header.Get("X-Forwarded-For"); got != "203.0.113.9" {
		t.Errorf("X-Forwarded-For %q", got)
	}
}

// fake is a pod that only answers.
func fake(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
