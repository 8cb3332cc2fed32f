package server

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestQuietStreamOutlivesDeadlines: a stream on which nothing happened for much
// longer than any of its writes may take gets the next record, whoever holds
// its socket. A deadline that is the server's, or one that is left from the write
// before, would have ended or deafened it.
func TestQuietStreamOutlivesDeadlines(t *testing.T) {
	const stall = 200 * time.Millisecond
	files := TLS{CertFile: filepath.Join(t.TempDir(), "cert"), KeyFile: filepath.Join(t.TempDir(), "key")}
	pool := writeCertificate(t, files)
	plain := newSite(t, func(c *Config) { c.Hub.StallTimeout = stall })
	walked := newSite(t, func(c *Config) { c.Hub.StallTimeout, c.Hub.Shards = stall, -1 })
	secure := newSite(t, func(c *Config) { c.Hub.StallTimeout, c.TLS = stall, files })
	overTLS := func(http2 bool) *streamed {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}
		t.Cleanup(transport.CloseIdleConnections)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+secure.address+eventsPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s, want HTTP/2: %v", resp.Proto, http2)
		}
		return &streamed{Response: resp, t: t, body: bufio.NewReader(resp.Body)}
	}
	streams := []*streamed{plain.stream(eventsPath), walked.stream(eventsPath), overTLS(false), overTLS(true)}
	for i, value := range []string{"before", "after"} {
		for _, s := range []*site{plain, walked, secure} {
			s.put("events", int64(i), "a", []byte(`"`+value+`"`))
		}
		for _, stream := range streams {
			stream.want(`events "` + value + `"`)
		}
		if i == 0 {
			time.Sleep(5 * stall)
		}
	}
	for _, stream := range streams {
		stream.Body.Close()
	}
}
