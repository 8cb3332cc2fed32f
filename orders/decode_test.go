package orders

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is the order of testdata/order.json.
func golden() *Order {
	at, err := ParseTime("2026-11-27T00:00:00.123Z")
	if err != nil {
		panic(err)
	}
	return &Order{
		ID: "mi8x2k-3f", At: at, Shop: "s017", Shopper: "c004211", Currency: "USD", Amount: 5297,
		Lines: []Line{{Product: "p118", Units: 2, Amount: 3798}, {Product: "p006", Units: 1, Amount: 1499}},
		From:  Place{City: "Montréal", Country: "CA", Lat: 45.5088, Lon: -73.5878},
		To:    Place{City: "Nairobi", Country: "KE", Lat: -1.2833, Lon: 36.8167},
		MassG: 1240,
	}
}

func goldenBytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/order.json")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b)
}

func TestGolden(t *testing.T) {
	want := goldenBytes(t)
	if got := AppendJSON(nil, golden()); !bytes.Equal(got, want) {
		t.Errorf("AppendJSON:\n got %s\nwant %s", got, want)
	}
	o, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden(), o); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

// with returns the golden bytes with one part replaced.
func with(t testing.TB, old, new string) string {
	t.Helper()
	b := string(goldenBytes(t))
	if !strings.Contains(b, old) {
		t.Fatalf("golden order does not hold %s", old)
	}
	return strings.Replace(b, old, new, 1)
}

func TestDecodeAccepts(t *testing.T) {
	changed := func(f func(*Order)) *Order {
		o := golden()
		f(o)
		return o
	}
	tests := []struct {
		name, in string
		want     *Order
	}{
		{"white space", " \n" + with(t, `,"at":`, "\r\n\t, \"at\" : ") + "\n", golden()},
		{"unknown fields of every kind", with(t, `"id":`, `"x":{"a":[1,{"b":null}],"c":[]},"y":-1.5e+3,"z":[true,false,{}],"id":`), golden()},
		{"field in another case is unknown", with(t, `"amount":5297`, `"Amount":1,"amount":5297`), golden()},
		{"last of two counts", with(t, `"amount":5297`, `"amount":1,"amount":5297`), golden()},
		{"last lines count", with(t, `"lines":`, `"lines":[{"product":"x","units":1,"amount":1}],"lines":`), golden()},
		{"bad value that a later one replaces", with(t, `"amount":5297`, `"amount":-1,"amount":5297`), golden()},
		{"city left out", with(t, `"city":"Nairobi",`, ``), changed(func(o *Order) { o.To.City = "" })},
		{"zero amount and units", with(t, `"units":2,"amount":3798`, `"units":0,"amount":0`), changed(func(o *Order) { o.Lines[0].Units, o.Lines[0].Amount = 0, 0 })},
		{"minus zero", with(t, `"mass_g":1240`, `"mass_g":-0`), changed(func(o *Order) { o.MassG = 0 })},
		{"escapes", with(t, `"id":"mi8x2k-3f"`, `"\u0069d":"a\u00e9\ud83d\ude00\/\"\\"`), changed(func(o *Order) { o.ID = "aé😀/\"\\" })},
		{"time with an offset", with(t, `00:00:00.123Z`, `01:30:00.1239+01:30`), golden()},
		{"exponent in degrees", with(t, `36.8167`, `3.68167e1`), golden()},
		{"whole degrees", with(t, `36.8167`, `-180`), changed(func(o *Order) { o.To.Lon = -180 })},
		{"many digits in degrees", with(t, `36.8167`, `36.816700000000000000`), golden()},
		{"limits", with(t, `"amount":5297`, `"amount":10000000000000`), changed(func(o *Order) { o.Amount = MaxAmount })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Decode([]byte(tt.in))
			if err != nil {
				t.Fatalf("%v\nin %s", err, tt.in)
			}
			if diff := cmp.Diff(tt.want, o); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		reason   Reason
		field    string
	}{
		{"empty", "", Malformed, ""},
		{"array", "[]", Malformed, ""},
		{"null", "null", Malformed, ""},
		{"cut", with(t, `1240}`, `1240`), Malformed, ""},
		{"trailing", string(goldenBytes(t)) + "{}", Malformed, ""},
		{"NUL after the end", string(goldenBytes(t)) + "\x00", Malformed, ""},
		{"byte order mark", "\ufeff" + string(goldenBytes(t)), Malformed, ""},
		{"trailing comma", with(t, `1240}`, `1240,}`), Malformed, ""},
		{"leading zero", with(t, `1240}`, `01240}`), Malformed, ""},
		{"plus", with(t, `1240}`, `+1240}`), Malformed, ""},
		{"bare point", with(t, `36.8167`, `36.`), Malformed, ""},
		{"not UTF-8", with(t, `Nairobi`, "\xff"), Malformed, ""},
		{"overlong UTF-8", with(t, `Nairobi`, "\xc0\xaf"), Malformed, ""},
		{"lone surrogate", with(t, `Nairobi`, `\ud83d`), Malformed, ""},
		{"two high surrogates", with(t, `Nairobi`, `\ud83d\ud83d`), Malformed, ""},
		{"line break in a string", with(t, `Nairobi`, "Nai\nrobi"), Malformed, ""},
		{"escape unknown", with(t, `Nairobi`, `\x41`), Malformed, ""},
		{"malformed after a wrong field", with(t, `"amount":5297`, `"amount":"x",`), Malformed, ""},
		{"nested too deeply", with(t, `"id":`, `"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,"id":`), Malformed, ""},
		{"version 2", with(t, `"v":1`, `"v":2`), Version, "v"},
		{"version before fields", with(t, `"v":1,"id":"mi8x2k-3f"`, `"v":2`), Version, "v"},
		{"version text", with(t, `"v":1`, `"v":"1"`), Version, "v"},
		{"version 1.0", with(t, `"v":1`, `"v":1.0`), Version, "v"},
		{"version missing", with(t, `"v":1,`, ``), Version, "v"},
		{"empty object", "{}", Version, "v"},
		{"id missing", with(t, `"id":"mi8x2k-3f",`, ``), Field, "id"},
		{"id null", with(t, `"mi8x2k-3f"`, `null`), Field, "id"},
		{"id empty", with(t, `"mi8x2k-3f"`, `""`), Field, "id"},
		{"id with a line break", with(t, `"mi8x2k-3f"`, `"a\nb"`), Field, "id"},
		{"id with NUL", with(t, `"mi8x2k-3f"`, `"a\u0000b"`), Field, "id"},
		{"id with NEL", with(t, `"mi8x2k-3f"`, `"a\u0085b"`), Field, "id"},
		{"id too long", with(t, `"mi8x2k-3f"`, `"`+strings.Repeat("x", MaxIDBytes+1)+`"`), Field, "id"},
		{"at is no time", with(t, `2026-11-27T`, `2026-11-31T`), Field, "at"},
		{"at a number", with(t, `"2026-11-27T00:00:00.123Z"`, `1764201600`), Field, "at"},
		{"at in year 10000", with(t, `2026-11-27T00:00:00.123Z`, `9999-12-31T23:59:59-23:00`), Field, "at"},
		{"shop missing", with(t, `"shop":"s017",`, ``), Field, "shop"},
		{"shopper an object", with(t, `"c004211"`, `{"id":[]}`), Field, "shopper"},
		{"currency lower case", with(t, `USD`, `usd`), Field, "currency"},
		{"currency of four", with(t, `USD`, `USDT`), Field, "currency"},
		{"amount negative", with(t, `5297`, `-1`), Field, "amount"},
		{"amount 1.0", with(t, `5297`, `5297.0`), Field, "amount"},
		{"amount with exponent", with(t, `5297`, `5e3`), Field, "amount"},
		{"amount beyond int64", with(t, `5297`, `99999999999999999999`), Field, "amount"},
		{"amount too high", with(t, `5297`, `10000000000001`), Field, "amount"},
		{"no lines", with(t, `{"product":"p118","units":2,"amount":3798},{"product":"p006","units":1,"amount":1499}`, ``), Field, "lines"},
		{"lines an object", with(t, `"lines":[`, `"lines":{},"x":[`), Field, "lines"},
		{"line a number", with(t, `{"product":"p118","units":2,"amount":3798}`, `7`), Field, "lines[0]"},
		{"line without product", with(t, `"product":"p006",`, ``), Field, "lines[1].product"},
		{"units negative", with(t, `"units":2`, `"units":-2`), Field, "lines[0].units"},
		{"line amount text", with(t, `1499`, `"1499"`), Field, "lines[1].amount"},
		{"from missing", with(t, `"from":`, `"form":`), Field, "from"},
		{"to a string", with(t, `"to":`, `"to":"Nairobi","x":`), Field, "to"},
		{"country missing", with(t, `"country":"KE",`, ``), Field, "to.country"},
		{"country lower case", with(t, `"KE"`, `"ke"`), Field, "to.country"},
		{"country of three", with(t, `"CA"`, `"CAN"`), Field, "from.country"},
		{"city with a return", with(t, `Nairobi`, `Nairobi\r`), Field, "to.city"},
		{"latitude off the globe", with(t, `-1.2833`, `-90.0001`), Field, "to.lat"},
		{"longitude off the globe", with(t, `-73.5878`, `181`), Field, "from.lon"},
		{"latitude beyond a float64", with(t, `-1.2833`, `1e999`), Field, "to.lat"},
		{"mass negative", with(t, `1240`, `-1240`), Field, "mass_g"},
		{"mass missing", with(t, `,"mass_g":1240`, ``), Field, "mass_g"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Decode([]byte(tt.in))
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v and order %+v, want an *Invalid\nin %s", err, o, tt.in)
			}
			if invalid.Reason != tt.reason || invalid.Field != tt.field {
				t.Errorf("got reason %s field %q, want %s %q: %v", invalid.Reason, invalid.Field, tt.reason, tt.field, err)
			}
			if len(err.Error()) > 400 {
				t.Errorf("error of %d bytes: %v", len(err.Error()), err)
			}
		})
	}
}

func TestDecodeBounds(t *testing.T) {
	line := `{"product":"p","units":1,"amount":1}`
	lines := func(n int) string {
		return with(t, `"lines":[`, `"lines":[`+strings.Repeat(line+",", n-2))
	}
	if o, err := Decode([]byte(lines(MaxLines))); err != nil || len(o.Lines) != MaxLines {
		t.Errorf("%d lines: %v", MaxLines, err)
	}
	var invalid *Invalid
	_, err := Decode([]byte(lines(MaxLines + 1)))
	if !errors.As(err, &invalid) || invalid.Field != "lines" {
		t.Errorf("%d lines: %v", MaxLines+1, err)
	}
	padded := append(goldenBytes(t), bytes.Repeat([]byte(" "), MaxRecordBytes)...)
	if _, err := Decode(padded[:MaxRecordBytes]); err != nil {
		t.Errorf("record of %d bytes: %v", MaxRecordBytes, err)
	}
	_, err = Decode(padded[:MaxRecordBytes+1])
	if !errors.As(err, &invalid) || invalid.Reason != TooLarge {
		t.Errorf("record of %d bytes: %v", MaxRecordBytes+1, err)
	}
}

// TestDecodeCopies guards that an order outlives the buffer it was read from.
func TestDecodeCopies(t *testing.T) {
	b := goldenBytes(t)
	o, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 'x'
	}
	if diff := cmp.Diff(golden(), o); diff != "" {
		t.Errorf("order changed with the buffer (-want +got):\n%s", diff)
	}
}

func TestDecodeAllocations(t *testing.T) {
	b := goldenBytes(t)
	// The order, its lines, and seven strings: id, shop, shopper, two products,
	// two cities. Country and currency share theirs.
	const ceiling = 9
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Decode(b); err != nil {
			t.Fatal(err)
		}
	}); n > ceiling {
		t.Errorf("Decode makes %v allocations, at most %d are wanted", n, ceiling)
	}
	o, buf := golden(), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendJSON(buf[:0], o) }); n > 0 {
		t.Errorf("AppendJSON makes %v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	in := goldenBytes(b)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	o, buf := golden(), make([]byte, 0, 1024)
	for b.Loop() {
		buf = AppendJSON(buf[:0], o)
	}
}
