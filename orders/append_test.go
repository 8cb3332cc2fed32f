package orders

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                `""`,
		`a"b\c`:           `"a\"b\\c"`,
		"\x00\n\x1f\x7f":  `"\u0000\u000a\u001f` + "\x7f" + `"`,
		"<é😀\u2028>":      `"<é😀` + "\u2028" + `>"`,
		"a\xffb\xc3":      "\"a\uFFFDb\uFFFD\"",
		"\uFFFD is valid": "\"\uFFFD is valid\"",
	} {
		got := string(appendString(nil, in))
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestAppendDegrees(t *testing.T) {
	for _, tt := range []struct {
		in   float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {-1.2833, "-1.2833"}, {180, "180"}, {1e-6, "0.000001"},
		{-5e-324, "-5e-324"}, {math.Nextafter(0.3, 1), "0.30000000000000004"},
	} {
		got := string(appendDegrees(nil, tt.in))
		if got != tt.want || !json.Valid([]byte(got)) || len(got) > 30 {
			t.Errorf("%v is written %s, want %s", tt.in, got, tt.want)
		}
	}
}

// TestValidateReachesAsFarAsDecode checks rules that a decoded order cannot
// break, but one that a program has made can.
func TestValidateReachesAsFarAsDecode(t *testing.T) {
	if err := golden().Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Order){
		"id":               func(o *Order) { o.ID = "a\xff" },
		"at":               func(o *Order) { o.At = maxTime + 1 },
		"shop":             func(o *Order) { o.Shop = "é\u0085" },
		"shopper":          func(o *Order) { o.Shopper = "" },
		"lines[1].product": func(o *Order) { o.Lines[1].Product = "\x7f" },
		"lines[0].units":   func(o *Order) { o.Lines[0].Units = MaxUnits + 1 },
		"lines[1].amount":  func(o *Order) { o.Lines[1].Amount = -1 },
		"from.city":        func(o *Order) { o.From.City = strings.Repeat("x", MaxCityBytes+1) },
		"from.lat":         func(o *Order) { o.From.Lat = math.NaN() },
		"to.lon":           func(o *Order) { o.To.Lon = math.Inf(-1) },
		"mass_g":           func(o *Order) { o.MassG = MaxMassG + 1 },
		"lines":            func(o *Order) { o.Lines = nil },
	} {
		o := golden()
		change(o)
		if err, ok := o.Validate().(*Invalid); !ok || err.Field != field || err.Reason != Field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	o := golden()
	o.ID = "\uFFFD" // the character itself is as good as any
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
