package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livemap/internal/certtest"
)

// writeCertificate writes a new pair for 127.0.0.1 over files and returns who
// trusts it.
func writeCertificate(t *testing.T, files TLS) *x509.CertPool {
	t.Helper()
	made, pool, err := certtest.Write(t.TempDir(), "127.0.0.1")
	if err == nil {
		err = errors.Join(os.Rename(made.Cert, files.CertFile), os.Rename(made.Key, files.KeyFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// TestTLS: streams over HTTP/1.1 and HTTP/2, no old version, and a certificate
// that is renewed without a restart.
func TestTLS(t *testing.T) {
	files := TLS{CertFile: filepath.Join(t.TempDir(), "cert"), KeyFile: filepath.Join(t.TempDir(), "key")}
	pool := writeCertificate(t, files)
	s := newSite(t, func(c *Config) { c.TLS = files })
	s.put("figures", 0, "world", []byte("1"))
	get := func(pool *x509.CertPool, http2 bool, fields ...string) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		t.Cleanup(transport.CloseIdleConnections)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.address+"/v1/events?topics=figures", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		return transport.RoundTrip(r)
	}
	for http2, proto := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		resp, err := get(pool, http2)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 8192)
		n, err := io.ReadAtLeast(resp.Body, b, 200)
		if resp.Body.Close(); err != nil || resp.Proto != proto || !strings.Contains(string(b[:n]), "event: figures\ndata: 1\n") {
			t.Errorf("%s: %s %v %q", proto, resp.Proto, err, b[:n])
		}
		// Between our limit and that of net/http, which would answer as plain text.
		for _, size := range []int{maxHeader, maxHeaderBytes - 4096} {
			resp, err := get(pool, http2, "X-A", strings.Repeat("a", size))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.Body.Close(); err != nil || resp.StatusCode != 431 || resp.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(string(body), "aaaa") {
				t.Errorf("%s: a header of %d bytes: %s %v %.200q %v", proto, size, resp.Status, resp.Header, body, err)
			}
		}
	}
	if c, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if err := os.WriteFile(files.KeyFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.cert.load(); changed || err == nil {
		t.Errorf("a broken key: %v, %v", changed, err)
	}
	if resp, err := get(pool, false); err != nil {
		t.Errorf("after a broken key: %v", err)
	} else {
		resp.Body.Close()
	}
	renewed := writeCertificate(t, files)
	if changed, err := s.cert.load(); !changed || err != nil {
		t.Errorf("renewed: %v, %v", changed, err)
	}
	if resp, err := get(renewed, false); err != nil {
		t.Errorf("renewed: %v", err)
	} else {
		resp.Body.Close()
	}
	if _, err := get(pool, false); err == nil {
		t.Error("the old certificate is still shown")
	}
	eventually(t, "all clients are gone", func() bool { return s.hub.Clients() == 0 })
}
