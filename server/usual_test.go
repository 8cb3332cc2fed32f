package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"livemap/auth"
)

// oneConn is a listener with one connection.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// netHTTP returns what net/http hands to a handler of the request b; nil: it
// refuses it.
func netHTTP(t testing.TB, b []byte) *http.Request {
	client, server := net.Pipe()
	l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- server
	got := make(chan *http.Request, 1)
	h := http.Server{MaxHeaderBytes: maxHeaderBytes, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case got <- r.Clone(context.Background()):
		default: // a second one
		}
		w.Header().Set("Connection", "close")
	})}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	client.SetDeadline(time.Now().Add(30 * time.Second))
	go client.Write(b) //nolint:errcheck // what is not read is not judged
	io.Copy(io.Discard, client)
	client.Close()
	close(l.done)
	h.Close()
	<-served
	select {
	case r := <-got:
		return r
	default:
		return nil
	}
}

const browserRequest = "GET /v1/events?topics=metrics,shipments&keys=world HTTP/1.1\r\nHost: map.example:8080\r\nConnection: keep-alive\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n" +
	"Last-Event-ID: AAECAwQF\r\nSec-Fetch-Site: same-origin\r\nReferer: http://map.example:8080/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\nCookie: a=b; __Host-livemap=x.y.z\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For:\t198.51.100.2 \r\n\r\n"

// unusual are requests of which net/http is to be the judge.
var unusual = []string{
	"", "GET /v1/events?topics=a", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\nx",
	"GET /v1/events?topics=a HTTP/1.0\r\n\r\n", "GET /v1/events?topics=a HTTP/1.0\r\nHost: a\r\n\r\n", "GET /v1/events?topics=a HTTP/2.0\r\nHost: a\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost:\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nX: b\x00\r\n\r\n", "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\nHost: a\n\r\n\r\n", "GET /v1/events?topics=a\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/events?topics=a b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/events?topics=\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "get /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", maxUsualFields+1) + "\r\n",
	"GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", maxUsual) + "\r\n\r\n",
	"GET /v1/events?topics=a&until=-1m HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/events?topics=a&sinc%65=-1m HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET //v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\n",
}

// sameAsNetHTTP checks that what is read here is read there, the same.
func sameAsNetHTTP(t *testing.T, b []byte) (read bool) {
	ours := usualRequest(b)
	if ours == nil {
		return false
	}
	theirs := netHTTP(t, b)
	if theirs == nil {
		t.Fatalf("net/http refuses %q", b)
	}
	type seen struct {
		Method, Host, URI, URL, Path, RawPath, Query, Proto string
		Major, Minor                                        int
		Length                                              int64
		Force                                               bool
		Header                                              http.Header
	}
	of := func(r *http.Request) seen {
		return seen{r.Method, r.Host, r.RequestURI, r.URL.String(), r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Proto,
			r.ProtoMajor, r.ProtoMinor, r.ContentLength, r.URL.ForceQuery, r.Header}
	}
	if diff := cmp.Diff(of(theirs), of(ours)); diff != "" {
		t.Fatalf("%q:\n%s", b, diff)
	}
	return true
}

func TestUsualRequest(t *testing.T) {
	for _, b := range []string{
		browserRequest, "GET /v1/events?topics=a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v1/events? HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n",
		"GET /v1/events?topics=a#b%zz HTTP/1.1\r\nHost: a\r\nconnection: Close\r\nx-a:\r\nX-A:  b\t\r\n\r\n",
	} {
		if !sameAsNetHTTP(t, []byte(b)) {
			t.Errorf("not usual: %q", b)
		}
	}
	for _, b := range unusual {
		if usualRequest([]byte(b)) != nil {
			t.Errorf("usual: %.200q", b)
		}
	}
}

// FuzzUsualRequest: what the gate reads net/http would read, the same.
func FuzzUsualRequest(f *testing.F) {
	f.Add([]byte(browserRequest))
	for _, b := range unusual {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) { sameAsNetHTTP(t, b) })
}

// TestSpansAreNotUsual: the gate answers streams, and a closed range is none; it
// broke there in the middle.
func TestSpansAreNotUsual(t *testing.T) {
	for query, usual := range map[string]bool{
		"topics=a&since=-5m":             true,
		"topics=a%2Cb":                   true,
		"topics=a&since=-5m&until=-1m":   false,
		"topics=a&since=-5m&%75ntil=-1m": false,
	} {
		got := usualRequest([]byte("GET /v1/events?" + query + " HTTP/1.1\r\nHost: a\r\n\r\n"))
		if (got != nil) != usual {
			t.Errorf("%s: usual %t, want %t", query, got != nil, usual)
		}
	}
}

// TestGateIsInvisible: whoever talks to the gate cannot tell it from net/http,
// but that it closes after an answer.
func TestGateIsInvisible(t *testing.T) {
	m := newMint(t)
	sites := map[string]*site{}
	for name, shards := range map[string]int{"gate": 1, "net/http": -1} {
		sites[name] = newSite(t, func(c *Config) {
			c.Hub.Shards, c.Hub.MaxClients, c.Limits.PerSubject = shards, 3, 1
			c.Door = m.door(auth.Options{Origins: []string{"https://shop.example"}}, "")
		})
		sites[name].put("figures", 0, "world", []byte("1"))
	}
	token := m.token("al", []string{"figures"}, nil)
	for _, c := range []struct {
		query, fields string
		stream        bool
	}{
		{"topics=figures", "", false},
		{"topics=figures", "Authorization: Bearer " + token + "\r\nOrigin: https://shop.example\r\n", true},
		{"topics=events", "Authorization: Bearer " + token + "\r\n", false},
		{"topics=figures", "Authorization: Bearer x\r\n", false},
		{"topics=figures", "Authorization: Bearer " + token + "\r\nAccept: application/json\r\n", false},
		{"topics=figures&envelope=2", "Authorization: Bearer " + token + "\r\n", false},
		{"topics=figures&topics=figures", "Authorization: Bearer " + token + "\r\n", false},
		{"", "Authorization: Bearer " + token + "\r\nConnection: close\r\n", false},
		{"topics=%zz", "Authorization: Bearer " + token + "\r\n", false},
	} {
		request := fmt.Sprintf("GET /v1/events?%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", c.query, c.fields)
		heads := map[string]string{}
		for name, s := range sites {
			until := ""
			if c.stream {
				until = "event: figures"
			}
			got := s.raw(request, until)
			head, body, _ := strings.Cut(got, "\r\n\r\n")
			if c.stream {
				body = ""
			}
			var lines []string
			for line := range strings.SplitSeq(head, "\r\n") {
				if !strings.HasPrefix(line, "Date: ") && !strings.HasPrefix(line, "Connection: ") {
					lines = append(lines, line)
				}
			}
			heads[name] = strings.Join(lines, "\n") + "\n\n" + body
			eventually(t, "the stream is gone", func() bool { return s.hub.Clients() == 0 })
		}
		if diff := cmp.Diff(heads["net/http"], heads["gate"]); diff != "" {
			t.Errorf("%q:\n%s", request, diff)
		}
	}
}

// TestShedAtGate: beyond the limit of connections a direct client is told when to
// come back, whatever its number.
func TestShedAtGate(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.Connections = 2 })
	first, second := s.streaming("first"), s.streaming("second")
	for range 5 {
		s.overloaded("beyond the limit")
	}
	first.Body.Close()
	eventually(t, "there is room", func() bool { return s.hub.Clients() == 1 })
	s.streaming("in its place")
	second.Body.Close()
	if got := metric(t, s, `livemap_server_shed_total{reason="overload"}`); got != "5" {
		t.Errorf("%s sheds", got)
	}
}
