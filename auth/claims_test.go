package auth

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseClaims(t *testing.T) {
	c, err := parseClaims([]byte(` {"iss":"i","sub":"s\u00e9\ud83d\ude00","jti":"j","exp":2e9,"nbf":1.5,"iat":1,
		"aud":["a","b"],"scope":{"deep":[{"x":null},true,false,-0.1e-3]},
		"livemap":{"topics":["metrics","\u0074rending"],"keys":[]}} `), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := claims{issuer: "i", subject: "sé😀", id: "j", audience: []string{"a", "b"},
		expires: time.Unix(2e9, 0).UTC(), notBefore: time.Unix(1, 5e8).UTC(), issued: time.Unix(1, 0).UTC()}
	want.grant = &grant{text: `{"topics":["metrics","\u0074rending"],"keys":[]}`, topics: []string{"metrics", "trending"}, keys: []string{}, someKeys: true}
	want.grant.topicForms, want.grant.keyForms = newForms(want.grant.topics), newForms(want.grant.keys)
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestParseClaimsRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)
	var wide strings.Builder
	for i := range maxMembers + 1 {
		wide.WriteString(`,"` + strings.Repeat("a", i+1) + `":1`)
	}
	tests := []struct{ json, says string }{
		{``, "not JSON"},
		{`null`, "not JSON"},
		{`[]`, "not JSON"},
		{`{} {}`, "not JSON"},
		{`{}x`, "not JSON"},
		{`{"a":1,}`, "not JSON"},
		{`{"a" 1}`, "not JSON"},
		{`{'a':1}`, "not JSON"},
		{`{"a":01}`, "not JSON"},
		{`{"a":+1}`, "not JSON"},
		{`{"a":.5}`, "not JSON"},
		{`{"a":1.}`, "not JSON"},
		{`{"a":NaN}`, "not JSON"},
		{`{"a":tru}`, "not JSON"},
		{`{"a":[1,]}`, "not JSON"},
		{"{\"a\":\"\n\"}", "not JSON"},
		{"{\"a\":\"\xff\"}", "not JSON"},
		{`{"a":"\x"}`, "not JSON"},
		{`{"a":"\ud800"}`, "not JSON"},
		{`{"a":"\ud800\ud800"}`, "not JSON"},
		{`{"a":"\udc00"}`, "not JSON"},
		{"\uFEFF{}", "not JSON"},
		{`{"a":1e999}`, "out of range"},
		{`{"exp":1,"exp":2}`, "twice"},
		{`{"exp":1,"\u0065xp":2}`, "twice"},
		{`{"x":{"y":{"z":1,"z":1}}}`, "twice"},
		{`{"x":[{"z":1,"z":1}]}`, "twice"},
		{`{"livemap":{"topics":["a"],"topics":["*"]}}`, "twice"},
		{`{"livemap":{"topics":["a"]},"livemap":{"topics":["*"]}}`, "twice"},
		{deep, "nested deeper"},
		{strings.Repeat("[", 40), "not JSON"},
		{`{"a":` + strings.Repeat("[", 40), "nested deeper"},
		{`{"first":1` + wide.String() + `}`, "members"},
		{`{"livemap":["*"]}`, "not an object"},
		{`{"livemap":"*"}`, "not an object"},
		{`{"livemap":null}`, "not an object"},
		{`{"livemap":{"topics":"*"}}`, "not an array"},
		{`{"livemap":{"topics":["a",1]}}`, "livemap.topics holds something that is not a string"},
		{`{"livemap":{"topics":["a"],"keys":null}}`, "not an array"},
		{`{"livemap":{"topics":["a"],"key":["world"]}}`, "livemap.key is not known"},
		{`{"livemap":{"topics":["a"],"Keys":["world"]}}`, "livemap.Keys is not known"},
		{`{"sub":1}`, "sub is not a string"},
		{`{"sub":null}`, "sub is not a string"},
		{`{"sub":"a\u0000"}`, "control character"},
		{`{"sub":"a\r\ndata: x"}`, "control character"},
		{`{"sub":"` + strings.Repeat("s", MaxSubjectBytes+1) + `"}`, "longer than"},
		{`{"sub":" a"}`, "space"},
		{`{"sub":"a\u00a0"}`, "space"},
		{`{"jti":"a\n"}`, "jti begins or ends"},
		{`{"jti":"a\u0007b"}`, "control character"},
		{`{"aud":1}`, "aud is not a string"},
		{`{"aud":["a",null]}`, "not a string"},
		{`{"aud":[` + strings.Repeat(`"a",`, maxAudiences) + `"a"]}`, "more than"},
		{`{"exp":"2000000000"}`, "not a number"},
		{`{"exp":null}`, "not a number"},
		{`{"exp":-1}`, "between 1970 and 9999"},
		{`{"exp":1900000000000}`, "milliseconds"},
	}
	for _, tt := range tests {
		if _, err := parseClaims([]byte(tt.json), nil); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60s: error %v, want one with %q", tt.json, err, tt.says)
		}
	}
}

// Names are matched exactly: what encoding/json would take for exp is nothing.
func TestClaimNamesAreExact(t *testing.T) {
	c, err := parseClaims([]byte(`{"EXP":1,"Sub":"x","ſub":"x","LIVEMAP":{"topics":["*"]},"liveMap":1}`), nil)
	if err != nil || !reflect.DeepEqual(c, claims{}) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseHeader(t *testing.T) {
	good := map[string]header{
		`{"alg":"HS256"}`: {"HS256", ""},
		`{"typ":"at+jwt","alg":"none","kid":"../../etc/x"}`:    {"none", "../../etc/x"},
		`{"typ":"application/JWT","alg":"ES256","kid":"k"}`:    {"ES256", "k"},
		`{"alg":"RS256","jku":"https://evil.example/","x":[]}`: {"RS256", ""},
	}
	for text, want := range good {
		if h, err := parseHeader([]byte(text)); err != nil || h != want {
			t.Errorf("%s: %+v, %v", text, h, err)
		}
	}
	for _, text := range []string{
		`{}`, `{"alg":null}`, `{"alg":["HS256"]}`, `{"alg":"HS256","alg":"none"}`, `{"Alg":"HS256"}`,
		`{"alg":"HS256","crit":["exp"]}`, `{"alg":"HS256","b64":false}`, `{"alg":"HS256","cty":"JWT"}`,
		`{"alg":"HS256","typ":"JWE"}`, `{"alg":"RSA-OAEP","enc":"A256GCM"}`, `{"alg":"HS256","zip":"DEF"}`,
		`{"alg":"HS256","kid":1}`, `{"alg":"HS256","kid":"` + strings.Repeat("k", maxKeyNameBytes+1) + `"}`,
	} {
		if h, err := parseHeader([]byte(text)); err == nil {
			t.Errorf("%s: taken as %+v", text, h)
		}
	}
}

// FuzzClaims holds the scanner against encoding/json: what is taken must be JSON,
// and must mean the same there.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"i","sub":"s","aud":["a"],"exp":2e9,"nbf":1.5,"livemap":{"topics":["*"],"keys":["a"]}}`))
	f.Add([]byte(`{"sub":"\ud83d\ude00\n","aud":"a","x":{"y":[1,-2.5E+3,true,false,null,"\\"]}}`))
	f.Add([]byte(`{"alg":"RS256","kid":"k","typ":"JWT"}`))
	f.Add([]byte(`{"exp":1,"\u0065xp":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHeader(b); err == nil {
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatalf("header taken, and no JSON: %v", err)
			}
			if m["alg"] != h.alg || m["kid"] != h.kid && (h.kid != "" || m["kid"] != nil) {
				t.Fatalf("header %+v, encoding/json %v", h, m)
			}
		}
		c, err := parseClaims(b, nil)
		if err != nil {
			return
		}
		var m map[string]any // a map, as a struct would match names in any case
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("claims taken, and no JSON: %v", err)
		}
		same(t, "iss", m["iss"], c.issuer)
		same(t, "sub", m["sub"], c.subject)
		same(t, "jti", m["jti"], c.id)
		sameTime(t, "exp", m["exp"], c.expires)
		sameTime(t, "nbf", m["nbf"], c.notBefore)
		sameTime(t, "iat", m["iat"], c.issued)
		theirs, named := m["livemap"].(map[string]any)
		if named != (c.grant != nil) {
			t.Fatalf("livemap: %v, encoding/json has %v", c.grant, m["livemap"])
		}
		if !named {
			return
		}
		sameList(t, "topics", theirs["topics"], c.grant.topics)
		sameList(t, "keys", theirs["keys"], c.grant.keys)
		if _, ok := theirs["keys"]; ok != c.grant.someKeys {
			t.Fatal("keys: there for one only")
		}
		knownGrant(t, b, &c)
	})
}

// knownGrant checks that claims mean the same, and permit the same, whether or
// not their grant was known.
func knownGrant(t *testing.T, b []byte, c *claims) {
	t.Helper()
	again, err := parseClaims(b, c.grant)
	if err != nil || again.grant != c.grant || !reflect.DeepEqual(again, *c) {
		t.Fatalf("with its grant known: %+v %v, without %+v", again, err, *c)
	}
	plain := *c.grant
	plain.topicForms = &forms{}
	if plain.someKeys {
		plain.keyForms = &forms{}
	}
	without := *c
	without.grant = &plain
	e, now := &expectation{leeway: time.Second}, time.Unix(1e9, 0)
	p, err := e.entry(c, now)
	q, errWithout := e.entry(&without, now)
	if (err == nil) != (errWithout == nil) || err == nil && !reflect.DeepEqual(p, q) || err != nil && err.Error() != errWithout.Error() {
		t.Fatalf("permits %+v %v, pattern by pattern %+v %v", p, err, q, errWithout)
	}
	if err == nil && p.permit.Topics.Empty() {
		t.Fatal("a permit for nothing")
	}
}

func same(t *testing.T, name string, theirs any, ours string) {
	t.Helper()
	if s, _ := theirs.(string); s != ours {
		t.Fatalf("%s is %q, encoding/json has %q", name, ours, theirs)
	}
}

func sameTime(t *testing.T, name string, theirs any, ours time.Time) {
	t.Helper()
	f, there := theirs.(float64)
	whole, fraction := math.Modf(f)
	if there == ours.IsZero() || there && !ours.Equal(time.Unix(int64(whole), int64(fraction*1e9))) {
		t.Fatalf("%s is %v, encoding/json has %v", name, ours, theirs)
	}
}

func sameList(t *testing.T, name string, theirs any, ours []string) {
	t.Helper()
	list, _ := theirs.([]any)
	if len(list) != len(ours) {
		t.Fatalf("%s is %q, encoding/json has %q", name, ours, theirs)
	}
	for i := range list {
		same(t, name, list[i], ours[i])
	}
}
