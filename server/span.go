package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemap/feed"
	"livemap/hub"
)

// A span that has been over for settledAfter gets no further records: those who
// write with a clock of their own, or commit late, are through. Its answer may be
// kept by caches for spanMaxAge.
const (
	settledAfter = time.Minute
	spanMaxAge   = time.Hour
)

// answered answers a request for a span that is over where there is nothing to
// send: it was all sent, or the client has it. It sets the header otherwise.
func (s *Server) answered(w http.ResponseWriter, r *http.Request, q query, sub *hub.Subscription, now time.Time) bool {
	h := w.Header()
	if q.lastID != "" && sub.Span.Reached(q.lastID) {
		// The one answer after which a browser's EventSource does not come back.
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	h.Set("Content-Type", "text/event-stream")
	scope := "public"
	if strings.HasPrefix(h.Get("Cache-Control"), "private") {
		scope = "private"
	}
	if q.lastID != "" || now.Sub(q.until) < settledAfter || slices.ContainsFunc(q.topics, s.isState) {
		h.Set("Cache-Control", strings.TrimPrefix(scope+", ", "public, ")+"no-cache, no-transform")
		return false
	}
	h.Set("Cache-Control", scope+", max-age="+strconv.Itoa(int(spanMaxAge.Seconds()))+", no-transform")
	// The records are the same; the clock in hello and heartbeat is not.
	etag := "W/" + etagOf([]byte(strings.Join([]string{sub.Span.Tag(), r.URL.Query().Get("envelope"), subscriptionName(sub)}, "\n")))
	h.Set("ETag", etag)
	if matchesETag(r.Header.Values("If-None-Match"), strings.TrimPrefix(etag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	return false
}

// subscriptionName tells subscriptions apart by their keys, each after its
// length.
func subscriptionName(sub *hub.Subscription) string {
	var b []byte
	for _, list := range [][]string{sub.Keys, sub.Beginnings} {
		b = append(strconv.AppendInt(b, int64(len(list)), 10), '\n')
		for _, k := range list {
			b = append(strconv.AppendInt(b, int64(len(k)), 10), ' ')
			b = append(b, k...)
		}
	}
	return string(b)
}

func (s *Server) isState(topic string) bool { return s.topics[topic].kind == feed.State }

// sendSpan sends a span that is over, from the goroutine of its request: it ends
// by itself, and framed as any answer it can be kept by a cache, which must know
// a whole one from one cut short.
func (s *Server) sendSpan(w http.ResponseWriter, r *http.Request, client *hub.Client) {
	w.WriteHeader(http.StatusOK)
	sink := newResponseSink(w)
	reason := client.Serve(r.Context(), sink, nil)
	if reason != hub.CloseEnd {
		panic(http.ErrAbortHandler) // the connection ends in the middle, and shows it
	}
	sink.SetWriteDeadline(time.Time{}) //nolint:errcheck // for the next request; a closed connection has none
}
