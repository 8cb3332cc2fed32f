package sse

import (
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	event := func(name, data, id string) string {
		b := AppendName(nil, name)
		b = AppendData(b, []byte(data))
		if id != "" {
			b = AppendID(b, id)
		}
		return string(AppendEnd(b))
	}
	for _, c := range []struct{ name, got, want string }{
		{"plain", event("metrics", `{"v":1}`, "AQ"), "event: metrics\ndata: {\"v\":1}\nid: AQ\n\n"},
		{"no data", event("e", "", ""), "event: e\ndata: \n\n"},
		{"leading space stays", event("e", " x", ""), "event: e\ndata:  x\n\n"},
		{"LF", event("e", "a\nb", ""), "event: e\ndata: a\ndata: b\n\n"},
		{"CR LF is one end", event("e", "a\r\nb", ""), "event: e\ndata: a\ndata: b\n\n"},
		{"lone CR", event("e", "a\rb", ""), "event: e\ndata: a\ndata: b\n\n"},
		{"LF CR are two", event("e", "a\n\rb", ""), "event: e\ndata: a\ndata: \ndata: b\n\n"},
		{"ends with CR", event("e", "a\r", ""), "event: e\ndata: a\ndata: \n\n"},
		{"NUL in data is data", event("e", "a\x00b", ""), "event: e\ndata: a\x00b\n\n"},
		{"data cannot forge a field", event("e", "a\rid: 9\n\nevent: x", ""), "event: e\ndata: a\ndata: id: 9\ndata: \ndata: event: x\n\n"},
		{"name cannot", event("a\r\nid: 9\x00", "x", ""), "event: aid: 9\ndata: x\n\n"},
		{"id cannot", event("e", "x", "a\n\rdata: y\x00"), "event: e\ndata: x\nid: adata: y\n\n"},
		{"retry", string(AppendRetry(nil, 1500)), "retry: 1500\n"},
		{"negative retry", string(AppendRetry(nil, -1)), "retry: 0\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, c.got, c.want)
		}
	}
}

// FuzzRoundTrip: whatever is encoded arrives, line ends as LF, and nothing else
// does.
func FuzzRoundTrip(f *testing.F) {
	f.Add("metrics", []byte("{}"), "AQ", uint8(3))
	f.Add("", []byte("a\r\n\rb\n"), "", uint8(1))
	f.Add("x\ny", []byte("\xef\xbb\xbf"), "\x00", uint8(200))
	f.Fuzz(func(t *testing.T, name string, data []byte, id string, chunk uint8) {
		b := AppendName(nil, name)
		b = AppendData(b, data)
		b = AppendID(b, id)
		b = AppendEnd(b)
		var events int
		p := &Parser{MaxEventBytes: len(b) + 1}
		check := func(e *Event) {
			events++
			strip := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
			wantName := strip.Replace(name)
			if wantName == "" {
				wantName = "message"
			}
			lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
			if string(e.Name) != wantName || string(e.Data) != lines.Replace(string(data)) || string(e.ID) != strip.Replace(id) {
				t.Fatalf("got %q %q %q from name %q data %q id %q", e.Name, e.Data, e.ID, name, data, id)
			}
		}
		for step := int(chunk) + 1; len(b) > 0; b = b[min(step, len(b)):] {
			if err := p.Parse(b[:min(step, len(b))], check); err != nil {
				t.Fatal(err)
			}
		}
		if events != 1 {
			t.Fatalf("%d events", events)
		}
	})
}
