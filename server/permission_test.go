package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"livemap/auth"
	"livemap/feed"
	"livemap/hub"
)

// What the property test draws from: names that begin alike, that would collide
// if they were joined, that look like patterns, and look-alikes.
var (
	propertyTopics = []string{"fig", "figures", "events", "events.more"}
	propertyKeys   = []string{"world", "worl", "world2", "country/CA", "country/C", "country%2FCA", "a,b", "a", "b", "user/al/1", "user/alice/1", "user/al", "user/*", "w\u043erld", "a\r\ndata: x", ""}
	topicPatterns  = []string{"fig", "fig*", "figures", "events", "events*", "e*", "*", "unknown", "FIG*"}
	keyPatterns    = []string{"world", "world*", "wor*", "country/*", "country/CA", "user/{sub}/*", "user/{sub}", "user/*", "a", "a,b", "b*", "*", "none", "World*"}
	subjects       = []string{"al", "alice", "bob"}
)

// allows is the oracle: the claim read word by word, with no set, index or cache.
func allows(patterns []string, sub, name string) bool {
	for _, p := range patterns {
		stem, wild := strings.CutSuffix(p, "*")
		stem = strings.ReplaceAll(stem, "{sub}", sub)
		if name == stem && !wild || wild && len(name) >= len(stem) && name[:len(stem)] == stem {
			return true
		}
	}
	return false
}

// asker is a request, with all that the oracle must know of it.
type asker struct {
	sub          string
	topics, keys []string // claims; keys nil: all
	asks, names  []string // of the request; names nil: none named
	bad          bool     // its token counts for nothing
	token, id    string
	inQuery      bool // the id
	body         bytes.Buffer
	status       int
	done         chan error
}

func (a *asker) permitted(topic, key string, keyless bool) bool {
	return !a.bad && allows(a.topics, a.sub, topic) && (a.keys == nil || allows(a.keys, a.sub, key) && !keyless || slices.Contains(a.keys, "*"))
}

// sees says whether a record belongs to what the request asks for and may have.
func (a *asker) sees(topic, key string, keyless bool) bool {
	return a.permitted(topic, key, keyless) && slices.Contains(a.asks, topic) && (a.names == nil || !keyless && slices.Contains(a.names, key))
}

// refused says whether the whole request must be: it names something forbidden.
func (a *asker) refused() bool {
	for _, t := range a.asks {
		if a.bad || !allows(a.topics, a.sub, t) {
			return true
		}
	}
	for _, k := range a.names {
		if a.keys != nil && !allows(a.keys, a.sub, k) {
			return true
		}
	}
	return a.keys != nil && len(a.keys) == 0
}

func some(rng *rand.Rand, from []string, most int) (list []string) {
	for range 1 + rng.IntN(most) {
		list = append(list, from[rng.IntN(len(from))])
	}
	return list
}

func newAsker(rng *rand.Rand, m *mint, ids []string) *asker {
	a := &asker{sub: subjects[rng.IntN(len(subjects))], topics: some(rng, topicPatterns, 3), done: make(chan error, 1)}
	if rng.IntN(4) > 0 {
		a.keys = some(rng, keyPatterns, 3)
	} else if rng.IntN(6) == 0 {
		a.keys = []string{}
	}
	a.asks = some(rng, propertyTopics, 3)
	if rng.IntN(2) == 0 { // mostly within what is permitted, or hardly a request would be answered
		a.asks = slices.DeleteFunc(slices.Clone(propertyTopics), func(t string) bool { return !allows(a.topics, a.sub, t) })
		if len(a.asks) == 0 {
			a.asks = []string{"fig"}
		}
	}
	if rng.IntN(3) == 0 {
		a.names = some(rng, propertyKeys, 3)
	}
	a.token = m.token(a.sub, a.topics, a.keys)
	switch rng.IntN(12) {
	case 0:
		a.token, a.bad = "", true
	case 1:
		a.token, a.bad = m.tokenUntil(time.Now().Add(-time.Second), a.sub, a.topics, a.keys), true
	case 2: // the claims of one token below the signature of another
		parts, all := strings.Split(a.token, "."), strings.Split(m.token("x", []string{"*"}, nil), ".")
		a.token, a.bad = parts[0]+"."+all[1]+"."+parts[2], true
	case 3:
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		a.token, a.bad = head+"."+strings.Split(a.token, ".")[1]+".", true
	}
	if len(ids) > 0 && rng.IntN(3) > 0 {
		a.id, a.inQuery = ids[rng.IntN(len(ids))], rng.IntN(3) == 0
	}
	return a
}

func (a *asker) request(t *testing.T, s *site, rng *rand.Rand) *http.Request {
	q := url.Values{"topics": {strings.Join(a.asks, ",")}}
	if a.names != nil {
		escaped := make([]string, len(a.names))
		for i, k := range a.names {
			escaped[i] = strings.NewReplacer("%", "%25", ",", "%2C").Replace(k)
		}
		q.Set("keys", strings.Join(escaped, ","))
	}
	if rng.IntN(3) == 0 {
		q.Set("envelope", "1")
	}
	if a.inQuery {
		q.Set("lastEventId", a.id)
	}
	r, err := http.NewRequest("GET", "http://"+s.address+"/v1/events?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(3) {
	case 0:
		r.Header.Set("Cookie", "__Host-livemap="+a.token)
	default:
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.token == "" {
		r.Header.Del("Authorization")
		r.Header.Del("Cookie")
	}
	if a.id != "" && !a.inQuery {
		r.Header.Set("Last-Event-ID", a.id)
	}
	return r
}

// start sends the request, and reads the answer to its end in the background.
func (a *asker) start(t *testing.T, s *site, client *http.Client, rng *rand.Rand) {
	resp, err := client.Do(a.request(t, s, rng))
	if err != nil {
		t.Fatal(err)
	}
	a.status = resp.StatusCode
	go func() {
		defer resp.Body.Close()
		_, err := io.Copy(&a.body, resp.Body)
		a.done <- err
	}()
}

// stock is what was published, each value with its own marker.
type stock struct {
	s       *site
	offsets map[string]int64
	records []stocked
}

type stocked struct {
	topic, key string
	keyless    bool
	number     int
}

func (k *stock) put(topic, key string, keyless bool) {
	number := len(k.records)
	rec := hub.Record{Topic: k.s.topics[topic].index, Offset: k.offsets[topic], Key: []byte(key), Value: fmt.Appendf(nil, `"MARK%dKRAM"`, number)}
	if keyless {
		rec.Key = nil
	}
	k.offsets[topic]++
	k.records = append(k.records, stocked{topic, key, keyless, number})
	if err := k.s.hub.Publish([]hub.Record{rec}); err != nil {
		k.s.t.Fatal(err)
	}
}

var (
	marker  = regexp.MustCompile(`MARK(\d+)KRAM`)
	idField = regexp.MustCompile(`(?m)^id: ?(.+)$`)
)

// TestNoByteWithoutPermission is the promise of the door: whatever the claims,
// topics, keys and ids, over real connections, an answer holds the records that a
// naive reading of the claims permits and no other, and all of them as far as
// they are owed.
func TestNoByteWithoutPermission(t *testing.T) {
	rounds, each, enough := 12, 60, 10
	if testing.Short() {
		rounds, enough = 3, 1
	}
	counts := map[string]int{}
	var ids []string
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 6))
		ids = permissionRound(t, rng, each, ids, counts)
	}
	t.Log(counts)
	for _, met := range []string{"answered", "refused", "live records", "latest seen", "latest refused", "resumed"} {
		if counts[met] < enough {
			t.Errorf("the test met too few: %s", met)
		}
	}
}

func permissionRound(t *testing.T, rng *rand.Rand, each int, ids []string, counts map[string]int) []string {
	m := newMint(t)
	s := newSite(t, func(c *Config) {
		c.Door = m.door(auth.Options{}, "")
		c.Topics = map[string]TopicConfig{"fig": {Kind: feed.State}, "figures": {Kind: feed.State},
			"events": {Kind: feed.Log, Recent: 7}, "events.more": {Kind: feed.Log}}
	})
	k := &stock{s: s, offsets: map[string]int64{}}
	publish := func(n int) {
		for range n {
			topic := propertyTopics[rng.IntN(len(propertyTopics))]
			k.put(topic, propertyKeys[rng.IntN(len(propertyKeys))], s.topics[topic].kind == feed.Log && rng.IntN(8) == 0)
		}
	}
	publish(40)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	askers := make([]*asker, each)
	for i := range askers {
		askers[i] = newAsker(rng, m, ids)
		askers[i].start(t, s, client, rng)
	}
	before := len(k.records)
	publish(40)
	checkLatest(t, rng, s, m, k, counts)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.hub.Drain(ctx, 0)
	ids = nil
	for _, a := range askers {
		if err := <-a.done; err != nil {
			t.Fatal(err)
		}
		a.check(t, k, before, counts)
		if found := idField.FindAllSubmatch(a.body.Bytes(), -1); len(found) > 0 {
			ids = append(ids, string(found[rng.IntN(len(found))][1]))
		}
	}
	return ids
}

// check compares an answer with what the oracle says.
func (a *asker) check(t *testing.T, k *stock, before int, counts map[string]int) {
	body := a.body.Bytes()
	got := map[string]bool{}
	for _, found := range marker.FindAllSubmatch(body, -1) {
		got[string(found[1])] = true
	}
	describe := fmt.Sprintf("claims %q %q of %s (bad %v), asks %q %q, id %q: %d", a.topics, a.keys, a.sub, a.bad, a.asks, a.names, a.id, a.status)
	for _, r := range k.records {
		if got[fmt.Sprint(r.number)] && !a.sees(r.topic, r.key, r.keyless) {
			t.Fatalf("%s: was sent %+v", describe, r)
		}
	}
	if a.refused() {
		counts["refused"]++
		if a.status < 400 || len(got) > 0 {
			t.Fatalf("%s: should be refused: %s", describe, body)
		}
		return
	}
	if a.id != "" && a.inQuery && a.status == 400 { // an id of another site's topics may be none of this one's
		return
	}
	if a.status != 200 {
		t.Fatalf("%s: should be answered: %s", describe, body)
	}
	counts["answered"]++
	if a.id != "" {
		counts["resumed"]++
	}
	for _, r := range k.records[before:] { // live: each is owed
		if a.sees(r.topic, r.key, r.keyless) {
			counts["live records"]++
			if a.id == "" && !got[fmt.Sprint(r.number)] {
				t.Fatalf("%s: was not sent %+v\n%s", describe, r, body)
			}
		}
	}
}

// checkLatest asks for latest values and the list of topics with random tokens.
func checkLatest(t *testing.T, rng *rand.Rand, s *site, m *mint, k *stock, counts map[string]int) {
	for range 20 {
		a := newAsker(rng, m, nil)
		topic, key := propertyTopics[rng.IntN(2)], propertyKeys[rng.IntN(len(propertyKeys))]
		header := []string{"Authorization", "Bearer " + a.token}
		if a.token == "" {
			header = nil
		}
		resp, body := s.get("/v1/latest?"+url.Values{"topic": {topic}, "key": {key}}.Encode(), header...)
		switch may := a.permitted(topic, key, false); {
		case !may && (resp.StatusCode < 400 || strings.Contains(body, "MARK")):
			t.Fatalf("%q %q of %s: latest %s %q: %s %s", a.topics, a.keys, a.sub, topic, key, resp.Status, body)
		case !may:
			counts["latest refused"]++
		case resp.StatusCode == 200:
			counts["latest seen"]++
		case resp.StatusCode != 404:
			t.Fatalf("%q %q of %s: latest %s %q: %s %s", a.topics, a.keys, a.sub, topic, key, resp.Status, body)
		}
		_, body = s.get("/v1/topics", header...)
		var list struct{ Topics []topicInfo }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, info := range list.Topics {
			listed[info.Name] = true
		}
		for name := range maps.Keys(s.topics) {
			if want := !a.bad && allows(a.topics, a.sub, name); listed[name] != want {
				t.Fatalf("%q of %s (bad %v): /v1/topics lists %s: %v", a.topics, a.sub, a.bad, name, listed[name])
			}
		}
	}
}
