package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemap/auth"
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
	api := strings.HasPrefix(r.URL.Path, "/v1/")
	if api && s.cors(w, r) {
		return
	}
	if r.URL.Path == "/v1/session" && s.config.Session != nil {
		s.session(w, r)
		return
	}
	if p := checkRequest(r, http.MethodGet, http.MethodHead); p != nil {
		h.Set("Connection", "close")
		p.write(w)
		return
	}
	if !api {
		s.page.serve(w, r)
		return
	}
	var handle func(http.ResponseWriter, *http.Request, *auth.Permit)
	switch r.URL.Path {
	case "/v1/events":
		handle = s.events
		if !s.limits.knock(s.clientOf(r), time.Now()) {
			s.shed(w, r, shedRate)
			return
		}
	case "/v1/latest":
		handle = s.latest
	case "/v1/topics":
		handle = s.listTopics
	default:
		refuse(http.StatusNotFound, "there is nothing at this path").write(w)
		return
	}
	permit, err := s.config.Door.Admit(r)
	if err != nil {
		s.deny(w, r, err)
		return
	}
	private(w.Header(), permit)
	handle(w, r, permit)
}

// private says to caches what they may do with an answer: ask again each time,
// and keep what a token opened from all others.
func private(h http.Header, permit *auth.Permit) {
	if permit.Anonymous() {
		h.Set("Cache-Control", "no-cache")
		return
	}
	h.Set("Cache-Control", "private, no-cache")
	h.Add("Vary", "Authorization, Cookie")
}

// checkRequest refuses what no route serves, and other methods than these.
func checkRequest(r *http.Request, methods ...string) *problem {
	if !slices.Contains(methods, r.Method) {
		p := refuse(http.StatusMethodNotAllowed, "only "+strings.Join(methods, " and ")+" can be used here")
		p.allow = strings.Join(methods, ", ")
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
func (s *Server) latest(w http.ResponseWriter, r *http.Request, permit *auth.Permit) {
	values, bad := parseQuery(r)
	if bad != nil {
		bad.write(w)
		return
	}
	if !values.Has("key") { // an empty one is a key like others
		refuse(http.StatusBadRequest, "key is missing: name the one whose value is wanted, such as world").write(w)
		return
	}
	name, key := values.Get("topic"), values.Get("key")
	if _, ok := s.allowed(w, r, permit, query{topics: []string{name}, keys: []string{key}}); !ok {
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
func (s *Server) listTopics(w http.ResponseWriter, _ *http.Request, permit *auth.Permit) {
	list := struct {
		Topics []topicInfo `json:"topics"`
		Keys   *[]string   `json:"keys,omitempty"` // that may be seen, * for any rest; left out: all
	}{Topics: []topicInfo{}}
	if !permit.AllKeys() {
		keys := append([]string{}, permit.Keys.Names()...)
		for _, p := range permit.Keys.Prefixes() {
			keys = append(keys, p+"*")
		}
		list.Keys = &keys
	}
	for _, t := range s.hub.Topics() {
		if permit.Topic(t.Name) {
			info := topicInfo{Name: t.Name, Kind: string(t.Kind), Format: t.Format}
			if t.Kind == feed.Log {
				info.Recent = t.Recent
			}
			list.Topics = append(list.Topics, info)
		}
	}
	slices.SortFunc(list.Topics, func(a, b topicInfo) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(list)
	if err != nil {
		panic("server: encoding topics: " + err.Error()) // strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(b, '\n')) //nolint:errcheck // the client is gone: there is nobody to tell
}
