package loadtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// ticking is a server as anybody would write it with net/http: chunked, and a
// record every 20 ms to everybody.
type ticking struct {
	url       string
	most      int64
	connected atomic.Int64
}

// startTicking starts a server for so many clients; those beyond are answered
// with 503.
func startTicking(t *testing.T, most int64) *ticking {
	t.Helper()
	s := &ticking{most: most}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *ticking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.connected.Add(-1)
	if s.connected.Add(1) > s.most {
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case at := <-tick.C:
			fmt.Fprintf(w, "event: t\ndata: {\"emitted_at\":%d}\nid: %d\n\n", at.UnixMicro(), at.UnixMicro())
			w.(http.Flusher).Flush()
		}
	}
}
