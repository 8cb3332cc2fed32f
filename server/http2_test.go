package server

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestHTTP2: where net/http keeps the connection, the same walker writes into
// its stream.
func TestHTTP2(t *testing.T) {
	s := newSite(t, nil)
	s.put("figures", 0, "world", []byte("1"))
	front := httptest.NewUnstartedServer(s.Server)
	front.EnableHTTP2 = true
	front.StartTLS()
	defer front.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", front.URL+"/v1/events?topics=figures,events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Connection") != "" {
		t.Errorf("%s %v", resp.Proto, resp.Header)
	}
	stream := &streamed{Response: resp, t: t, body: bufio.NewReader(resp.Body)}
	stream.want("figures 1")
	s.put("events", 0, "a", []byte("e0"))
	stream.want("events e0")
	cancel()
	eventually(t, "the client is gone", func() bool { return s.hub.Clients() == 0 })
}
