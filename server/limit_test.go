package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemap/auth"
	"livemap/hub"
)

const eventsPath = "/v1/events?topics=events"

func proxies(networks ...string) (p []netip.Prefix) {
	for _, n := range networks {
		p = append(p, netip.MustParsePrefix(n))
	}
	return p
}

// overloaded checks that a request was turned away as a direct client is.
func (s *site) overloaded(what string, header ...string) {
	s.t.Helper()
	resp, body := s.get(eventsPath, header...)
	if resp.StatusCode != 200 || !strings.HasPrefix(body, "retry: ") || !strings.Contains(body, `{"reason":"overload"}`) {
		s.t.Errorf("%s: %s %q", what, resp.Status, body)
	}
}

// streaming checks that a stream is open, and returns it.
func (s *site) streaming(what string, header ...string) *streamed {
	s.t.Helper()
	stream := s.stream(eventsPath, header...)
	if b := make([]byte, 4096); stream.StatusCode != 200 {
		s.t.Errorf("%s: %s", what, stream.Status)
	} else if n, err := stream.body.Read(b); err != nil || strings.Contains(string(b[:n]), "goodbye") {
		s.t.Errorf("%s: %v %q", what, err, b[:n])
	}
	return stream
}

// TestPerAddress: one address has its share and others have theirs; when a
// stream ends its place is free again.
func TestPerAddress(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Limits.PerAddress = 2
		c.TrustedProxies = proxies("127.0.0.0/8")
	})
	from := func(a string) []string { return []string{"X-Forwarded-For", a} }
	first := s.streaming("first", from("192.0.2.1")...)
	s.streaming("second", from("198.51.100.9, 192.0.2.1")...) // what stands left of it anybody can write
	if resp, body := s.get(eventsPath, from("192.0.2.1")...); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("third of an address: %s %s", resp.Status, body)
	}
	s.streaming("another address", from("192.0.2.2")...)
	s.streaming("IPv6", from("2001:db8::1")...)
	s.streaming("the same /64", from("2001:db8::ffff:2")...)
	if resp, _ := s.get(eventsPath, from("2001:db8::3")...); resp.StatusCode != 503 {
		t.Errorf("third of a /64: %s", resp.Status)
	}
	first.Body.Close()
	eventually(t, "the place is free", func() bool { return s.hub.Clients() == 4 })
	s.streaming("in its place", from("192.0.2.1")...)
	if got := metric(t, s, `livemap_server_shed_total{reason="address"}`); got != "2" {
		t.Errorf("%s sheds", got)
	}
}

// TestForwardedIsNotBelieved: of somebody who is no proxy of ours.
func TestForwardedIsNotBelieved(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.PerAddress = 1 })
	s.streaming("first", "X-Forwarded-For", "192.0.2.1")
	s.overloaded("second, under another name", "X-Forwarded-For", "192.0.2.2")
}

func TestClientOf(t *testing.T) {
	s := &Server{config: Config{TrustedProxies: proxies("10.0.0.0/8", "fd00::/8")}}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.7:1", "198.51.100.1", "192.0.2.7/32"},
		{"10.0.0.1:1", "", "10.0.0.1/32"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.9", "198.51.100.1/32"},
		{"10.0.0.1:1", "6.6.6.6, garbage, 10.0.0.9", "10.0.0.9/32"},
		{"10.0.0.1:1", "198.51.100.1:443", "10.0.0.1/32"},
		{"[fd00::1]:1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"[::ffff:10.0.0.1]:1", "::ffff:198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", strings.Repeat("10.0.0.2, ", 1000), "10.0.0.1/32"},
		{"pipe", "198.51.100.1", "invalid Prefix"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := s.clientOf(r).String(); got != c.want {
			t.Errorf("%s, %.60q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestPerSubject(t *testing.T) {
	m := newMint(t)
	s := newSite(t, func(c *Config) {
		c.Limits.PerSubject = 1
		c.Door = m.door(auth.Options{}, "")
	})
	header := func(sub string) []string {
		return []string{"Authorization", "Bearer " + m.token(sub, []string{"*"}, nil)}
	}
	s.streaming("al", header("al")...)
	s.overloaded("al again", header("al")...)
	s.streaming("bob", header("bob")...)
	s.streaming("nobody", header("")...)
	s.streaming("nobody else", header("")...)
	if got := metric(t, s, `livemap_server_shed_total{reason="subject"}`); got != "1" {
		t.Errorf("%s sheds", got)
	}
}

// TestPlacesAreGivenBack: of streams that were counted and then not admitted.
func TestPlacesAreGivenBack(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.PerAddress, c.Hub.MaxClients = 2, 1 })
	s.streaming("first")
	for range 5 {
		s.overloaded("the pod is full")
	}
	if resp, _ := s.get("/v1/events?topics=unknown"); resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	if n := s.limits.addresses[network(netip.MustParseAddr("127.0.0.1"))]; n != 1 {
		t.Errorf("%d streams are counted", n)
	}
}

func TestRates(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Limits.NewPerAddress, c.Limits.NewPerSecond = 2, 1000
		c.TrustedProxies = proxies("127.0.0.0/8")
	})
	answers := map[int]int{}
	for range 6 {
		resp, _ := s.get("/v1/events?topics=unknown", "X-Forwarded-For", "192.0.2.1")
		answers[resp.StatusCode]++
	}
	if answers[400] < 2 || answers[503] < 1 {
		t.Errorf("%v", answers)
	}
	if resp, _ := s.get("/v1/events?topics=unknown", "X-Forwarded-For", "192.0.2.2"); resp.StatusCode != 400 {
		t.Errorf("another address: %s", resp.Status)
	}
	r, now, a := newRates(2), time.Now(), netip.MustParsePrefix("192.0.2.1/32")
	for i, want := range []bool{true, true, false, true, false} {
		if i == 3 {
			now = now.Add(500 * time.Millisecond)
		}
		if got := r.take(a, now); got != want {
			t.Errorf("%d: %v", i, got)
		}
	}
	for i := range 3 * maxRates {
		r.take(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), 32), now)
	}
	if len(r.buckets) > maxRates {
		t.Errorf("%d addresses are remembered", len(r.buckets))
	}
}

// TestConnections: beyond the limit a connection is closed unread, and streams
// count; when one goes there is room again.
func TestConnections(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.Connections = 3 })
	stream := s.streaming("a stream")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	eventually(t, "both are counted", func() bool { return s.connections.count() == 2 })
	c := dial()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("the fourth is served")
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("the fourth is not closed")
	}
	if got := metric(t, s, `livemap_server_refused_connections_total{reason="overload"}`); got != "1" {
		t.Errorf("%s refused", got)
	}
	stream.Body.Close()
	eventually(t, "the stream is gone", func() bool { return s.hub.Clients() == 0 })
	if resp, _ := s.get("/v1/topics"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	eventually(t, "those that ended are counted out", func() bool { return s.connections.count() == 2 })
	if n := descriptors(); n != 0 && n < 64 {
		t.Errorf("%d descriptors", n)
	}
}

// TestIdleConnectionsPerAddress: an address cannot fill the pod with connections
// that ask for nothing.
func TestIdleConnectionsPerAddress(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.PerAddress = 2 })
	for range 2 {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	eventually(t, "both are counted", func() bool { return s.connections.count() == 2 })
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the third is served")
	}
	eventually(t, "the refused one is counted out", func() bool { return s.connections.count() == 2 })
	if got := metric(t, s, `livemap_server_refused_connections_total{reason="address"}`); got != "1" {
		t.Errorf("%s refused", got)
	}
}

// TestCORS: pages of the origins that are named may read, preflight included;
// others, and origins that only look like them, may not.
func TestCORS(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Door.Options.Origins = []string{"https://shop.example"} })
	for origin, allowed := range map[string]bool{
		"https://shop.example": true, "https://shop.example.evil.example": false, "http://shop.example": false,
		"https://SHOP.example": false, "null": false, "": false, "*": false, "https://shop.example:8443": false,
	} {
		want := map[bool]string{true: "https://shop.example"}[allowed]
		resp, _ := s.get("/v1/topics", "Origin", origin)
		if h := resp.Header; h.Get("Access-Control-Allow-Origin") != want || (h.Get("Access-Control-Allow-Credentials") != "") != allowed || h.Get("Vary") != "Origin" {
			t.Errorf("%q: %v", origin, h)
		}
		if stream := s.stream(eventsPath, "Origin", origin); stream.Header.Get("Access-Control-Allow-Origin") != want || stream.Header.Get("Vary") != "Origin" {
			t.Errorf("%q, stream: %v", origin, stream.Header)
		}
		if resp, _ := s.get("/v1/events?topics=unknown", "Origin", origin); resp.StatusCode != 400 || resp.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%q, problem: %v", origin, resp.Header)
		}
		r, err := http.NewRequest("OPTIONS", "http://"+s.address+eventsPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "GET")
		resp, err = http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if allowed != (resp.StatusCode == 204) || allowed != strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID") {
			t.Errorf("%q, preflight: %s %v", origin, resp.Status, resp.Header)
		}
	}
	if resp, _ := newSite(t, nil).get("/v1/topics", "Origin", "https://shop.example"); resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("Vary") != "" {
		t.Errorf("nobody is allowed: %v", resp.Header)
	}
}

func TestFrameAncestors(t *testing.T) {
	s := newSite(t, func(c *Config) { c.FrameAncestors = []string{"'self'", "https://shop.example"} })
	for path, want := range map[string]string{"/embed": "'self' https://shop.example", "/": "'none'"} {
		if resp, _ := s.get(path); !strings.HasSuffix(resp.Header.Get("Content-Security-Policy"), "frame-ancestors "+want) {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	for text, ok := range map[string]bool{"*": true, "'none'": true, "https://*.shop.example": true, "https://shop.example:8443": true,
		"shop.example": false, "https://shop.example/": false, "https://a.example; script-src *": false, "https://a.example 'unsafe-inline'": false, "'unsafe'": false, "": false} {
		if err := checkAncestor(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestTenants: streams that were opened with one token from one address share
// what is kept of them, and what is kept of each other pair is small.
func TestTenants(t *testing.T) {
	m := newMint(t)
	door := m.door(auth.Options{}, "")
	permit := func(sub string) *auth.Permit {
		p, err := door.Verifier.Verify(t.Context(), m.token(sub, []string{"*"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	l := newLimits(Limits{PerAddress: 2, PerSubject: 3})
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	al := permit("al")
	first, _ := l.enter(here, al)
	second, _ := l.enter(here, al)
	if first != second {
		t.Error("two streams of one token and address are two tenants")
	}
	third, _ := l.enter(there, al)
	if third == nil || third == first {
		t.Error("two addresses are one tenant")
	}
	if _, refused := l.enter(there, permit("al")); refused != shedSubject {
		t.Errorf("a fourth of a subject: %q", refused)
	}
	if _, refused := l.enter(here, permit("bob")); refused != shedAddress {
		t.Errorf("a third of an address: %q", refused)
	}
	for _, t := range []hub.Permission{first, second, third} {
		t.Left()
	}
	if n := len(l.tenants) + len(l.addresses) + len(l.subjects); n != 0 {
		t.Errorf("%d entries left", n)
	}

	free := newLimits(Limits{})
	if a, _ := free.enter(here, al); a != (revocable{al}) || len(free.tenants) > 0 {
		t.Errorf("where nothing is counted: %v, %d tenants", a, len(free.tenants))
	}

	const tenants = 10_000
	permits := make([]*auth.Permit, tenants)
	for i := range permits {
		permits[i] = &auth.Permit{Subject: "subject " + strconv.Itoa(i)}
	}
	before := heapBytes()
	for i, p := range permits {
		if _, refused := l.enter(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32), p); refused != "" {
			t.Fatal(refused)
		}
	}
	each := (heapBytes() - before) / tenants
	t.Logf("%d bytes a tenant", each)
	if each > 512 {
		t.Errorf("a tenant takes %d bytes", each)
	}
	runtime.KeepAlive(permits)
	runtime.KeepAlive(l)
}

// heapBytes returns what the heap holds.
func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
