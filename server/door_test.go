package server

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"livemap/auth"
	"livemap/internal/testkit"
)

// mint makes tokens for a site and a door that takes them.
type mint struct {
	t      testing.TB
	secret string
	signer *auth.Signer
}

func newMint(t testing.TB) *mint {
	secret := auth.GenerateSecret()
	signer, err := auth.NewSecretSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &mint{t, string(secret), signer}
}

// door returns a door for the mint's tokens, and nobody else.
func (m *mint) door(options auth.Options, revoked string) *auth.Door {
	v, err := auth.New(auth.Config{HS256Key: m.secret, Leeway: time.Millisecond, RevokedFile: revoked})
	if err != nil {
		m.t.Fatal(err)
	}
	return &auth.Door{Verifier: v, Options: options}
}

// token makes a token of an hour; without keys it shows all.
func (m *mint) token(sub string, topics, keys []string) string {
	return m.tokenUntil(time.Now().Add(time.Hour), sub, topics, keys)
}

func (m *mint) tokenUntil(end time.Time, sub string, topics, keys []string) string {
	m.t.Helper()
	token, err := m.signer.Mint(auth.Claims{Subject: sub, ID: "id-" + sub, Issued: end.Add(-time.Hour), Expires: end, Topics: topics, Keys: keys})
	if err != nil {
		m.t.Fatal(err)
	}
	return token
}

// TestDoor goes through what those are answered who may not see what they name,
// or show no token that counts.
func TestDoor(t *testing.T) {
	m := newMint(t)
	s := newSite(t, func(c *Config) { c.Door = m.door(auth.Options{Origins: []string{"https://shop.example"}}, "") })
	s.put("figures", 0, "world", []byte("1"))
	s.put("figures", 1, "secret", []byte("2"))
	some := "Bearer " + m.token("al", []string{"fig*"}, []string{"world", "user/{sub}/*"})
	none := "Bearer " + m.token("al", []string{"*"}, []string{})
	stale := "Bearer " + m.tokenUntil(time.Now().Add(-time.Second), "al", []string{"*"}, nil)
	foreign := "Bearer " + newMint(t).token("al", []string{"*"}, nil)
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		code       string
		challenge  string // what WWW-Authenticate must hold
	}{
		{"no token", "/v1/events?topics=figures", nil, 401, "token_missing", `Bearer realm="livemap"`},
		{"no token, latest", "/v1/latest?topic=figures&key=world", nil, 401, "token_missing", "Bearer"},
		{"no token, topics", "/v1/topics", nil, 401, "token_missing", "Bearer"},
		{"no token, no topic", "/v1/events?topics=unknown", nil, 401, "token_missing", "Bearer"},
		{"nonsense", "/v1/topics", []string{"Authorization", "Bearer x"}, 401, "token_malformed", `error="invalid_token"`},
		{"stale", "/v1/events?topics=figures", []string{"Authorization", stale}, 401, "token_expired", `error="invalid_token"`},
		{"foreign", "/v1/events?topics=figures", []string{"Authorization", foreign}, 401, "token_signature", `error="invalid_token"`},
		{"topic", "/v1/events?topics=events", []string{"Authorization", some}, 403, "topic_forbidden", `error="insufficient_scope"`},
		{"one of two topics", "/v1/events?topics=figures,events", []string{"Authorization", some}, 403, "topic_forbidden", "insufficient_scope"},
		{"unknown topic is as forbidden", "/v1/events?topics=unknown", []string{"Authorization", some}, 403, "topic_forbidden", "insufficient_scope"},
		{"key", "/v1/events?topics=figures&keys=secret", []string{"Authorization", some}, 403, "key_forbidden", "insufficient_scope"},
		{"another's key", "/v1/events?topics=figures&keys=world,user/alice/1", []string{"Authorization", some}, 403, "key_forbidden", "insufficient_scope"},
		{"pattern as key", "/v1/events?topics=figures&keys=user/*", []string{"Authorization", some}, 403, "key_forbidden", "insufficient_scope"},
		{"latest", "/v1/latest?topic=figures&key=secret", []string{"Authorization", some}, 403, "key_forbidden", "insufficient_scope"},
		{"latest of a forbidden topic", "/v1/latest?topic=events&key=world", []string{"Authorization", some}, 403, "topic_forbidden", "insufficient_scope"},
		{"no keys at all", "/v1/events?topics=figures", []string{"Authorization", none}, 403, "token_grants_nothing", "insufficient_scope"},
		{"in the query", "/v1/topics?access_token=" + some[len("Bearer "):], nil, 400, "token_in_query_off", "invalid_request"},
		{"cookie of another site", "/v1/topics", []string{"Cookie", "__Host-livemap=" + some[len("Bearer "):], "Origin", "https://evil.example"}, 403, "origin", "Bearer"},
	} {
		resp, body := s.get(c.path, c.header...)
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != c.status || p.Status != c.status || p.Code != c.code ||
			resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(resp.Header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %s %v %s", c.name, resp.Status, resp.Header, body)
		}
		if c.name != "cookie of another site" && resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", c.name, resp.Header)
		}
	}
	for _, header := range [][]string{
		{"Authorization", some},
		{"Cookie", "__Host-livemap=" + some[len("Bearer "):]},
		{"Cookie", "__Host-livemap=" + some[len("Bearer "):], "Origin", "https://shop.example"},
	} {
		resp, body := s.get("/v1/topics", header...)
		if want := `{"topics":[{"name":"figures","kind":"state","format":"json"}],"keys":["world","user/al/*"]}` + "\n"; body != want {
			t.Errorf("topics: %s", body)
		}
		if resp.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("topics: %v", resp.Header)
		}
	}
	if _, body := s.get("/v1/topics", "Authorization", none); !strings.HasSuffix(body, `"keys":[]}`+"\n") {
		t.Errorf("a token without keys: %s", body)
	}
	if resp, body := s.get("/v1/latest?topic=figures&key=world", "Authorization", some); resp.StatusCode != 200 || body != "1" {
		t.Errorf("latest: %s %s", resp.Status, body)
	}
	if resp, _ := s.get("/"); resp.StatusCode != 200 {
		t.Errorf("the page itself needs no token: %s", resp.Status)
	}
}

// TestWildcards: a permit with wildcards needs no names, sees keys that are new,
// and goes on where it was.
func TestWildcards(t *testing.T) {
	m := newMint(t)
	s := newSite(t, func(c *Config) { c.Door = m.door(auth.Options{Query: true}, "") })
	s.put("figures", 0, "user/al/1", []byte("1"))
	s.put("figures", 1, "user/alice/1", []byte("2"))
	token := m.token("al", []string{"*"}, []string{"world", "user/{sub}/*"})
	first := s.stream("/v1/events?topics=figures,events&access_token=" + token)
	first.want("figures 1")
	s.put("figures", 2, "user/alice/2", []byte("3"))
	s.put("figures", 3, "user/al/2", []byte("4"))
	s.put("events", 0, "world", []byte("5"))
	first.want("figures 4", "events 5")
	s.put("events", 1, "user/alice/3", []byte("6"))
	s.put("events", 2, "user/al/3", []byte("7"))
	again := s.stream("/v1/events?topics=figures,events", "Authorization", "Bearer "+token, "Last-Event-ID", first.id)
	again.want("events 7")
	// The id does not open the door, and the permission is asked for anew.
	if resp, body := s.get("/v1/events?topics=figures,events", "Last-Event-ID", first.id); resp.StatusCode != 401 {
		t.Errorf("resume without a token: %s %s", resp.Status, body)
	}
	if resp, body := s.get("/v1/events?topics=figures,events", "Last-Event-ID", first.id,
		"Authorization", "Bearer "+m.token("al", []string{"figures"}, nil)); resp.StatusCode != 403 {
		t.Errorf("resume with a narrower token: %s %s", resp.Status, body)
	}
}

// TestExpires: a stream ends before its token does, and says why.
func TestExpires(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	s := newSite(t, func(c *Config) { c.Door = m.door(auth.Options{}, "") })
	end := time.Now().Truncate(time.Second).Add(4 * time.Second)
	stream := s.stream("/v1/events?topics=figures", "Authorization", "Bearer "+m.tokenUntil(end, "al", []string{"*"}, nil))
	stream.want(`goodbye {"reason":"expired"}`, "")
	if !time.Now().Before(end) {
		t.Errorf("ended %s after the token", time.Since(end))
	}
}

func TestEarly(t *testing.T) {
	now := time.Now()
	if !early(time.Time{}, now).IsZero() {
		t.Error("without an end there is one")
	}
	seen := map[time.Duration]bool{}
	for range 100 {
		for left, least := range map[time.Duration]time.Duration{-time.Hour: -time.Hour, 0: 0, time.Second: 0, time.Minute: 55 * time.Second, time.Hour: time.Hour - 12*time.Second} {
			got := early(now.Add(left), now).Sub(now)
			if got > left || left > earlyLeast && got > left-earlyLeast || got < least {
				t.Errorf("of %s: %s", left, got)
			}
			seen[got] = true
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d different ends", len(seen))
	}
}

// TestRevoked: whoever is revoked is thrown out within the stated time, others
// stay. Nobody slips in between the look at the token and the list of those whose
// permission is asked about again.
func TestRevoked(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	file := filepath.Join(t.TempDir(), "revoked")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	door := m.door(auth.Options{}, file)
	s := newSite(t, func(c *Config) { c.Door = door })
	header := func(sub string) string { return "Bearer " + m.token(sub, []string{"*"}, nil) }
	late := httptest.NewRequest("GET", "http://"+s.address+"/v1/events?topics=figures", nil)
	late.Header.Set("Authorization", header("al"))
	permit, err := door.Admit(late)
	if err != nil {
		t.Fatal(err)
	}
	al := s.stream("/v1/events?topics=figures", "Authorization", header("al"))
	bob := s.stream("/v1/events?topics=figures", "Authorization", header("bob"))
	eve := s.stream("/v1/events?topics=figures", "Authorization", header("eve"))
	begin := time.Now()
	if err := os.WriteFile(file, []byte("sub al\njti id-bob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	al.want(`goodbye {"reason":"expired"}`, "")
	bob.want(`goodbye {"reason":"expired"}`, "")
	// docs/security.md promises a third of this; a busy machine may be late.
	if took := time.Since(begin); took > 3*(auth.ReloadEvery+recheckEvery) {
		t.Errorf("thrown out after %s", took)
	}
	s.put("figures", 0, "world", []byte("1"))
	eve.want("figures 1")
	if resp, body := s.get("/v1/events?topics=figures", "Authorization", header("al")); resp.StatusCode != 401 || !strings.Contains(body, "token_revoked") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if got := metric(t, s, `livemap_hub_closes_total{reason="revoked"}`); got != "2" {
		t.Errorf("%s closes", got)
	}
	w := httptest.NewRecorder()
	s.events(w, late, permit)
	if w.Code != 401 || s.hub.Clients() != 1 || !strings.Contains(w.Body.String(), "token_revoked") {
		t.Errorf("whose token was revoked while joining: %d %s, %d clients", w.Code, w.Body, s.hub.Clients())
	}
}

// TestLogsHoldNoToken: whatever is logged about a request, its token is not.
func TestLogsHoldNoToken(t *testing.T) {
	m := newMint(t)
	var log testkit.Log
	s := newSite(t, func(c *Config) {
		c.Door, c.Logger = m.door(auth.Options{Query: true}, ""), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	token := m.token("al", []string{"figures"}, nil)
	for _, target := range []string{"/v1/events?topics=events&access_token=" + token, "/v1/topics?access_token=" + token + "&access_token=" + token, "/v1/topics?access%5Ftoken=" + token[1:]} {
		s.get(target)
	}
	if text := log.String(); !strings.Contains(text, "REDACTED") || strings.Contains(text, token[10:40]) {
		t.Errorf("log: %s", text)
	}
}

// metric returns the value of a metric as /metrics has it.
func metric(t *testing.T, s *site, name string) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.Collectors()...)
	w := httptest.NewRecorder()
	s.Admin(registry).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	_, after, found := strings.Cut(w.Body.String(), "\n"+name+" ")
	if !found {
		t.Fatalf("no metric %s", name)
	}
	value, _, _ := strings.Cut(after, "\n")
	return value
}
