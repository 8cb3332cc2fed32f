package sse

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// seen is an event as the tests write it down.
type seen struct{ name, data, id string }

func parse(t testing.TB, p *Parser, chunks ...string) (events []seen, err error) {
	t.Helper()
	for _, c := range chunks {
		err = p.Parse([]byte(c), func(e *Event) {
			events = append(events, seen{string(e.Name), string(e.Data), string(e.ID)})
		})
	}
	return events, err
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want []seen
	}{
		{"one", "event: a\ndata: x\nid: 1\n\n", []seen{{"a", "x", "1"}}},
		{"no name is message", "data: x\n\n", []seen{{"message", "x", ""}}},
		{"empty name is message", "event:\ndata: x\n\n", []seen{{"message", "x", ""}}},
		{"lines join", "data: x\ndata\ndata:y\n\n", []seen{{"message", "x\n\ny", ""}}},
		{"one space is dropped", "data:  x\n\n", []seen{{"message", " x", ""}}},
		{"data alone is an event", "data\n\n", []seen{{"message", "", ""}}},
		{"no data is none", "event: a\n\ndata: x\n\n", []seen{{"message", "x", ""}}},
		{"but its id counts", "id: 7\n\ndata: x\n\n", []seen{{"message", "x", "7"}}},
		{"id stays", "id: 7\ndata: x\n\ndata: y\n\n", []seen{{"message", "x", "7"}, {"message", "y", "7"}}},
		{"empty id clears it", "id: 7\ndata: x\n\nid\ndata: y\n\n", []seen{{"message", "x", "7"}, {"message", "y", ""}}},
		{"id with NUL is ignored", "id: 7\ndata: x\n\nid: 8\x00\ndata: y\n\n", []seen{{"message", "x", "7"}, {"message", "y", "7"}}},
		{"comment", ": hi\ndata: x\n:\n\n", []seen{{"message", "x", ""}}},
		{"unknown fields", "Data: x\nfoo: y\ndata : z\ndata: x\n\n", []seen{{"message", "x", ""}}},
		{"mark at the start", "\xef\xbb\xbfdata: x\n\n", []seen{{"message", "x", ""}}},
		{"mark only there", "data: x\n\n\xef\xbb\xbfdata: y\n\n", []seen{{"message", "x", ""}}},
		{"two marks", "\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", nil},
		{"CR", "event: a\rdata: x\r\r", []seen{{"a", "x", ""}}},
		{"CR LF", "event: a\r\ndata: x\r\n\r\n", []seen{{"a", "x", ""}}},
		{"mixed", "event: a\rdata: x\n\r\ndata: y\r\n\r", []seen{{"a", "x", ""}, {"message", "y", ""}}},
		{"unfinished is none", "data: x\n", nil},
		{"colon in value", "data: a: b\n\n", []seen{{"message", "a: b", ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, err := parse(t, new(Parser), c.in)
			if err != nil || !slices.Equal(whole, c.want) {
				t.Errorf("got %q, %v\nwant %q", whole, err, c.want)
			}
			bytewise, err := parse(t, new(Parser), strings.Split(c.in, "")...)
			if err != nil || !slices.Equal(bytewise, c.want) {
				t.Errorf("byte by byte: got %q, %v\nwant %q", bytewise, err, c.want)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	for in, want := range map[string]int{
		"retry: 250\n":         250,
		"retry:0\n":            0,
		"retry: 1\nretry: x\n": 1,
		"retry: 12 \n":         0,
		"retry: -1\n":          0,
		"retry: +1\n":          0,
		"retry:\n":             0,
		"retry: 9999999999\n":  0,
	} {
		p := new(Parser)
		if _, err := parse(t, p, in); err != nil || p.RetryMilliseconds() != want {
			t.Errorf("%q: got %d, %v, want %d", in, p.RetryMilliseconds(), err, want)
		}
	}
}

// An event cut before its blank line does not move the id.
func TestReset(t *testing.T) {
	p := new(Parser)
	if _, err := parse(t, p, "id: 1\ndata: x\n\nid: 2\ndata: y\n"); err != nil {
		t.Fatal(err)
	}
	if got := string(p.LastEventID()); got != "1" {
		t.Errorf("id %q after a cut, want 1", got)
	}
	p.Reset()
	events, err := parse(t, p, "\xef\xbb\xbfdata: z\n\n")
	if want := []seen{{"message", "z", "1"}}; err != nil || !slices.Equal(events, want) {
		t.Errorf("got %q, %v, want %q", events, err, want)
	}
}

func TestLimit(t *testing.T) {
	for _, in := range []string{
		"data: " + strings.Repeat("x", 100) + "\n\n",
		strings.Repeat("data: xxxxxxxxx\n", 10) + "\n",
		strings.Repeat("x", 200),
		": " + strings.Repeat("x", 100) + "\n",
	} {
		p := &Parser{MaxEventBytes: 64}
		if _, err := parse(t, p, in); !errors.Is(err, ErrEventTooLarge) {
			t.Errorf("%.20q…: got %v", in, err)
		}
		if _, err := parse(t, p, "data: x\n\n"); !errors.Is(err, ErrEventTooLarge) {
			t.Errorf("%.20q…: the error did not stay: %v", in, err)
		}
	}
	// Events within the limit go on for ever.
	p := &Parser{MaxEventBytes: 64}
	if events, err := parse(t, p, strings.Repeat("data: x\n\n", 1000)); err != nil || len(events) != 1000 {
		t.Errorf("got %d, %v", len(events), err)
	}
}

func TestParseAllocations(t *testing.T) {
	stream := bytes.Repeat([]byte("event: metrics\ndata: {\"v\":1}\nid: AQAAAAAAdQ\n\n"), 100)
	p := new(Parser)
	n := 0
	emit := func(*Event) { n++ }
	if err := p.Parse(stream, emit); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(20, func() {
		if err := p.Parse(stream, emit); err != nil {
			t.Fatal(err)
		}
	}); got > 100 { // the Event of each, as it escapes to emit
		t.Errorf("%v allocations for 100 events", got)
	}
}

// FuzzParse: never panics, holds no more than its limit, and does not care how
// the stream is cut.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\xef\xbb\xbfevent: a\r\ndata: x\rid: 1\n\n"), uint8(2))
	f.Add([]byte("data\n\n:\n\rretry: 12\n\n"), uint8(1))
	f.Add([]byte("id: \x00\ndata: \xff\n\n"), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, chunk uint8) {
		whole, cut := &Parser{MaxEventBytes: 1 << 20}, &Parser{MaxEventBytes: 1 << 20}
		want, err := parse(t, whole, string(in))
		if err != nil {
			t.Fatal(err)
		}
		var chunks []string
		for b := in; len(b) > 0; b = b[min(int(chunk)+1, len(b)):] {
			chunks = append(chunks, string(b[:min(int(chunk)+1, len(b))]))
		}
		got, err := parse(t, cut, chunks...)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("cut by %d: %q, %v; whole: %q", chunk+1, got, err, want)
		}
		if a, b := fmt.Sprint(whole.retry, whole.lastID), fmt.Sprint(cut.retry, cut.lastID); a != b {
			t.Fatalf("cut: %s, whole: %s", b, a)
		}
		small := &Parser{MaxEventBytes: 32}
		if err := small.Parse(in, func(*Event) {}); err != nil && !errors.Is(err, ErrEventTooLarge) {
			t.Fatal(err)
		}
		if held := len(small.line) + len(small.data) + len(small.name); held > 64 {
			t.Fatalf("holds %d bytes", held)
		}
	})
}
