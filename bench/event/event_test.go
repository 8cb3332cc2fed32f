package event

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestEventIsJSONOfItsSize(t *testing.T) {
	b := Append(nil, Stamp{Number: 42, At: 1_763_863_863_123_456})
	if len(b) != Size {
		t.Errorf("an event has %d bytes, want %d", len(b), Size)
	}
	var got struct{ N, At int64 }
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if got.N != 1_000_000_042 || got.At != 1_763_863_863_123_456 {
		t.Errorf("got %+v", got)
	}
}

// TestScanWhateverThePieces cuts a stream of three events at every two places:
// each event is found once, in order.
func TestScanWhateverThePieces(t *testing.T) {
	var stream []byte
	for n := int64(1); n <= 3; n++ {
		stream = append(stream, `event: x","n":not`+"\ndata: "...)
		stream = Append(stream, Stamp{Number: n, At: 1e15 + n})
		stream = append(stream, "}}\n\n"...)
	}
	for i := 0; i <= len(stream); i += 3 {
		for j := i; j <= len(stream); j++ {
			var kept []byte
			var got []int64
			for _, piece := range [][]byte{stream[:i], stream[i:j], stream[j:]} {
				b := append(kept, piece...)
				for {
					s, rest, ok := Scan(b)
					if !ok {
						kept = bytes.Clone(rest)
						break
					}
					if s.At != 1e15+s.Number {
						t.Fatalf("cut at %d and %d: %+v", i, j, s)
					}
					got, b = append(got, s.Number), rest
				}
				if len(kept) >= StampSize {
					t.Fatalf("cut at %d and %d: %d bytes are kept", i, j, len(kept))
				}
			}
			if len(got) != 3 || got[0] != 1 || got[1] != 2 || got[2] != 3 {
				t.Fatalf("cut at %d and %d: got %v", i, j, got)
			}
		}
	}
}

func BenchmarkScan(b *testing.B) {
	stream := append([]byte("id: 1\ndata: "), Append(nil, Stamp{Number: 1, At: 1})...)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := Scan(stream); !ok {
			b.Fatal("no stamp")
		}
	}
}
