package auth

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzBase64 holds decodeBase64 against encoding/base64.
func FuzzBase64(f *testing.F) {
	for _, text := range []string{"", "A", "AA", "AB", "AAE", "AAF", "AAAA", "AA==", "Zm9vYmFyYmF6", "Zm9v\nYmFyYmF6", "-_-_-_-_-_", "+/+/", "AAAAAAA\x80"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := strictBase64.DecodeString(string(text))
		take := err == nil && oneLine(string(text))
		to := make([]byte, base64.RawURLEncoding.DecodedLen(len(text)), len(text)+8)
		past := to[len(to):cap(to)]
		for i := range past {
			past[i] = 'x'
		}
		n, ok := decodeBase64(to, text)
		if ok != take || ok && !bytes.Equal(to[:n], want) {
			t.Fatalf("%q: %q %v, encoding/base64 has %q %v", text, to[:n], ok, want, err)
		}
		if bytes.Trim(past, "x") != nil {
			t.Fatalf("%q: written past the room", text)
		}
	})
}

// plainVerify is what Verify is a quicker way of: nothing known beforehand,
// encoding/base64, the library's check with each of the secrets, patterns one by
// one. It returns nil for what is refused.
func plainVerify(token string, secrets [][]byte, e *expectation, now time.Time) *Permit {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > MaxTokenBytes || !oneLine(token) {
		return nil
	}
	var decoded [3][]byte
	for i, part := range parts {
		b, err := strictBase64.DecodeString(part)
		if err != nil {
			return nil
		}
		decoded[i] = b
	}
	if h, err := parseHeader(decoded[0]); err != nil || h.alg != string(HS256) {
		return nil
	}
	signed := false
	for _, secret := range secrets {
		signed = signed || jwt.SigningMethodHS256.Verify(parts[0]+"."+parts[1], decoded[2], secret) == nil
	}
	c, err := parseClaims(decoded[1], nil)
	if !signed || err != nil {
		return nil
	}
	if c.grant != nil {
		c.grant.topicForms = &forms{}
		if c.grant.someKeys {
			c.grant.keyForms = &forms{}
		}
	}
	entry, err := e.entry(&c, now)
	if err != nil {
		return nil
	}
	return &entry.permit
}

// FuzzVerify holds Verify, which remembers headers, grants, schedules of secrets
// and permits of the tokens before, against plainVerify: for tokens that one of
// two secrets signed, or neither, and for what becomes of them when a byte is put
// in place of another.
func FuzzVerify(f *testing.F) {
	const header, claims = `{"alg":"HS256","typ":"JWT"}`, `{"exp":4000000000,"livemap":{"keys":["world","user/{sub}/*"],"topics":["metrics","ship*"]},"sub":"alice"}`
	f.Add(header, claims, uint8(0), uint16(0), false, uint8(0))
	f.Add(header, claims, uint8(1), uint16(40), true, uint8('A'))
	f.Add(header, `{"exp":4e9,"nbf":0,"iat":1.5,"aud":"a","sub":"é","jti":"j","livemap":{"topics":["{sub}","{sub}/*","*"]}}`, uint8(2), uint16(9), true, uint8('\n'))
	f.Add(`{"alg":"HS256","kid":"x"}`, `{ "sub" : "a b" , "exp" : 4000000000 , "livemap" : {"topics":["a","b","a*"]} }`, uint8(0), uint16(65535), true, uint8('B'))
	f.Add(`{"alg":"none"}`, claims, uint8(0), uint16(0), false, uint8(0))
	one, two, other := GenerateSecret(), GenerateSecret(), GenerateSecret()
	v := newVerifier(f, Config{HS256Key: string(one) + string(two)})
	uncached := newVerifier(f, Config{HS256Key: string(two) + string(one), CacheBytes: -1})
	secrets := [][]byte{bytes.TrimSpace(one), bytes.TrimSpace(two), bytes.TrimSpace(other)}
	f.Fuzz(func(t *testing.T, header, claims string, by uint8, at uint16, change bool, to uint8) {
		p := pair{algorithm: HS256, private: secrets[int(by)%len(secrets)]}
		token := []byte(p.signRaw(t, header, claims))
		if change {
			token[int(at)%len(token)] = to
		}
		want := plainVerify(string(token), secrets[:2], &v.expect, time.Now())
		for _, v := range []*Verifier{v, v, uncached} {
			got, err := v.Verify(t.Context(), string(token))
			if (err == nil) != (want != nil) {
				t.Fatalf("%q: %+v %v, the plain way %+v", token, got, err, want)
			}
			if want == nil {
				problemOf(t, err)
				continue
			}
			key := keyOf(v, got)
			if key == nil || !bytes.Equal(key.secret, secrets[int(by)%len(secrets)]) {
				t.Fatalf("%q: a permit by %+v", token, key)
			}
			plain := *got
			if plain.by = nil; !reflect.DeepEqual(&plain, want) {
				t.Fatalf("%q: %+v, the plain way %+v", token, got, want)
			}
		}
	})
}

// keyOf is the key in force that verified the token of a permit.
func keyOf(v *Verifier, p *Permit) *key {
	for _, k := range v.state.Load().keys.keys {
		if p.by.key == k.print {
			return k
		}
	}
	return nil
}
