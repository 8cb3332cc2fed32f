package auth

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// world is small, so that random patterns, topics and keys often meet.
type world struct{ r *rand.Rand }

func (w world) pick(from ...string) string { return from[w.r.IntN(len(from))] }

func (w world) name() string {
	return w.pick("a", "b", "ab", "a/b", "a/", "/a", "A", "a,b", "a%2Cb", "a%2Fb", "а", "", "*", "a*", "{sub}", "user/a", "user/b", "user/a/x", "user/b/x", "user/a/b/x", "user//x", "user/*/x", "a\x00", "a\nb", "é", "e\u0301")
}

func (w world) subject() string {
	return w.pick("a", "a", "a", "b", "b", "b", "a/b", "*", "", "a*", "{sub}", "a%2Fb", "user", "а", "a\n", "../b")
}

func (w world) pattern() any {
	switch w.r.IntN(40) {
	case 0:
		return 1
	case 1:
		return nil
	case 2:
		return []string{"*"}
	}
	if w.r.IntN(15) == 0 {
		return w.pick("a*b", "{x}", "\n", "a**", "", "{sub}*")
	}
	return w.pick("", "user/", "user/", "a", "A", "/") + w.pick("a", "b", "b", "{sub}", "{sub}/", "{sub}/x", ",", "%2C") + w.pick("", "", "*")
}

func (w world) patterns(most int) any {
	switch w.r.IntN(30) {
	case 0:
		return w.pattern()
	case 1:
		return map[string]any{"a": true}
	case 2, 3, 4:
		return []string{"*"}
	}
	list := make([]any, w.r.IntN(most+1))
	for i := range list {
		list[i] = w.pattern()
	}
	return list
}

func (w world) claims(now time.Time) map[string]any {
	grant := map[string]any{}
	for name, odds := range map[string]int{"topics": 95, "keys": 70, "Topics": 1, "key": 1} {
		if w.r.IntN(100) < odds {
			grant[name] = w.patterns(3)
		}
	}
	c := map[string]any{"exp": now.Unix() + int64(w.r.IntN(400)) - 30, "sub": w.subject()}
	switch w.r.IntN(30) {
	case 0:
		c["livemap"] = w.patterns(2)
	case 1:
	default:
		c["livemap"] = grant
	}
	for name, v := range map[string]any{"nbf": now.Unix() + int64(w.r.IntN(60)) - 40, "aud": w.pick("livemap", "other"), "iss": w.pick("i", "j")} {
		if w.r.IntN(8) == 0 {
			c[name] = v
		}
	}
	return c
}

// oracle says whether a token with these claims may be answered with a record of
// a topic and key, in the plainest words there are: it works on what
// encoding/json makes of the claims, and is asked for one record at a time.
func oracle(raw []byte, now time.Time, topic, key string) bool {
	var c struct {
		Sub, Iss string
		Exp, Nbf float64
		Aud      any
		Livemap  map[string]any
	}
	if json.Unmarshal(raw, &c) != nil {
		return false
	}
	at := float64(now.UnixNano()) / 1e9
	if at >= c.Exp+10 || at < c.Nbf-10 || c.Aud != nil {
		return false
	}
	keys, some := c.Livemap["keys"]
	return oracleList(c.Livemap["topics"], c.Sub, topic) && (!some || oracleList(keys, c.Sub, key))
}

func oracleList(list any, subject, name string) bool {
	all, _ := list.([]any)
	for _, one := range all {
		p, ok := one.(string)
		if !ok {
			return false
		}
		rest, wild := strings.CutSuffix(p, "*")
		expanded := strings.ReplaceAll(rest, "{sub}", subject)
		if name == expanded || wild && strings.HasPrefix(name, expanded) {
			return true
		}
	}
	return false
}

// No request without permission gets a record: for random claims and random
// requests, whatever passes Verify, Allow and the effective key set is what the
// oracle allows. And, so that refusing everything does not pass: a request that
// the oracle allows for every record is let through unless the token is one of
// those that are refused as a whole.
func TestNobodySeesWhatTheOracleRefuses(t *testing.T) {
	hs := pairs()[HS256]
	v := newVerifier(t, hs.config())
	w := world{rand.New(rand.NewPCG(6, 3))}
	rounds, verified, admitted, seen := 30000, 0, 0, 0
	if testing.Short() {
		rounds = 3000
	}
	for range rounds {
		now := time.Now()
		raw, _ := json.Marshal(w.claims(now))
		p, err := v.Verify(t.Context(), hs.signRaw(t, `{"alg":"HS256"}`, string(raw)))
		if err != nil {
			problemOf(t, err)
			continue
		}
		verified++
		for range 6 {
			topic := w.name()
			var keys []string
			for range w.r.IntN(3) {
				keys = append(keys, w.name())
			}
			set, err := p.Allow([]string{topic}, keys)
			if (err == nil) != allAllowed(raw, now, topic, keys, p) {
				t.Fatalf("%s: topic %q, keys %q: %v", raw, topic, keys, err)
			}
			if err != nil {
				continue
			}
			admitted++
			for range 10 { // records as they come along
				recordTopic, recordKey := w.pick(topic, w.name()), w.name()
				if recordTopic != topic || !set.Match(recordKey) {
					continue
				}
				seen++
				if !oracle(raw, now, recordTopic, recordKey) {
					t.Fatalf("%s: a record %q of %q is seen", raw, recordKey, recordTopic)
				}
			}
		}
	}
	t.Logf("%d tokens, %d verified, %d requests admitted, %d records seen", rounds, verified, admitted, seen)
	if verified < rounds/20 || admitted < rounds/20 || seen < rounds/20 {
		t.Error("the test has become too seldom successful to mean anything")
	}
}

// allAllowed is the oracle for a request. A request that names no keys needs
// only its topic.
func allAllowed(raw []byte, now time.Time, topic string, keys []string, p *Permit) bool {
	if keys == nil {
		var c struct {
			Sub     string
			Livemap map[string]any
		}
		json.Unmarshal(raw, &c)
		return oracleList(c.Livemap["topics"], c.Sub, topic)
	}
	for _, k := range keys {
		if !oracle(raw, now, topic, k) {
			return false
		}
	}
	return true
}

func TestAllow(t *testing.T) {
	v := newVerifier(t, pairs()[HS256].config())
	p, err := v.Verify(t.Context(), pairs()[HS256].sign(t, nil, claimsFor(nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		topics, keys []string
		want         Problem
	}{
		{[]string{"metrics"}, nil, ""},
		{[]string{"metrics", "shipments"}, []string{"world", "user/alice/x"}, ""},
		{[]string{"metrics", "trending"}, nil, ProblemTopic},
		{[]string{"METRICS"}, nil, ProblemTopic},
		{[]string{"metrics\n"}, nil, ProblemTopic},
		{[]string{"metrics"}, []string{"world", "user/bob/x"}, ProblemKey},
		{[]string{"metrics"}, []string{"user/alice"}, ProblemKey},
		{[]string{"metrics"}, []string{"*"}, ProblemKey},
		{[]string{"metrics"}, []string{""}, ProblemKey},
		{[]string{"metrics"}, []string{}, ""}, // names none: sees none
	} {
		set, err := p.Allow(tt.topics, tt.keys)
		if problemOf(t, err) != tt.want {
			t.Errorf("%q, %q: %v, want %q", tt.topics, tt.keys, err, tt.want)
		}
		if tt.keys != nil && err == nil && len(set.Names()) != len(tt.keys) || err != nil && !set.Empty() {
			t.Errorf("%q, %q: %v", tt.topics, tt.keys, set)
		}
	}
	// A client's own keys are names, never patterns.
	if set, err := p.Allow([]string{"metrics"}, []string{"user/alice/*"}); err != nil || set.Match("user/alice/x") {
		t.Errorf("%v, %v", set, err)
	}
	if _, err := (&Permit{}).Allow([]string{""}, nil); problemOf(t, err) != ProblemTopic {
		t.Error("the zero permit permits something")
	}
}

func TestAnonymous(t *testing.T) {
	p, err := Anonymous("metrics", "ship*")
	if err != nil || !p.Anonymous() || !p.AllKeys() || !p.Topic("shipments") || p.Topic("orders") || p.Ended(time.Now()) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, topics := range [][]string{nil, {"{sub}"}, {""}, {"a*b"}} {
		if p, err := Anonymous(topics...); err == nil {
			t.Errorf("%q: %+v", topics, p)
		}
	}
}
