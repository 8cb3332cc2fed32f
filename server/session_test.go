package server

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"livemap/auth"
)

const pageOrigin = "https://map.example"

func newSessionSite(t *testing.T) (*site, *mint) {
	m := newMint(t)
	return newSite(t, func(c *Config) {
		c.Door = m.door(auth.Options{}, "")
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Session = &Session{
			Origins: []string{pageOrigin}, Topics: []string{"fig*"}, Keys: []string{"world"}, TTL: 15 * time.Minute,
			Signer: func() (*auth.Signer, error) { return m.signer, nil },
		}
	}), m
}

func (s *site) post(path string, body string, header ...string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequest("POST", "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestSession: the page gets a cookie that opens what the policy names and
// nothing else, and no script can read it.
func TestSession(t *testing.T) {
	s, _ := newSessionSite(t)
	s.put("figures", 0, "world", []byte("1"))
	s.put("figures", 1, "secret", []byte("2"))
	s.put("pictures", 0, "world", []byte("3"))
	resp := s.post("/v1/session", "", "Origin", pageOrigin)
	cookies := resp.Cookies()
	if resp.StatusCode != 204 || len(cookies) != 1 || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") == "" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	c := cookies[0]
	if c.Name != auth.DefaultCookie || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" ||
		time.Until(c.Expires) > 15*time.Minute || time.Until(c.Expires) < 14*time.Minute {
		t.Errorf("%+v", c)
	}
	header := []string{"Cookie", c.Name + "=" + c.Value, "Sec-Fetch-Site", "same-origin"}
	stream := s.stream("/v1/events?topics=figures", header...)
	stream.want("figures 1")
	if resp, _ := s.get("/v1/latest?topic=figures&key=secret", header...); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	if resp, _ := s.get("/v1/events?topics=pictures", header...); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	if again := s.post("/v1/session", "", "Origin", pageOrigin).Cookies()[0]; again.Value == c.Value {
		t.Error("two sessions are one")
	}
	if got := metric(t, s, "livemap_server_sessions_total"); got != "2" {
		t.Errorf("%s sessions", got)
	}
}

func TestSessionRefused(t *testing.T) {
	s, _ := newSessionSite(t)
	for name, c := range map[string]struct {
		header []string
		body   string
		status int
	}{
		"no origin":       {nil, "", 403},
		"another origin":  {[]string{"Origin", "https://evil.example"}, "", 403},
		"its own host":    {[]string{"Origin", "http://" + s.address}, "", 403},
		"one like it":     {[]string{"Origin", pageOrigin + ".evil.example"}, "", 403},
		"two origins":     {[]string{"Origin", pageOrigin, "Origin", "https://evil.example"}, "", 403},
		"null":            {[]string{"Origin", "null"}, "", 403},
		"a body":          {[]string{"Origin", pageOrigin}, "x", 400},
		"a large header":  {[]string{"Origin", pageOrigin, "X-A", strings.Repeat("a", 17000)}, "", 431},
		"as it should be": {[]string{"Origin", pageOrigin}, "", 204},
	} {
		resp := s.post("/v1/session", c.body, c.header...)
		if resp.StatusCode != c.status || (len(resp.Cookies()) > 0) != (c.status == 204) {
			t.Errorf("%s: %s %v", name, resp.Status, resp.Header)
		}
	}
	if resp, _ := s.get("/v1/session"); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %s %v", resp.Status, resp.Header)
	}
	if resp := newSite(t, nil).post("/v1/session", "", "Origin", pageOrigin); resp.StatusCode != 405 || len(resp.Cookies()) > 0 {
		t.Errorf("switched off: %s", resp.Status)
	}
	answers := map[int]int{}
	for range 3 * sessionsPerAddress {
		answers[s.post("/v1/session", "", "Origin", pageOrigin, "X-Forwarded-For", "192.0.2.1").StatusCode]++
	}
	if answers[204] < sessionsPerAddress || answers[429] == 0 || len(answers) != 2 {
		t.Errorf("%v", answers)
	}
}

func TestSessionValidate(t *testing.T) {
	_, m := newSessionSite(t)
	signer := func() (*auth.Signer, error) { return m.signer, nil }
	for name, c := range map[string]struct {
		session Session
		want    string
	}{
		"no origin":   {Session{Topics: []string{"*"}, TTL: time.Hour, Signer: signer}, "session-origins"},
		"no topic":    {Session{Origins: []string{pageOrigin}, TTL: time.Hour, Signer: signer}, "session-topics"},
		"bad pattern": {Session{Origins: []string{pageOrigin}, Topics: []string{"a*b"}, TTL: time.Hour, Signer: signer}, "asterisk"},
		"wild origin": {Session{Origins: []string{"https://*"}, Topics: []string{"*"}, TTL: time.Second, Signer: signer}, "session-ttl 1s"},
		"slash":       {Session{Origins: []string{pageOrigin + "/"}, Topics: []string{"*"}, TTL: time.Hour, Signer: signer}, "session-origins"},
	} {
		if err := c.session.validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
