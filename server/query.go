package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"livemap/hub"
)

// query is what a request for events asks for.
type query struct {
	topics   []string
	keys     []string // nil: every key
	envelope bool
	lastID   string
	since    time.Time // zero: not given
	until    time.Time // zero: not given
}

// parameters that may stand once in a query.
var parameters = []string{"topics", "keys", "envelope", "lastEventId", "since", "until", "topic", "key"}

// parseQuery reads the parameters of a request. Unknown ones are ignored, as
// proxies and polyfills add their own; a known one twice is an error.
func parseQuery(r *http.Request) (url.Values, *problem) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the query is not percent-encoded as RFC 3986 asks for")
	}
	for _, p := range parameters {
		if len(values[p]) > 1 {
			return nil, refuse(http.StatusBadRequest, p+" stands in the query more than once")
		}
	}
	return values, nil
}

// eventsQuery reads what a request for events asks for.
func eventsQuery(r *http.Request) (query, *problem) {
	values, bad := parseQuery(r)
	if bad != nil {
		return query{}, bad
	}
	q := query{}
	if q.topics = splitList(values.Get("topics")); q.topics == nil {
		return q, refuse(http.StatusBadRequest, "topics is missing: name at least one, separated by commas; /v1/topics lists them")
	}
	if len(q.topics) > hub.MaxTopics {
		return q, refuse(http.StatusBadRequest, "topics names too many")
	}
	var err error
	if values.Has("keys") {
		if values.Get("keys") == "" {
			return q, refuse(http.StatusBadRequest, "keys is empty: name at least one, or leave it out for all")
		}
		if q.keys, err = splitKeys(values.Get("keys")); err != nil {
			return q, refuse(http.StatusBadRequest, "keys: "+err.Error())
		}
	}
	switch values.Get("envelope") {
	case "", "0":
	case "1":
		q.envelope = true
	default:
		return q, refuse(http.StatusBadRequest, "envelope must be 1 or 0")
	}
	// A browser that reconnects sends the header, beside the query as it was at
	// first: the header comes before the query.
	if q.lastID = r.Header.Get("Last-Event-ID"); q.lastID == "" && values.Has("lastEventId") {
		q.lastID = values.Get("lastEventId")
		if hub.CheckID(q.lastID) != nil {
			return q, refuse(http.StatusBadRequest, "lastEventId is not an id of this server")
		}
	}
	return q, q.times(values, time.Now())
}

// times reads since and until.
func (q *query) times(values url.Values, now time.Time) *problem {
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"since", &q.since}, {"until", &q.until}} {
		if !values.Has(p.name) {
			continue
		}
		t, err := parseTime(values.Get(p.name), now)
		if err != nil {
			return refuse(http.StatusBadRequest, p.name+" "+err.Error())
		}
		*p.to = t
	}
	switch {
	case q.since.After(now):
		return refuse(http.StatusBadRequest, "since lies ahead")
	case !q.until.IsZero() && q.until.Before(q.since):
		return refuse(http.StatusBadRequest, "until lies before since")
	}
	return nil
}

var errTime = errors.New("must be a time like 2026-11-27T00:00:00Z, or how long ago, like -5m or -1h30m")

// parseTime reads a time of RFC 3339, or how long ago it is. What is relative
// counts from the last whole second, so that many who ask at once ask the same.
func parseTime(s string, now time.Time) (time.Time, error) {
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		d, err := time.ParseDuration(ago)
		if err != nil || d < 0 || strings.HasPrefix(ago, "-") {
			return time.Time{}, errTime
		}
		return now.Truncate(time.Second).Add(-d), nil
	}
	// A plus sign that was not encoded arrives as a space.
	t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "+", 1))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, errTime
	}
	return t, nil
}

// maxQueryKeys is how many keys a request may name.
const maxQueryKeys = 256

// splitList splits a list at its commas; nil where it is empty.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// splitKeys splits a list of keys at its commas. A comma or a percent sign
// inside a key stands as %2C or %25, in the value as it is once the query's own
// encoding is undone.
func splitKeys(s string) ([]string, error) {
	keys := strings.Split(s, ",")
	if len(keys) > maxQueryKeys {
		return nil, errors.New("too many of them")
	}
	for i, k := range keys {
		key, err := unescapeKey(k)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

func unescapeKey(k string) (string, error) {
	if !strings.Contains(k, "%") {
		return k, nil
	}
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(k, "%")
		b.WriteString(plain)
		if !found {
			return b.String(), nil
		}
		code := rest[:min(2, len(rest))]
		switch {
		case strings.EqualFold(code, "2c"):
			b.WriteByte(',')
		case code == "25":
			b.WriteByte('%')
		default:
			return "", errors.New("a percent sign inside a key must be written %25, and a comma %2C")
		}
		k = rest[2:]
	}
}

// accepts says whether an Accept header leaves room for a media type such as
// text/event-stream. No header accepts everything.
func accepts(r *http.Request, kind, sub string) bool {
	values := r.Header.Values("Accept")
	if len(values) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		k, s, _ := strings.Cut(strings.TrimSpace(media), "/")
		fits := (k == "*" || strings.EqualFold(k, kind)) && (s == "*" || strings.EqualFold(s, sub))
		if fits && !refused(params) {
			return true
		}
	}
	return false
}

// refused says whether the parameters of a media range hold a weight of zero.
func refused(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return strings.Trim(strings.TrimSpace(value), "0.") == ""
		}
	}
	return false
}
