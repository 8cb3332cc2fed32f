package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newVerifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// claimsFor is a good set of claims, with changes; nil takes one away.
func claimsFor(changes map[string]any) map[string]any {
	c := map[string]any{
		"sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
		"livemap": map[string]any{"topics": []string{"metrics", "ship*"}, "keys": []string{"world", "user/{sub}/*"}},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// problemOf is the problem of an error, empty if it is nil.
func problemOf(t testing.TB, err error) Problem {
	t.Helper()
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		t.Fatalf("an error that is no refusal: %v", err)
	}
	if r == nil {
		return ""
	}
	return r.Problem
}

func TestVerifyEachAlgorithm(t *testing.T) {
	for _, a := range algorithms {
		v := newVerifier(t, pairs()[a].config())
		p, err := v.Verify(t.Context(), pairs()[a].sign(t, map[string]any{"kid": "whatever"}, claimsFor(map[string]any{"jti": "7"})))
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		if p.Subject != "alice" || p.ID != "7" || !p.Topic("metrics") || !p.Topic("shipments") || p.Topic("trending") ||
			!p.Key("world") || !p.Key("user/alice/1") || p.Key("user/bob/1") || p.AllKeys() || p.Anonymous() || p.Revoked() {
			t.Errorf("%s: %+v", a, p)
		}
	}
	// RFC 9864 names EdDSA with this curve Ed25519.
	ed := pairs()[EdDSA]
	if _, err := newVerifier(t, ed.config()).Verify(t.Context(), ed.sign(t, map[string]any{"alg": "Ed25519"}, claimsFor(nil))); err != nil {
		t.Error(err)
	}
}

func TestGrants(t *testing.T) {
	v := newVerifier(t, pairs()[HS256].config())
	verify := func(grant any) (*Permit, Problem) {
		p, err := v.Verify(t.Context(), pairs()[HS256].sign(t, nil, claimsFor(map[string]any{"livemap": grant})))
		return p, problemOf(t, err)
	}
	if p, _ := verify(map[string]any{"topics": []string{"*"}}); p == nil || !p.AllKeys() || !p.Topic("x") {
		t.Errorf("keys left out: %+v", p)
	}
	if p, _ := verify(map[string]any{"topics": []string{"*"}, "keys": []string{}}); p == nil || p.Key("") || p.Key("world") || !p.Keys.Empty() {
		t.Errorf("no keys: %+v", p)
	}
	for _, grant := range []any{nil, map[string]any{}, map[string]any{"topics": []string{}}, map[string]any{"keys": []string{"*"}}} {
		if p, problem := verify(grant); problem != ProblemGrant {
			t.Errorf("%v: %+v, %s", grant, p, problem)
		}
	}
}

// Whatever the algorithm of the key, a token under any other is refused: with a
// signature made from what an attacker knows, and with none.
func TestAlgorithmIsTheKeys(t *testing.T) {
	for _, a := range algorithms {
		v := newVerifier(t, pairs()[a].config())
		claims := claimsFor(nil)
		tokens := map[string]string{}
		for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
			signed := b64(`{"alg":"`+none+`","typ":"JWT"}`) + "." + strings.Split(pairs()[a].sign(t, nil, claims), ".")[1]
			tokens["alg "+none] = signed + "."
			tokens["alg "+none+" with a sum"] = signed + "." + b64("x")
		}
		// The public key, in every form that lies about, as the HS256 secret.
		known := pairs()[a].checkFile
		if a != HS256 {
			for name, secret := range map[string][]byte{
				"PEM": known, "trimmed PEM": bytes.TrimSpace(known), "lines": bytes.ReplaceAll(known, []byte("\n"), nil), "empty": {0},
			} {
				tokens["HS256 with "+name] = pair{algorithm: HS256, private: secret}.sign(t, nil, claims)
			}
		}
		for _, other := range algorithms {
			if other != a {
				tokens["a good token of "+string(other)] = pairs()[other].sign(t, nil, claims)
				tokens["of "+string(other)+", named as the key's"] = pairs()[other].sign(t, map[string]any{"alg": string(a)}, claims)
				tokens["named "+string(other)] = pairs()[a].sign(t, map[string]any{"alg": string(other)}, claims)
			}
		}
		for _, other := range []string{"HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "hs256", "rs256", "HS256 ", "EDDSA"} {
			tokens["named "+other] = pairs()[a].sign(t, map[string]any{"alg": other}, claims)
		}
		for name, token := range tokens {
			if p, err := v.Verify(t.Context(), token); err == nil {
				t.Errorf("%s key: %s: taken, %+v", a, name, p)
			} else if problem := problemOf(t, err); problem != ProblemSignature && problem != ProblemMalformed {
				t.Errorf("%s key: %s: %v", a, name, err)
			}
		}
	}
}

// A signature that is broken in any way, and a token that is put together from
// others, is refused.
func TestSignatureCoversEverything(t *testing.T) {
	for _, a := range algorithms {
		v := newVerifier(t, pairs()[a].config())
		token := pairs()[a].sign(t, nil, claimsFor(nil))
		other := pairs()[a].sign(t, nil, claimsFor(map[string]any{"sub": "bob"}))
		parts, others := strings.Split(token, "."), strings.Split(other, ".")
		for _, bad := range []string{
			parts[0] + "." + others[1] + "." + parts[2],
			parts[0] + "." + parts[1] + "." + others[2],
			parts[0] + "." + parts[1] + ".",
			parts[0] + "." + parts[1],
			parts[0] + "." + parts[1] + "." + parts[2] + ".",
			"." + parts[1] + "." + parts[2],
			parts[0] + ".." + parts[2],
			token + "=", token + "A", token[:len(token)-2], " " + token, token + "\n", token + ".x.y",
			strings.ToUpper(token), strings.Replace(token, ".", "%2E", 1), strings.Replace(token, ".", "․", 1),
			parts[0] + "." + parts[1] + "." + strings.Repeat("A", 2000),
			parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
			parts[0] + "\r." + parts[1] + "." + parts[2],
			"..", ".", "", "eyJ", "null", strings.Repeat(".", 3000),
		} {
			if p, err := v.Verify(t.Context(), bad); err == nil {
				t.Errorf("%s: taken: %.80q, %+v", a, bad, p)
			}
		}
		for i := range token { // each character, by another of the alphabet
			b := []byte(token)
			if b[i] = 'A'; token[i] == 'A' {
				b[i] = 'B'
			}
			if _, err := v.Verify(t.Context(), string(b)); err == nil {
				t.Fatalf("%s: taken with byte %d changed", a, i)
			}
		}
	}
}

func TestHugeAndNestedTokens(t *testing.T) {
	hs := pairs()[HS256]
	v := newVerifier(t, hs.config())
	inner := hs.sign(t, nil, claimsFor(nil))
	tests := map[string]struct {
		token string
		want  Problem
	}{
		"huge":              {hs.sign(t, nil, claimsFor(map[string]any{"x": strings.Repeat("x", MaxTokenBytes)})), ProblemMalformed},
		"a megabyte":        {strings.Repeat("a", 1<<20), ProblemMalformed},
		"nested token":      {hs.signRaw(t, `{"alg":"HS256","cty":"JWT"}`, inner), ProblemMalformed},
		"token as claims":   {hs.signRaw(t, `{"alg":"HS256"}`, inner), ProblemClaims},
		"encrypted":         {inner + ".a.b", ProblemMalformed},
		"deep header":       {hs.signRaw(t, `{"alg":"HS256","x":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`}`, `{}`), ProblemMalformed},
		"deep claims":       {hs.signRaw(t, `{"alg":"HS256"}`, `{"x":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`}`), ProblemClaims},
		"two algs":          {hs.signRaw(t, `{"alg":"HS256","alg":"HS256"}`, `{}`), ProblemMalformed},
		"two claims":        {hs.signRaw(t, `{"alg":"HS256"}`, `{"exp":1,"exp":9999999999,"livemap":{"topics":["*"]}}`), ProblemClaims},
		"crit":              {hs.sign(t, map[string]any{"crit": []string{"x"}}, claimsFor(nil)), ProblemMalformed},
		"spare bits":        {spareBits(inner), ProblemMalformed},
		"subject escapes":   {hs.sign(t, nil, claimsFor(map[string]any{"sub": "alice/../bob"})), ProblemClaims},
		"subject wildcard":  {hs.sign(t, nil, claimsFor(map[string]any{"sub": "*"})), ProblemClaims},
		"no subject":        {hs.sign(t, nil, claimsFor(map[string]any{"sub": nil})), ProblemClaims},
		"subject with LF":   {hs.sign(t, nil, claimsFor(map[string]any{"sub": "a\ndata: x"})), ProblemClaims},
		"no exp":            {hs.sign(t, nil, claimsFor(map[string]any{"exp": nil})), ProblemClaims},
		"exp as text":       {hs.sign(t, nil, claimsFor(map[string]any{"exp": "9999999999"})), ProblemClaims},
		"audience unwanted": {hs.sign(t, nil, claimsFor(map[string]any{"aud": "somebody"})), ProblemAudience},
	}
	for name, tt := range tests {
		if p, err := v.Verify(t.Context(), tt.token); problemOf(t, err) != tt.want {
			t.Errorf("%s: %+v, %v, want %s", name, p, err, tt.want)
		}
	}
}

// kid chooses among the keys there are, and nothing else: not a file, not an
// address, not a query.
func TestKeyNameIsOnlyAName(t *testing.T) {
	for _, a := range algorithms {
		v := newVerifier(t, pairs()[a].config())
		for _, kid := range []string{
			"/dev/null", "../../../../dev/null", "file:///dev/null", "https://evil.example/key", "http://169.254.169.254/",
			"' UNION SELECT 'x", "$(id)", "%00", "\x00", "key\r\nX: y", "＊", "*", "",
		} {
			// Signed with the true key: a name that nobody knows changes nothing.
			if _, err := v.Verify(t.Context(), pairs()[a].sign(t, map[string]any{"kid": kid}, claimsFor(nil))); err != nil {
				t.Errorf("%s: kid %q: %v", a, kid, err)
			}
			// Signed with what the name may stand for: an empty file.
			forged := pair{algorithm: HS256, private: []byte{}}.sign(t, map[string]any{
				"kid": kid, "jku": "https://evil.example/", "x5u": "https://evil.example/", "jwk": map[string]any{"kty": "oct", "k": ""},
			}, claimsFor(nil))
			if p, err := v.Verify(t.Context(), forged); err == nil {
				t.Errorf("%s: kid %q: forged, %+v", a, kid, p)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hs := pairs()[HS256]
		v := newVerifier(t, hs.config())
		now := time.Now().Unix()
		for _, tt := range []struct {
			exp, nbf int64
			want     Problem
		}{
			{now + 1, now, ""},
			{now - 9, now - 60, ""}, // within the leeway of 10 s
			{now - 10, now - 60, ProblemExpired},
			{now - 11, now - 60, ProblemExpired}, // by a second
			{now + 60, now + 10, ""},
			{now + 60, now + 11, ProblemNotYet}, // by a second
			{0, 0, ProblemExpired},
			{253402300799, 0, ""},
		} {
			p, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"exp": tt.exp, "nbf": tt.nbf})))
			if problemOf(t, err) != tt.want {
				t.Errorf("exp %d, nbf %d: %v, want %q", tt.exp-now, tt.nbf-now, err, tt.want)
			}
			if err == nil && (p.Ended(time.Now()) || !p.Ended(time.Unix(tt.exp+10, 0)) || p.Ended(time.Unix(tt.exp+10, -1))) {
				t.Errorf("exp %d: ends at %v", tt.exp-now, p.Expires())
			}
		}
		c := hs.config()
		c.Leeway = -1
		none := newVerifier(t, c)
		for _, exp := range []int64{now, now + 1} {
			want := Problem("")
			if exp == now {
				want = ProblemExpired
			}
			_, err := none.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"exp": exp})))
			if problemOf(t, err) != want {
				t.Errorf("without leeway, exp %d: %v, want %q", exp-now, err, want)
			}
		}
		// What the cache holds ends as well, to the second.
		token := hs.sign(t, nil, claimsFor(map[string]any{"exp": now + 5}))
		for range 2 {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(15*time.Second - 1)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := v.Verify(t.Context(), token); problemOf(t, err) != ProblemExpired {
			t.Errorf("from the cache, after its end: %v", err)
		}
	})
}

func TestIssuerAndAudience(t *testing.T) {
	hs := pairs()[HS256]
	c := hs.config()
	c.Issuer, c.Audience = "https://shop.example", "livemap"
	v := newVerifier(t, c)
	for _, tt := range []struct {
		iss, aud any
		want     Problem
	}{
		{"https://shop.example", "livemap", ""},
		{"https://shop.example", []string{"other", "livemap"}, ""},
		{"https://shop.example/", "livemap", ProblemIssuer},
		{"https://SHOP.example", "livemap", ProblemIssuer},
		{"https://shop.examplе", "livemap", ProblemIssuer}, // Cyrillic
		{nil, "livemap", ProblemIssuer},
		{"https://shop.example", nil, ProblemAudience},
		{"https://shop.example", "", ProblemAudience},
		{"https://shop.example", []string{}, ProblemAudience},
		{"https://shop.example", "livemap2", ProblemAudience},
		{"https://shop.example", "live", ProblemAudience},
		{"https://shop.example", "LIVEMAP", ProblemAudience},
		{"https://shop.example", []string{"live", "map"}, ProblemAudience},
	} {
		_, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"iss": tt.iss, "aud": tt.aud})))
		if problemOf(t, err) != tt.want {
			t.Errorf("iss %v, aud %v: %v, want %q", tt.iss, tt.aud, err, tt.want)
		}
	}
}

// Who has no key learns nothing from the claims of a token: the answer is the
// same whatever they say.
func TestNoOracleBeforeTheSignature(t *testing.T) {
	c := pairs()[RS256].config()
	c.Issuer, c.Audience = "i", "a"
	v := newVerifier(t, c)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger := pair{algorithm: RS256, private: key}
	answers := map[string]bool{}
	for _, changes := range []map[string]any{
		{}, {"iss": "i", "aud": "a"}, {"exp": 1}, {"exp": nil}, {"nbf": 9e9}, {"livemap": nil}, {"livemap": 1}, {"sub": "\x00"}, {"aud": 1},
	} {
		_, err := v.Verify(t.Context(), stranger.sign(t, nil, claimsFor(changes)))
		var r *Refusal
		if !errors.As(err, &r) {
			t.Fatalf("%v: taken", changes)
		}
		answers[string(r.Problem)+r.Detail+r.Challenge("livemap")] = true
	}
	for _, alg := range []string{"none", "HS256", "ES256", "XX"} { // nor which algorithm it would be
		_, err := v.Verify(t.Context(), stranger.sign(t, map[string]any{"alg": alg}, claimsFor(nil)))
		var r *Refusal
		errors.As(err, &r)
		answers[string(r.Problem)+r.Detail+r.Challenge("livemap")] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
}

func TestMintIsVerified(t *testing.T) {
	for _, a := range algorithms {
		signer, err := NewPrivateSigner(pairs()[a].signFile)
		if a == HS256 {
			signer, err = NewSecretSigner(pairs()[a].signFile)
		}
		if err != nil {
			t.Fatal(err)
		}
		if signer.Algorithm() != a {
			t.Errorf("algorithm %s, want %s", signer.Algorithm(), a)
		}
		c := pairs()[a].config()
		c.Issuer, c.Audience = "i", "a"
		good := Claims{Issuer: "i", Audience: "a", Subject: "alice", ID: "7", Topics: []string{"metrics"}, Keys: []string{"{sub}"},
			Issued: time.Now(), Expires: time.Now().Add(time.Minute)}
		token, err := signer.Mint(good)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newVerifier(t, c).Verify(t.Context(), token)
		if err != nil || !p.Key("alice") || p.Key("bob") || p.ID != "7" {
			t.Errorf("%s: %+v, %v", a, p, err)
		}
		bad := good
		bad.Keys = []string{"a*b"}
		if token, err := signer.Mint(bad); err == nil {
			t.Errorf("%s: minted %s", a, token)
		}
		bad = good
		bad.Expires = bad.Issued
		if token, err := signer.Mint(bad); err == nil {
			t.Errorf("%s: minted an expired %s", a, token)
		}
	}
}

// Nothing secret is logged.
func TestLogsHoldNoSecrets(t *testing.T) {
	var log bytes.Buffer
	hs := pairs()[HS256]
	c := hs.config()
	c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	v := newVerifier(t, c)
	_, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(map[string]any{"exp": 1})))
	text := log.String() + err.Error()
	if strings.Contains(text, string(hs.private.([]byte))) || strings.Contains(text, "eyJ") {
		t.Error(text)
	}
}

// spareBits writes the last character of a token in another way that lax
// decoders read alike: 32 bytes leave the lowest two of its six bits unused.
func spareBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])|1])
}

// Whoever has no key changes nothing in what the verifier remembers.
func TestOnlySignedHeadersAreRemembered(t *testing.T) {
	hs := pairs()[HS256]
	v := newVerifier(t, hs.config())
	if _, err := v.Verify(t.Context(), hs.sign(t, nil, claimsFor(nil))); err != nil {
		t.Fatal(err)
	}
	before := v.lastHeader.Load()
	forger := pair{algorithm: HS256, private: []byte("another secret, as nobody has it")}
	for _, kid := range []string{"", "x"} {
		if _, err := v.Verify(t.Context(), forger.sign(t, map[string]any{"kid": kid}, claimsFor(nil))); problemOf(t, err) != ProblemSignature {
			t.Errorf("forged: %v", err)
		}
	}
	if v.lastHeader.Load() != before {
		t.Error("the header of a forged token is remembered")
	}
	if _, err := v.Verify(t.Context(), hs.sign(t, map[string]any{"kid": "y"}, claimsFor(nil))); err != nil || v.lastHeader.Load() == before {
		t.Errorf("a signed header is not remembered: %v", err)
	}
}
