package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxHeadBytes bounds the head of an answer; a larger one is refused.
const maxHeadBytes = 16 << 10

// framing says where the body of an answer ends.
type framing uint8

const (
	untilClose framing = iota
	chunked
	sized
)

// head is what a client needs of the head of an HTTP/1.1 answer.
type head struct {
	status      int
	framing     framing
	length      int64  // of a sized body
	contentType string // in lower case, without parameters
	encoding    string // content encoding
	location    string
	retryAfter  int // seconds, 0: not given
}

// Errors of a head. They end the connection.
var (
	errHeadTooLarge = errors.New("the head of the answer is larger than 16 KiB")
	errHead         = errors.New("the answer is not HTTP/1.1")
)

// parseHead reads the head at the beginning of b (RFC 9112). It returns the
// number of bytes that it takes, 0 when b does not hold all of it yet.
func parseHead(b []byte) (head, int, error) {
	end := headEnd(b)
	if end == 0 {
		if len(b) > maxHeadBytes {
			return head{}, 0, errHeadTooLarge
		}
		if !maybeHTTP(b) {
			return head{}, 0, errHead
		}
		return head{}, 0, nil
	}
	if end > maxHeadBytes {
		return head{}, 0, errHeadTooLarge
	}
	line, rest := cutLine(b[:end])
	h := head{}
	var err error
	if h.status, err = parseStatusLine(line); err != nil {
		return head{}, 0, err
	}
	var seenLength bool
	for len(rest) > 0 {
		if line, rest = cutLine(rest); len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return head{}, 0, fmt.Errorf("%w: header line %s", errHead, excerpt(line))
		}
		if err := h.field(string(bytes.ToLower(name)), string(bytes.TrimSpace(value)), &seenLength); err != nil {
			return head{}, 0, err
		}
	}
	return h, end, nil
}

// headEnd returns the index behind the empty line that ends a head, or 0.
func headEnd(b []byte) int {
	for i := 0; i < len(b); {
		k := bytes.IndexByte(b[i:], '\n')
		if k < 0 {
			return 0
		}
		i += k + 1
		if i < len(b) && b[i] == '\n' {
			return i + 1
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
	return 0
}

// maybeHTTP says whether b can be the beginning of an answer, so that another
// protocol is recognised at once and not after the timeout.
func maybeHTTP(b []byte) bool {
	const begin = "HTTP/1."
	n := min(len(b), len(begin))
	return string(b[:n]) == begin[:n]
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

func parseStatusLine(line []byte) (int, error) {
	if len(line) < len("HTTP/1.1 200") || !maybeHTTP(line) || line[7] < '0' || line[7] > '9' || line[8] != ' ' ||
		len(line) > 12 && line[12] != ' ' {
		return 0, fmt.Errorf("%w: it begins %s", errHead, excerpt(line))
	}
	n, ok := integer(line[9:12])
	if !ok || n < 100 || n > 599 {
		return 0, fmt.Errorf("%w: it begins %s", errHead, excerpt(line))
	}
	return int(n), nil
}

// field takes over one header field. A message with a transfer encoding and a
// length is read by the former (RFC 9112, 6.3).
func (h *head) field(name, value string, seenLength *bool) error {
	switch name {
	case "content-type":
		h.contentType = mediaType(value)
	case "content-encoding":
		if h.encoding = mediaType(value); h.encoding == "identity" {
			h.encoding = ""
		}
	case "transfer-encoding":
		if mediaType(value) != "chunked" {
			return fmt.Errorf("transfer encoding %s is not supported", excerpt([]byte(value)))
		}
		h.framing = chunked
	case "content-length":
		n, ok := integer([]byte(value))
		if !ok || n < 0 || *seenLength && n != h.length {
			return fmt.Errorf("content length %s is not valid", excerpt([]byte(value)))
		}
		*seenLength = true
		h.length = n
		if h.framing == untilClose {
			h.framing = sized
		}
	case "location":
		h.location = value
	case "retry-after":
		if n, ok := integer([]byte(value)); ok && n > 0 {
			h.retryAfter = int(min(n, 3600))
		}
	}
	return nil
}

// mediaType returns a header's value in lower case up to the first semicolon.
func mediaType(v string) string {
	b := []byte(v)
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		b = b[:i]
	}
	return string(bytes.ToLower(bytes.TrimSpace(b)))
}

// excerpt quotes foreign bytes for an error message.
func excerpt(b []byte) string {
	const most = 60
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "…"
	}
	return strconv.Quote(string(b))
}
