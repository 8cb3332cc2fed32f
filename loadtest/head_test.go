package loadtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httputil"
	"strings"
	"testing"
)

func TestParseHead(t *testing.T) {
	const begin = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, text string
		want       head
		err        string
	}{
		{"closed at the end", begin + "Content-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n", head{status: 200, contentType: "text/event-stream"}, ""},
		{"chunked", begin + "transfer-encoding: Chunked\r\n\r\n", head{status: 200, framing: chunked}, ""},
		{"sized", begin + "Content-Length: 12\r\n\r\n", head{status: 200, framing: sized, length: 12}, ""},
		{"chunked comes before a length", begin + "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n", head{status: 200, framing: chunked, length: 12}, ""},
		{"line feeds alone", "HTTP/1.0 503 Busy\nRetry-After: 7\n\n", head{status: 503, retryAfter: 7}, ""},
		{"no reason", "HTTP/1.1 301\r\nLocation: /x\r\n\r\n", head{status: 301, location: "/x"}, ""},
		{"identity is no encoding", begin + "Content-Encoding: identity\r\n\r\n", head{status: 200}, ""},
		{"a date is no number of seconds", begin + "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n", head{status: 200}, ""},
		{"not complete", begin + "Content-Type: text/ev", head{}, ""},
		{"two lengths", begin + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", head{}, "content length"},
		{"negative length", begin + "Content-Length: -1\r\n\r\n", head{}, "content length"},
		{"unknown coding", begin + "Transfer-Encoding: gzip, chunked\r\n\r\n", head{}, "transfer encoding"},
		{"another protocol", "SSH-2.0-OpenSSH", head{}, "not HTTP/1.1"},
		{"HTTP/2", "HTTP/2 200\r\n\r\n", head{}, "not HTTP/1.1"},
		{"status out of range", "HTTP/1.1 700 X\r\n\r\n", head{}, "not HTTP/1.1"},
		{"no colon", begin + "Nonsense\r\n\r\n", head{}, "not HTTP/1.1"},
		{"space before the colon", begin + "Content-Type : x\r\n\r\n", head{}, "not HTTP/1.1"},
		{"endless", begin + strings.Repeat("X: y\r\n", maxHeadBytes/6), head{}, "16 KiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, n, err := parseHead([]byte(test.text))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || h != test.want {
				t.Fatalf("%+v, %v; want %+v", h, err, test.want)
			}
			if complete := headEnd([]byte(test.text)) > 0; complete && n != len(test.text) {
				t.Errorf("it takes %d of %d bytes", n, len(test.text))
			}
		})
	}
}

// FuzzHead: a head is what it is, whatever follows it; and what is incomplete
// stays within the limit.
func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n"))
	f.Add([]byte("HTTP/1.0 503 \nRetry-After: 1\nContent-Length: 0\n\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := parseHead(b)
		switch {
		case n < 0 || n > len(b) || n > maxHeadBytes:
			t.Fatalf("it takes %d of %d bytes", n, len(b))
		case err == nil && n == 0:
			if len(b) > maxHeadBytes {
				t.Fatal("more is held than the limit")
			}
		case err == nil:
			again, m, err := parseHead(b[:n])
			if err != nil || m != n || again != h {
				t.Fatalf("without what follows: %+v, %d, %v; with it: %+v, %d", again, m, err, h, n)
			}
			if h.status < 100 || h.status > 599 || h.length < 0 {
				t.Fatalf("%+v", h)
			}
		}
	})
}

// FuzzBody: pieces do not matter, and what the standard library reads from a
// chunked body is read here too.
func FuzzBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n"), uint64(1))
	f.Add([]byte("5\nhello\n0\nTrailer: x\n\n"), uint64(2))
	f.Add([]byte("ffffffffffffffff\r\n"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole, wholeErr := unframe(b, nil)
		pieces, piecesErr := unframe(b, rand.New(rand.NewPCG(seed, 0)))
		if !bytes.Equal(whole, pieces) || !errors.Is(piecesErr, wholeErr) {
			t.Fatalf("whole %q, %v; in pieces %q, %v", whole, wholeErr, pieces, piecesErr)
		}
		if want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b))); err == nil && wholeErr == io.EOF && !bytes.Equal(want, whole) {
			t.Fatalf("%q, the standard library reads %q", whole, want)
		}
	})
}

// unframe takes the framing off b, in pieces that random decides.
func unframe(b []byte, random *rand.Rand) ([]byte, error) {
	d := body{framing: chunked}
	var all []byte
	for len(b) > 0 {
		piece := b
		if random != nil {
			piece = b[:1+random.IntN(len(b))]
		}
		b = b[len(piece):]
		for len(piece) > 0 {
			data, rest, err := d.next(piece)
			all = append(all, data...)
			if err != nil {
				return all, err
			}
			piece = rest
		}
	}
	return all, nil
}

func TestBodyFraming(t *testing.T) {
	tests := []struct {
		text, want string
		err        error
	}{
		{"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", io.EOF},
		{"0\r\nTrailer: x\r\n\r\n", "", io.EOF},
		{"A;name=\"v\"\r\n0123456789\r\n", "0123456789", nil},
		{"5\r\nhelloX", "hello", errChunk},
		{"\r\n", "", errChunk},
		{"-1\r\n", "", errChunk},
		{"1" + strings.Repeat("0", maxChunkDigits), "", errChunk},
		{"1;" + strings.Repeat("x", maxChunkLine), "", errChunk},
	}
	for _, test := range tests {
		got, err := unframe([]byte(test.text), nil)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%.40q: %q, %v; want %q, %v", test.text, got, err, test.want, test.err)
		}
	}
	d := body{framing: sized, left: 3}
	if data, _, err := d.next([]byte("abcd")); string(data) != "abc" || err != io.EOF {
		t.Errorf("sized: %q, %v", data, err)
	}
}
