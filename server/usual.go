package server

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What a usual request is not longer than, and how many fields it has at most.
const (
	maxUsual       = 8 << 10
	maxUsualFields = 48
)

var (
	usualStart = []byte("GET /v1/events?")
	headEnd    = []byte("\r\n\r\n")
)

// usualRequest reads a request for a stream as browsers and clients send it:
// whole, alone, without anything that changes what follows it or how it must be
// answered. Of everything else, well-formed or not, it returns nil, and net/http
// reads and judges it. So it is strict where net/http is lenient, and what it
// does read it reads as net/http would: a fuzz test compares them.
func usualRequest(b []byte) *http.Request {
	if len(b) > maxUsual || !bytes.HasPrefix(b, usualStart) || bytes.Index(b, headEnd) != len(b)-len(headEnd) {
		return nil
	}
	text := string(b[:len(b)-len("\r\n")]) // every line ends with CR LF
	line, fields, _ := strings.Cut(text, "\r\n")
	target, ok := strings.CutSuffix(line[len("GET "):], " HTTP/1.1")
	if !ok || !visible(target) || !usualQuery(target[len("/v1/events?"):]) {
		return nil
	}
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		RequestURI: target, URL: &url.URL{Path: "/v1/events", RawQuery: target[len("/v1/events?"):]},
		Header: make(http.Header, 12),
	}
	r.URL.ForceQuery = r.URL.RawQuery == ""
	if !usualFields(r, fields) {
		return nil
	}
	return r
}

// usualQuery says whether a query asks for a stream: a span that is over is answered
// like a file, framed so that a cache can keep it, which is net/http's work.
func usualQuery(query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name == "until" || strings.ContainsAny(name, "%+") {
			return false
		}
	}
	return true
}

// usualFields reads the header.
func usualFields(r *http.Request, fields string) bool {
	count := strings.Count(fields, "\r\n")
	if count > maxUsualFields {
		return false
	}
	values := make([]string, 0, count) // of all fields
	for fields != "" {
		var line string
		line, fields, _ = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !printable(value) {
			return false
		}
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Host":
			if r.Host != "" || !usualHost(value) {
				return false
			}
			r.Host = value
			continue
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") && !strings.EqualFold(value, "close") {
				return false
			}
		case "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Pragma":
			return false
		}
		values = append(values, value)
		n := len(values)
		if had := r.Header[name]; had != nil {
			r.Header[name] = append(had, value)
		} else {
			r.Header[name] = values[n-1 : n : n]
		}
	}
	return r.Host != ""
}

// usualHost says whether a host is a name or an address, with or without a port.
func usualHost(h string) bool {
	for i := range len(h) {
		if c := h[i]; !alphanumeric(c) && !strings.ContainsRune(".-:[]", rune(c)) {
			return false
		}
	}
	return h != ""
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// visible says whether s is of visible ASCII characters only.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printable allows spaces and tabs, too.
func printable(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && s[i] != '\t' {
			return false
		}
	}
	return true
}

// isToken says whether s can be the name of a field (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// answer is the http.ResponseWriter of a usual request: it keeps what is written,
// which for a stream is nothing.
type answer struct {
	header http.Header
	status int // 0: not written
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// bytes returns the answer as it goes out. The connection ends with it.
func (a *answer) bytes() []byte {
	a.WriteHeader(http.StatusOK)
	a.header.Set("Connection", "close")
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(a.status) + " " + http.StatusText(a.status) + "\r\n")
	a.header.Write(&b) //nolint:errcheck // a buffer takes everything
	b.WriteString("\r\n")
	b.Write(a.body)
	return b.Bytes()
}
