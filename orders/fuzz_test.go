package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// reference decodes with encoding/json and shares nothing with Decode but the
// ranges of values. It returns nil and the reason if in is no order.
func reference(in []byte) (*Order, Reason) {
	if len(in) > MaxRecordBytes {
		return nil, TooLarge
	}
	if !utf8.Valid(in) || !json.Valid(in) || loneSurrogate(in) || depth(in) > maxDepth {
		return nil, Malformed
	}
	if first := bytes.TrimLeft(in, " \t\r\n"); first[0] != '{' {
		return nil, Malformed
	}
	var (
		o     Order
		ok    = true
		v     int64
		seen  = make(map[string]bool)
		whole = func(raw json.RawMessage) (n int64) { return wholeNumber(raw, &ok) }
	)
	members(in, &ok, func(key string, raw json.RawMessage) {
		seen[key] = true
		switch key {
		case "v":
			vOK := true
			v = wholeNumber(raw, &vOK)
		case "id":
			o.ID = stringOf(raw, &ok)
		case "at":
			t, err := ParseTime(stringOf(raw, &ok))
			o.At, ok = t, ok && err == nil
		case "shop":
			o.Shop = stringOf(raw, &ok)
		case "shopper":
			o.Shopper = stringOf(raw, &ok)
		case "currency":
			o.Currency = stringOf(raw, &ok)
		case "amount":
			o.Amount = whole(raw)
		case "lines":
			o.Lines = referenceLines(raw, &ok)
		case "from":
			o.From = referencePlace(raw, &ok)
		case "to":
			o.To = referencePlace(raw, &ok)
		case "mass_g":
			o.MassG = whole(raw)
		}
	})
	if v != 1 {
		return nil, Version
	}
	for _, key := range []string{"id", "at", "shop", "shopper", "currency", "amount", "lines", "from", "to", "mass_g"} {
		ok = ok && seen[key]
	}
	if !ok || o.Validate() != nil {
		return nil, Field
	}
	return &o, ""
}

// members calls f with each key and value of an object, twice where it occurs
// twice, with keys exactly as they are.
func members(raw json.RawMessage, ok *bool, f func(key string, raw json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		*ok = false
		return
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			panic("encoding/json found this valid before: " + err.Error())
		}
		f(key.(string), value)
	}
}

func stringOf(raw json.RawMessage, ok *bool) (s string) {
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		*ok = false
	}
	return s
}

func wholeNumber(raw json.RawMessage, ok *bool) (n int64) {
	if json.Unmarshal(raw, &n) != nil || raw[0] == 'n' || n > 999_999_999_999_999_999 || n < -999_999_999_999_999_999 {
		*ok = false
	}
	return n
}

func floatOf(raw json.RawMessage, ok *bool) (f float64) {
	if json.Unmarshal(raw, &f) != nil || raw[0] == 'n' {
		*ok = false
	}
	return f
}

func referenceLines(raw json.RawMessage, ok *bool) []Line {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil || raw[0] == 'n' || len(all) > MaxLines {
		*ok = false
		return nil
	}
	lines := make([]Line, len(all))
	for i, raw := range all {
		l, seen := &lines[i], make(map[string]bool)
		members(raw, ok, func(key string, raw json.RawMessage) {
			seen[key] = true
			switch key {
			case "product":
				l.Product = stringOf(raw, ok)
			case "units":
				l.Units = wholeNumber(raw, ok)
			case "amount":
				l.Amount = wholeNumber(raw, ok)
			}
		})
		*ok = *ok && seen["product"] && seen["units"] && seen["amount"]
	}
	return lines
}

func referencePlace(raw json.RawMessage, ok *bool) (p Place) {
	seen := make(map[string]bool)
	members(raw, ok, func(key string, raw json.RawMessage) {
		seen[key] = true
		switch key {
		case "city":
			p.City = stringOf(raw, ok)
		case "country":
			p.Country = stringOf(raw, ok)
		case "lat":
			p.Lat = floatOf(raw, ok)
		case "lon":
			p.Lon = floatOf(raw, ok)
		}
	})
	*ok = *ok && seen["country"] && seen["lat"] && seen["lon"]
	return p
}

// loneSurrogate says whether a \u escape of valid JSON is half of a pair;
// encoding/json reads U+FFFD instead.
func loneSurrogate(in []byte) bool {
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			continue
		}
		if i++; in[i] != 'u' {
			continue
		}
		r := escaped(in[i+1:])
		i += 4
		if !utf16.IsSurrogate(r) {
			continue
		}
		if i+6 >= len(in) || in[i+1] != '\\' || in[i+2] != 'u' || utf16.DecodeRune(r, escaped(in[i+3:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

func escaped(in []byte) rune {
	n, err := strconv.ParseUint(string(in[:4]), 16, 16)
	if err != nil {
		panic("encoding/json found this valid before: " + err.Error())
	}
	return rune(n)
}

// depth counts the objects and arrays within each other.
func depth(in []byte) int {
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	deep, deepest := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return deepest
		}
		if err != nil {
			panic(err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			deep++
			deepest = max(deepest, deep)
		case json.Delim('}'), json.Delim(']'):
			deep--
		}
	}
}

func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	g := string(goldenBytes(f))
	for _, change := range []struct{ old, new string }{
		{`5297`, `5297.0`}, {`5297`, `-0`}, {`5297`, `1e2`}, {`5297`, `9999999999999999999`}, {`5297`, `05297`},
		{`"amount":5297`, `"amount":null,"amount":5297`}, {`"amount"`, `"\u0061mount"`}, {`"amount"`, `"Amount"`},
		{`-1.2833`, `-1.28330000000000000001`}, {`-1.2833`, `1E-400`}, {`-1.2833`, `1e400`}, {`-1.2833`, `-0.0`}, {`-1.2833`, `123456789012345`},
		{`Nairobi`, `\ud83d\ude00`}, {`Nairobi`, `\ud83d`}, {`Nairobi`, `\ude00\ud83d`}, {`Nairobi`, "\xff"}, {`Nairobi`, `\u0000`}, {`Nairobi`, `\/\b\f`},
		{`00:00:00.123Z`, `00:00:00.5+23:59`}, {`00:00:00.123Z`, `00:00:60.000Z`}, {`2026`, `0000`},
		{`"v":1`, `"x":[[[[[[[[{}]]]]]]]],"v":1`}, {`"v":1`, `"v":1.0`}, {`"v":1`, `"v":1,"v":2`},
		{`"lines":[`, `"lines":[],"lines":[`}, {`"lines":[`, `"lines":[null,`}, {`"from":{`, `"from":{"lat":"x"},"from":{`},
		{`,"mass_g":1240}`, `}`}, {`1240}`, `1240} x`}, {`1240}`, `1240,}`}, {`:`, " :\t"}, {`"shopper":"c004211"`, `"shopper":{"a":[1,2,{"b":"c"}]}`},
	} {
		f.Add([]byte(strings.Replace(g, change.old, change.new, 1)))
	}
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`null`))
	f.Add([]byte(``))
	f.Add([]byte(strings.Repeat(`[`, 50)))
	f.Add([]byte(`{"x":` + strings.Repeat(`[`, 31) + strings.Repeat(`]`, 31) + `}`))
	f.Add([]byte(`{"x":` + strings.Repeat(`[`, 32) + strings.Repeat(`]`, 32) + `}`))
}

// FuzzDecode compares acceptance, reason and values with encoding/json, and
// checks that what is accepted can be written and read again.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		want, reason := reference(in)
		before := bytes.Clone(in)
		got, err := Decode(in)
		if !bytes.Equal(in, before) {
			t.Fatal("Decode changed its input")
		}
		if want == nil {
			var invalid *Invalid
			if !errors.As(err, &invalid) || invalid.Reason != reason {
				t.Fatalf("got %v, want reason %s", err, reason)
			}
			if (invalid.Field != "") != (reason == Field || reason == Version) || len(err.Error()) > 500 {
				t.Fatalf("error %v of reason %s has field %q", err, reason, invalid.Field)
			}
			return
		}
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if math.Signbit(want.To.Lat) != math.Signbit(got.To.Lat) {
			t.Fatal("signs of zero differ")
		}
		written := AppendJSON(nil, got)
		if !json.Valid(written) {
			t.Fatalf("AppendJSON wrote what is no JSON: %s", written)
		}
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("written as %s: %v", written, err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("read again (-first +again):\n%s", diff)
		}
	})
}

// FuzzParseTime compares the quick reading of times with the standard library's.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{timeExample, "2000-02-29T23:59:59.999Z", "1900-02-29T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "2026-11-27T00:00:00.123+01:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quick, ok := parsePlainTime([]byte(s))
		if !ok {
			return
		}
		p, err := time.Parse(time.RFC3339, s)
		if std := TimeOf(p); err != nil || std != quick {
			t.Fatalf("%q is %d, the standard library says %d, %v", s, int64(quick), int64(std), err)
		}
		if quick.String() != s {
			t.Fatalf("%q is written %s", s, quick)
		}
	})
}
