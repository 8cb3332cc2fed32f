package orders

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestTimeAgreesWithStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		at := minTime + Time(r.Int64N(int64(maxTime-minTime)+1))
		want := at.Std().Format("2006-01-02T15:04:05.000Z")
		if got := at.String(); got != want {
			t.Fatalf("%d is written %s, want %s", int64(at), got, want)
		}
		if got, ok := parsePlainTime([]byte(want)); !ok || got != at {
			t.Fatalf("%s is read as %d, %v, want %d", want, int64(got), ok, int64(at))
		}
	}
}

func TestParseTime(t *testing.T) {
	tests := []struct {
		in   string
		want Time
		ok   bool
	}{
		{"1970-01-01T00:00:00.000Z", 0, true},
		{"1970-01-01T00:00:00Z", 0, true},
		{"1970-01-01T01:00:00+01:00", 0, true},
		{"1969-12-31T23:59:59.9999Z", -1, true}, // rounded down
		{"2000-02-29T00:00:00.000Z", 951782400000, true},
		{"0000-01-01T00:00:00.000Z", minTime, true},
		{"0000-02-29T23:59:59.000Z", minTime + 60*86_400_000 - 1000, true},
		{"9999-12-31T23:59:59.999Z", maxTime, true},
		{"1900-02-29T00:00:00.000Z", 0, false},
		{"2026-13-01T00:00:00.000Z", 0, false},
		{"2026-00-01T00:00:00.000Z", 0, false},
		{"2026-01-00T00:00:00.000Z", 0, false},
		{"2026-01-01T24:00:00.000Z", 0, false},
		{"2026-01-01T00:60:00.000Z", 0, false},
		{"2026-01-01T00:00:60.000Z", 0, false},
		{"2026-01-01T00:00:00,000Z", 0, false},
		{"2026-01-01T0:00:00Z", 0, false},
		{"2026-01-01T00:00:00+24:00", 0, false},
		{"2026-01-01T00:00:00+00:60", 0, false},
		{"2026-01-01T00:00:00.5-23:59", 1767312000000 - 60_000 + 500, true},
		{"2026-01-01 00:00:00.000Z", 0, false},
		{"2026-01-01T00:00:00.000", 0, false},
		{"0000-01-01T00:00:00+01:00", 0, false},
		{"9999-12-31T23:59:59-01:00", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		got, err := ParseTime(tt.in)
		if (err == nil) != tt.ok || (tt.ok && got != tt.want) {
			t.Errorf("ParseTime(%q) = %d, %v, want %d, %v", tt.in, int64(got), err, int64(tt.want), tt.ok)
		}
	}
}

func TestTimeJSON(t *testing.T) {
	at := TimeOf(time.Date(2026, 11, 27, 0, 0, 0, 123_999_999, time.UTC))
	b, err := at.MarshalJSON()
	if err != nil || string(b) != `"2026-11-27T00:00:00.123Z"` {
		t.Fatalf("MarshalJSON = %s, %v", b, err)
	}
	var back Time
	if err := back.UnmarshalJSON(b); err != nil || back != at {
		t.Errorf("UnmarshalJSON(%s) = %v, %v", b, back, err)
	}
	if err := back.UnmarshalJSON([]byte(`1764201600`)); err == nil {
		t.Error("UnmarshalJSON took a number")
	}
	if got := at.Add(1500 * time.Millisecond).Sub(at); got != 1500*time.Millisecond {
		t.Errorf("Add and Sub differ: %v", got)
	}
}
