package server

import (
	"net/url"
	"strings"
	"testing"

	"livemap/auth"
	"livemap/feed"
)

// TestLookAlikes: names are compared byte by byte after one decoding of the
// query. What only looks like a permitted name is another, and forbidden; so is
// what a proxy or a second decoding would turn into one.
func TestLookAlikes(t *testing.T) {
	m := newMint(t)
	s := newSite(t, func(c *Config) { c.Door = m.door(auth.Options{}, "") })
	s.put("figures", 0, "world", []byte("1"))
	token := []string{"Authorization", "Bearer " + m.token("al", []string{"figures", "user/{sub}"}, []string{"world", "country/*"})}
	if resp := s.stream("/v1/events?topics=%66igures&keys=%77orld", token...); resp.StatusCode != 200 {
		t.Fatalf("a permitted name, encoded once: %s", resp.Status)
	}
	topics := []string{
		"Figures", "FIGURES", "figures ", " figures", "figures\t", "figures\n", "figures\r\n", "figures\x00", "\x00figures", "figures\x7f", "figures\u200b",
		"f\u0456gures", "ﬁgures", "figureѕ", "ｆｉｇｕｒｅｓ", "figures\u0301", "\ufefffigures", "figures/", "./figures", "figures/../events", "figures*", "*", "fig*", "figures;events", "figures%00", "%66igures", "%2566igures",
		"user/{sub}", "user/{sub}", "figures\xff", "data: x", strings.Repeat("figures", 100),
	}
	for _, topic := range topics {
		s.refusedAs(t, "/v1/events?topics="+url.QueryEscape(topic), token, 400, 403)
		s.refusedAs(t, "/v1/latest?key=world&topic="+url.QueryEscape(topic), token, 400, 403)
	}
	keys := []string{
		"World", "world ", "world\n", "world\x00", "w\u043erld", "ｗorld", "world\u200b", "world/", "world*", "*", "country", "Country/CA", "country\\CA", "coun%74ry/CA", "country%252FCA", "/country/CA", "world\xff", "user/al", "",
	}
	for _, key := range keys {
		s.refusedAs(t, "/v1/events?topics=figures&keys="+url.QueryEscape(strings.ReplaceAll(key, "%", "%25")), token, 400, 403)
		s.refusedAs(t, "/v1/latest?topic=figures&key="+url.QueryEscape(key), token, 400, 403)
	}
	for _, query := range []string{"topics=figures&topics=events", "topics=events;topics=figures", "Topics=figures", "topics[]=figures", "topics=figures%2Cevents", "topics=figures&keys=world%2Csecret", "topics=figures&keys=world&keys=secret"} {
		s.refusedAs(t, "/v1/events?"+query, token, 400, 403)
	}
}

// refusedAs checks that a request is a problem with one of the statuses, and
// that its answer repeats nothing of the request that could be taken for a line.
func (s *site) refusedAs(t *testing.T, path string, header []string, statuses ...int) {
	t.Helper()
	resp, body := s.get(path, header...)
	for _, status := range statuses {
		if resp.StatusCode == status {
			if strings.ContainsAny(strings.TrimSuffix(body, "\n"), "\r\n\x00") || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %v %q", path, resp.Header, body)
			}
			return
		}
	}
	t.Errorf("%s: %s %.200q", path, resp.Status, body)
}

// TestJoinedStringsDoNotCollide: views whose topics, keys and encodings would be
// one text if they were joined are served apart.
func TestJoinedStringsDoNotCollide(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Topics["a"], c.Topics["a.b"], c.Topics["b"] = TopicConfig{Kind: feed.State}, TopicConfig{Kind: feed.State}, TopicConfig{Kind: feed.State}
	})
	for i, key := range []string{"x", "y", "x,y", "xy", "x%2Cy", "x|y", "x\x00y", "x/y", ""} {
		for _, topic := range []string{"a", "a.b", "b"} {
			s.put(topic, int64(i), key, []byte(`"`+topic+" "+url.QueryEscape(key)+`"`))
		}
	}
	encode := func(key string) string {
		return url.QueryEscape(strings.NewReplacer("%", "%25", ",", "%2C").Replace(key))
	}
	for _, topic := range []string{"a", "a.b", "b"} {
		for _, key := range []string{"x", "x,y", "xy", "x%2Cy", "x|y", "x\x00y", "x/y"} {
			got := s.stream("/v1/events?topics=" + topic + "&keys=" + encode(key)).next()
			for strings.HasPrefix(got, "hello") {
				t.Fatal("hello is not counted as an event by next")
			}
			if want := topic + ` "` + topic + " " + url.QueryEscape(key) + `"`; got != want {
				t.Errorf("topic %s, key %q: %q, want %q", topic, key, got, want)
			}
		}
	}
	both := s.stream("/v1/events?topics=a&keys=x,y")
	both.want(`a "a x"`)
	both.want(`a "a y"`)
}

// TestTopicNamesAreChecked: what would be a field or another name in a stream is
// no name for a topic.
func TestTopicNamesAreChecked(t *testing.T) {
	for _, name := range []string{"a\nb", "a\rb", "a\x00b", "a b", "a,b", "", "hello", "heartbeat", "gap", "delete", "goodbye", "message", "open", "error", "a*", "a:b", "é", strings.Repeat("a", 300)} {
		c := Config{Topics: map[string]TopicConfig{name: {Kind: feed.State}}, Door: everybody(t)}
		c.Kafka.Brokers = []string{"127.0.0.1:1"}
		if err := c.Validate(); err == nil {
			t.Errorf("topic %q is allowed", name)
		}
	}
}
