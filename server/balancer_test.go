package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// ask sends a request behind a PROXY header, over TLS where there is a
// configuration for it, and returns the connection and the status line.
func (s *site) ask(header string, over *tls.Config) (net.Conn, *bufio.Reader, string) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	io.WriteString(c, header)
	if over != nil {
		c = tls.Client(c, over)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", eventsPath)
	r := bufio.NewReader(c)
	status, _ := r.ReadString('\n')
	return c, r, strings.TrimSpace(status)
}

// goesOn reports whether a stream follows, rather than a goodbye.
func goesOn(t *testing.T, r *bufio.Reader) bool {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			return name == "hello\n"
		}
	}
}

// TestBalancer: behind a balancer the limits count the clients that it names,
// on sockets that shards drive as any other.
func TestBalancer(t *testing.T) {
	files := TLS{CertFile: filepath.Join(t.TempDir(), "cert"), KeyFile: filepath.Join(t.TempDir(), "key")}
	pool := writeCertificate(t, files)
	for name, over := range map[string]*tls.Config{"plain": nil, "TLS": {RootCAs: pool, ServerName: "127.0.0.1"}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(c *Config) {
				c.Balancers = proxies("127.0.0.0/8")
				c.Limits.PerAddress = 1
				if over != nil {
					c.TLS = files
				}
			})
			from := func(a string) string { return "PROXY TCP4 " + a + " 10.0.0.1 4711 443\r\n" }
			first, body, status := s.ask(from("192.0.2.1"), over)
			if status != "HTTP/1.1 200 OK" || !goesOn(t, body) {
				t.Fatalf("first: %s", status)
			}
			if _, body, status := s.ask(from("192.0.2.1"), over); status != "HTTP/1.1 200 OK" || goesOn(t, body) {
				t.Errorf("second of an address: %s", status)
			}
			_, other, status := s.ask(from("192.0.2.2"), over)
			if status != "HTTP/1.1 200 OK" || !goesOn(t, other) {
				t.Errorf("another address: %s", status)
			}
			s.put("events", 0, "a", []byte("e0"))
			for line := ""; line != "data: e0\n"; {
				var err error
				if line, err = other.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			first.Close()
			eventually(t, "a place is free", func() bool {
				c, body, status := s.ask(from("192.0.2.1"), over)
				defer c.Close()
				return status == "HTTP/1.1 200 OK" && goesOn(t, body)
			})
			if _, _, status := s.ask("", over); status != "" {
				t.Errorf("without a header: %s", status)
			}
			eventually(t, "the refusal is counted", func() bool {
				return metric(t, s, `livemap_server_refused_connections_total{reason="proxy_header"}`) == "1"
			})
		})
	}
}

// TestHeaderOfNobody: from outside the networks a header is no HTTP.
func TestHeaderOfNobody(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Balancers = proxies("10.0.0.0/8") })
	if _, _, status := s.ask("PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", nil); !strings.HasPrefix(status, "HTTP/1.1 400 ") {
		t.Errorf("%q", status)
	}
}
