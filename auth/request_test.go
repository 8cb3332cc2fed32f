package auth

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// request makes a request from its head, as it comes over the wire.
func request(t *testing.T, head string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return r
}

func TestFromRequest(t *testing.T) {
	const cookie = "\nCookie: __Host-livemap=tok"
	query := Options{Query: true}
	shop := Options{Origins: []string{"https://shop.example", "http://127.0.0.1:3000"}}
	tests := []struct {
		name    string
		options Options
		head    string // after the host
		path    string
		want    string // the token, or the problem
	}{
		{"nothing", query, "", "", "token_missing"},
		{"header", query, "\nAuthorization: Bearer tok", "", "tok"},
		{"header, other case", query, "\nauthorization: bEARER  tok ", "", "tok"},
		{"header without token", query, "\nAuthorization: Bearer ", "", "token_malformed"},
		{"other scheme", query, "\nAuthorization: Basic dTpw", "", "token_missing"},
		{"scheme run together", query, "\nAuthorization: Bearertok", "", "token_missing"},
		{"two headers", query, "\nAuthorization: Bearer tok\nAuthorization: Bearer tok", "", "token_several"},
		{"header and a proxy's", query, "\nAuthorization: Basic dTpw\nAuthorization: Bearer tok", "", "token_several"},
		{"query", query, "", "?topics=a&access_token=tok", "tok"},
		{"query, escaped", query, "", "?access%5Ftoken=t%6Fk", "tok"},
		{"query, switched off", Options{}, "", "?access_token=tok", "token_in_query_off"},
		{"query off, header too", Options{}, "\nAuthorization: Bearer tok", "?access_token=tok", "token_in_query_off"},
		{"query twice", query, "", "?access_token=tok&access_token=tok", "token_several"},
		{"query empty", query, "", "?access_token=", "token_malformed"},
		{"query, no value", query, "", "?access_token&a=b", "token_malformed"},
		{"query, other case", query, "", "?Access_Token=tok", "token_missing"},
		{"query and header", query, "\nAuthorization: Bearer tok", "?access_token=tok", "token_several"},
		{"query and cookie", query, cookie, "?access_token=tok", "token_several"},
		{"header and cookie", query, "\nAuthorization: Bearer tok" + cookie, "", "token_several"},
		{"all three", query, "\nAuthorization: Bearer tok" + cookie, "?access_token=tok", "token_several"},
		{"cookie", Options{}, cookie, "", "tok"},
		{"cookie, own name", Options{Cookie: "s"}, "\nCookie: a=b; s=tok; __Host-livemap=x", "", "tok"},
		{"two cookies", Options{}, "\nCookie: __Host-livemap=a; __Host-livemap=b", "", "token_several"},
		{"two cookie headers", Options{}, cookie + cookie, "", "token_several"},
		{"cookie, other case", Options{}, "\nCookie: __host-livemap=tok", "", "token_missing"},
		{"cookie, own origin", Options{}, cookie + "\nOrigin: https://map.example", "", "tok"},
		{"cookie, own origin and site", Options{}, cookie + "\nOrigin: https://map.example\nSec-Fetch-Site: same-origin", "", "tok"},
		{"cookie, own page", Options{}, cookie + "\nSec-Fetch-Site: same-origin", "", "tok"},
		{"cookie, typed address", Options{}, cookie + "\nSec-Fetch-Site: none", "", "tok"},
		{"cookie, sister host", Options{}, cookie + "\nSec-Fetch-Site: same-site", "", "origin"},
		{"cookie, other site", Options{}, cookie + "\nSec-Fetch-Site: cross-site", "", "origin"},
		{"cookie, other origin", Options{}, cookie + "\nOrigin: https://evil.example", "", "origin"},
		{"cookie, null origin", Options{}, cookie + "\nOrigin: null", "", "origin"},
		{"cookie, empty origin", Options{}, cookie + "\nOrigin:", "", "origin"},
		{"cookie, longer origin", Options{}, cookie + "\nOrigin: https://map.example.evil.example", "", "origin"},
		{"cookie, origin with a longer name", Options{}, cookie + "\nOrigin: https://evilmap.example", "", "origin"},
		{"cookie, origin with user", Options{}, cookie + "\nOrigin: https://map.example@evil.example", "", "origin"},
		{"cookie, other port", Options{}, cookie + "\nOrigin: https://map.example:8443", "", "origin"},
		{"cookie, other scheme", Options{}, cookie + "\nOrigin: chrome-extension://map.example", "", "origin"},
		{"cookie, two origins", shop, cookie + "\nOrigin: https://shop.example\nOrigin: https://evil.example", "", "origin"},
		{"cookie, allowed origin", shop, cookie + "\nOrigin: https://shop.example", "", "tok"},
		{"cookie, allowed port", shop, cookie + "\nOrigin: http://127.0.0.1:3000", "", "tok"},
		{"cookie, allowed, other scheme", shop, cookie + "\nOrigin: http://shop.example", "", "origin"},
		{"cookie, allowed, below", shop, cookie + "\nOrigin: https://x.shop.example", "", "origin"},
		{"cookie, allowed, with slash", shop, cookie + "\nOrigin: https://shop.example/", "", "origin"},
		{"header from anywhere", Options{}, "\nAuthorization: Bearer tok\nOrigin: https://evil.example", "", "tok"},
	}
	for _, tt := range tests {
		r := request(t, "GET /v1/events"+tt.path+" HTTP/1.1\nHost: map.example"+tt.head)
		token, err := FromRequest(r, tt.options)
		got := token
		if err != nil {
			got = string(problemOf(t, err))
			if token != "" {
				t.Errorf("%s: both %q and %v", tt.name, token, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	if err := (Options{Origins: []string{"https://shop.example", "http://[::1]:80"}, Cookie: "x"}).Validate(); err != nil {
		t.Error(err)
	}
	bad := []string{"*", "null", "https://*.shop.example/x", "https://shop.example/", "shop.example", "https://Shop.example", "https://u@shop.example", "", "ftp://x", "https://x?y"}
	err := Options{Origins: bad, Cookie: "a b"}.Validate()
	for _, origin := range append(bad, "cookie") {
		if err == nil || !strings.Contains(err.Error(), origin) {
			t.Errorf("%q is not complained about: %v", origin, err)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	w := httptest.NewRecorder()
	http.SetCookie(w, SessionCookie(Options{}, "a.b.c", time.Unix(2e9, 0)))
	got := w.Header().Get("Set-Cookie")
	if want := "__Host-livemap=a.b.c; Path=/; Expires=Wed, 18 May 2033 03:33:20 GMT; HttpOnly; Secure; SameSite=Strict"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"/v1/events?topics=a&access_token=tok&keys=b":     "/v1/events?topics=a&access_token=REDACTED&keys=b",
		"/?access_token=a&access_token=b":                 "/?access_token=REDACTED&access_token=REDACTED",
		"/?access%5ftoken=tok":                            "/?access%5ftoken=REDACTED",
		"/?ACCESS_TOKEN=tok":                              "/?ACCESS_TOKEN=REDACTED",
		"/?a=b;access_token=tok;c=d":                      "/?a=b;access_token=REDACTED;c=d",
		"/?access_token=a=b":                              "/?access_token=REDACTED",
		"/?%zz=tok&a=b":                                   "/?%zz=REDACTED&a=b",
		"/?token=eyJhbGciOiJIUzI1NiJ9.e30.x":              "/?token=REDACTED",
		"/?t=%65yJhbGciOiJIUzI1NiJ9.e30.x":                "/?t=REDACTED",
		"/?eyJhbGciOiJIUzI1NiJ9.e30.x":                    "/?REDACTED",
		"/x/eyJhbGciOiJIUzI1NiJ9.e30.x/y":                 "/x/REDACTED/y",
		"https://user:pass@idp.example/jwks?x=y":          "https://REDACTED@idp.example/jwks?x=y",
		"https://map.example/#access_token=tok&type=x":    "https://map.example/#access_token=REDACTED&type=x",
		"/v1/latest?topic=metrics&key=country%2FCA&since": "/v1/latest?topic=metrics&key=country%2FCA&since",
		"": "", "/": "/", "?": "?", "/a@b": "/a@b",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

// What is answered keeps to RFC 6750 and RFC 9110, whatever was sent.
func TestChallenges(t *testing.T) {
	form := regexp.MustCompile(`^Bearer realm="livemap"(, error="[a-z_]+", error_description="[\x20-\x21\x23-\x5B\x5D-\x7E]+")?$`)
	for _, p := range Problems() {
		r := refuse(p, "", errors.New("the secret is hunter2"))
		status, challenge := r.Status(), r.Challenge("livemap")
		switch status {
		case 400, 401, 403:
			if !form.MatchString(challenge) {
				t.Errorf("%s: %s", p, challenge)
			}
		case 503:
			if challenge != "" {
				t.Errorf("%s: %s", p, challenge)
			}
		default:
			t.Errorf("%s: status %d", p, status)
		}
		if strings.Contains(challenge+r.Detail, "hunter2") || !strings.Contains(r.Error(), "hunter2") || r.Detail == "" {
			t.Errorf("%s: %q, %q, %q", p, r.Detail, challenge, r.Error())
		}
	}
	if got := refuse(ProblemMissing, "", nil).Challenge("livemap"); got != `Bearer realm="livemap"` {
		t.Errorf("without a token: %s", got) // RFC 6750 section 3.1: no error code
	}
}

func FuzzFromRequest(f *testing.F) {
	f.Add("Bearer a.b.c", "", "", "", "topics=a")
	f.Add("", "__Host-livemap=a.b.c", "https://map.example", "same-origin", "access_token=a.b.c")
	f.Add("bearer  x", "a=b; __Host-livemap=\"x\"", "null", "cross-site", "a;access%5ftoken=eyJx&access_token=%zz#access_token=eyJ")
	f.Fuzz(func(t *testing.T, authorization, cookie, origin, site, query string) {
		r := httptest.NewRequest(http.MethodGet, "/v1/events", nil)
		r.Host = "map.example"
		r.URL.RawQuery = query
		for name, v := range map[string]string{"Authorization": authorization, "Cookie": cookie, "Origin": origin, "Sec-Fetch-Site": site} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		token, err := FromRequest(r, Options{Query: true})
		if err == nil {
			if token == "" {
				t.Fatal("neither a token nor a refusal")
			}
			inHeader := strings.Contains(authorization, token)
			fromPage := origin == "" || strings.EqualFold(origin, "https://map.example") || strings.EqualFold(origin, "http://map.example")
			if !inHeader && !r.URL.Query().Has(QueryParameter) && !fromPage {
				t.Fatalf("cookie %q taken from origin %q", cookie, origin)
			}
		} else {
			problemOf(t, err)
		}
		// Nothing that a server could read as a token is left in its log.
		logged := Redact("/v1/events?" + query)
		for _, secret := range r.URL.Query()[QueryParameter] {
			if len(secret) > 12 && strings.Contains(logged, secret) && !strings.Contains(redacted, secret) {
				t.Fatalf("%q leaks %q: %q", query, secret, logged)
			}
		}
		if again := Redact(logged); strings.Contains(again, "eyJ") {
			t.Fatalf("%q: %q", query, again)
		}
	})
}

func TestDoor(t *testing.T) {
	anonymous, err := Anonymous("metrics")
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, pairs()[HS256].config())
	good := "\nAuthorization: Bearer " + pairs()[HS256].sign(t, nil, claimsFor(nil))
	expired := "\nAuthorization: Bearer " + pairs()[HS256].sign(t, nil, claimsFor(map[string]any{"exp": 1}))
	for _, tt := range []struct {
		name string
		door Door
		head string
		want string // the subject, "anonymous", or the problem
	}{
		{"closed", Door{}, "", "token_missing"},
		{"closed, with a token", Door{}, good, "token_missing"},
		{"open to all", Door{Anonymous: anonymous}, "", "anonymous"},
		{"open to all, with a token", Door{Anonymous: anonymous}, expired, "anonymous"},
		{"tokens only", Door{Verifier: v}, "", "token_missing"},
		{"tokens only, with one", Door{Verifier: v}, good, "alice"},
		{"both, without a token", Door{Verifier: v, Anonymous: anonymous}, "", "anonymous"},
		{"both, with one", Door{Verifier: v, Anonymous: anonymous}, good, "alice"},
		{"both, with a bad one", Door{Verifier: v, Anonymous: anonymous}, expired, "token_expired"},
		{"both, with two", Door{Verifier: v, Anonymous: anonymous}, good + "\nCookie: __Host-livemap=x", "token_several"},
	} {
		p, err := tt.door.Admit(request(t, "GET /v1/events HTTP/1.1\nHost: map.example"+tt.head))
		got := string(problemOf(t, err))
		if err == nil {
			if got = p.Subject; p.Anonymous() {
				got = "anonymous"
			}
		} else if p != nil {
			t.Errorf("%s: a permit beside %v", tt.name, err)
		}
		if got != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.name, got, err, tt.want)
		}
	}
}
