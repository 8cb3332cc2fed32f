package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemap/feed"
	"livemap/hub"
)

// Limits of a request. Go's own answer beyond MaxHeaderBytes is plain text, so
// that limit lies above ours.
const (
	maxTarget         = 8 << 10  // bytes of the request target; beyond: 414
	maxHeader         = 16 << 10 // bytes of all header fields; beyond: 431
	maxHeaderBytes    = 64 << 10 // beyond: net/http answers by itself
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 60 * time.Second
)

// ServeHTTP is the public handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if p := checkRequest(r); p != nil {
		h.Set("Connection", "close")
		p.write(w)
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.page.serve(w, r)
		return
	}
	var handle func(http.ResponseWriter, *http.Request, Permit)
	switch r.URL.Path {
	case "/v1/events":
		handle = s.events
	case "/v1/latest":
		handle = s.latest
	case "/v1/topics":
		handle = s.listTopics
	default:
		refuse(http.StatusNotFound, "there is nothing at this path").write(w)
		return
	}
	var permit Permit
	if s.config.Door != nil {
		var err error
		if permit, err = s.config.Door(r); err != nil {
			s.config.Logger.Debug("refused", "path", r.URL.Path, "err", err)
			refuse(http.StatusForbidden, "").write(w)
			return
		}
	}
	handle(w, r, permit)
}

// checkRequest refuses what no route serves.
func checkRequest(r *http.Request) *problem {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p := refuse(http.StatusMethodNotAllowed, "only GET and HEAD are served")
		p.allow = "GET, HEAD"
		return p
	}
	if len(r.RequestURI) > maxTarget {
		return refuse(http.StatusRequestURITooLong, "the address is longer than "+strconv.Itoa(maxTarget)+" bytes")
	}
	size := 0
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if size > maxHeader {
		return refuse(http.StatusRequestHeaderFieldsTooLarge, "the header is longer than "+strconv.Itoa(maxHeader)+" bytes")
	}
	if r.ContentLength != 0 {
		return refuse(http.StatusBadRequest, "a request must have no body")
	}
	return nil
}

// latest answers GET /v1/latest: the latest value of a key of a state topic, for
// those who poll.
func (s *Server) latest(w http.ResponseWriter, r *http.Request, permit Permit) {
	values, bad := parseQuery(r)
	if bad != nil {
		bad.write(w)
		return
	}
	name, key := values.Get("topic"), values.Get("key")
	if bad := s.allowed(permit, query{topics: []string{name}, keys: []string{key}}); bad != nil {
		bad.write(w)
		return
	}
	if s.topics[name].kind != feed.State {
		refuse(http.StatusBadRequest, "the topic is a log: only state topics have a latest value").write(w)
		return
	}
	rec, ok := s.hub.Latest(s.topics[name].index, key)
	if !ok {
		refuse(http.StatusNotFound, "the topic holds nothing at this key").write(w)
		return
	}
	etag := etagOf(rec.Value)
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", "no-cache")
	if matchesETag(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", s.topics[name].contentType)
	h.Set("Content-Length", strconv.Itoa(len(rec.Value)))
	w.Write(rec.Value) //nolint:errcheck // the client is gone: there is nobody to tell
}

// matchesETag compares as RFC 9110, 13.1.2 has it for If-None-Match: weakly.
func matchesETag(values []string, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if t := strings.TrimPrefix(strings.TrimSpace(part), "W/"); t == etag || t == "*" {
			return true
		}
	}
	return false
}

// topicInfo is one topic as /v1/topics lists it.
type topicInfo struct {
	Name   string     `json:"name"`
	Kind   string     `json:"kind"`
	Format hub.Format `json:"format"`
	Recent int        `json:"recent,omitempty"`
}

// listTopics answers GET /v1/topics: what there is and may be seen.
func (s *Server) listTopics(w http.ResponseWriter, _ *http.Request, permit Permit) {
	list := struct {
		Topics []topicInfo `json:"topics"`
		Keys   []string    `json:"keys,omitempty"` // that may be seen; left out: all
	}{Topics: []topicInfo{}, Keys: permit.Keys}
	for _, t := range s.hub.Topics() {
		if permit.topic(t.Name) {
			list.Topics = append(list.Topics, topicInfo{t.Name, string(t.Kind), t.Format, t.Recent})
		}
	}
	slices.SortFunc(list.Topics, func(a, b topicInfo) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(list)
	if err != nil {
		panic("server: encoding topics: " + err.Error()) // strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(append(b, '\n')) //nolint:errcheck // the client is gone: there is nobody to tell
}
