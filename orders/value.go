package orders

import (
	"math"
	"strconv"
)

// The methods here read the value of one field each: name is the field's, for
// the note if the value is not of its type.

func (d *decoder) version() int64 {
	if d.kind() != number {
		d.skip(1)
		return 0
	}
	n, _ := parseWhole(d.num())
	return n
}

func (d *decoder) text(name string) string {
	raw, escaped, ok := d.rawText(name)
	if !ok {
		return ""
	}
	if escaped {
		return string(unescape(raw))
	}
	return string(raw)
}

func (d *decoder) rawText(name string) (raw []byte, escaped, ok bool) {
	if d.kind() != text {
		d.mistyped(name, "a string")
		return nil, false, false
	}
	raw, escaped = d.str()
	return raw, escaped, d.bad == ""
}

func (d *decoder) time(name string) Time {
	raw, escaped, ok := d.rawText(name)
	if !ok {
		return 0
	}
	if escaped {
		raw = unescape(raw)
	}
	t, ok := parseTime(raw)
	if !ok {
		d.wrong(name, "is "+excerpt(raw)+", wants a time such as "+timeExample)
	}
	return t
}

// currency and country share the strings of common values instead of making
// two or three new ones for each order.
func (d *decoder) currency() string {
	raw, escaped, ok := d.rawText("currency")
	if !ok {
		return ""
	}
	switch string(raw) {
	case "USD":
		return "USD"
	case "EUR":
		return "EUR"
	}
	if escaped {
		raw = unescape(raw)
	}
	return string(raw)
}

func (d *decoder) country() string {
	raw, escaped, ok := d.rawText("country")
	if !ok {
		return ""
	}
	if len(raw) == 2 && isUpper(raw[0]) && isUpper(raw[1]) {
		i := 2 * (int(raw[0]-'A')*26 + int(raw[1]-'A'))
		return letterPairs[i : i+2]
	}
	if escaped {
		raw = unescape(raw)
	}
	return string(raw)
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// letterPairs is AAABAC…ZZ, of which every country code is a part.
var letterPairs = func() string {
	var b []byte
	for first := byte('A'); first <= 'Z'; first++ {
		for second := byte('A'); second <= 'Z'; second++ {
			b = append(b, first, second)
		}
	}
	return string(b)
}()

// whole reads a number that must be written without fraction and exponent, so
// that no reader has to round it.
func (d *decoder) whole(name string) int64 {
	if d.kind() != number {
		d.mistyped(name, "a whole number")
		return 0
	}
	raw, whole := d.num()
	n, ok := parseWhole(raw, whole)
	if !ok {
		d.wrong(name, "is "+excerpt(raw)+", wants a whole number of at most 18 digits without fraction and exponent")
	}
	return n
}

// parseWhole takes the results of scanner.num. It needs no more than 18 digits:
// all limits of an order are far below.
func parseWhole(raw []byte, whole bool) (int64, bool) {
	if !whole || len(raw) == 0 {
		return 0, false
	}
	digits, negative := raw, raw[0] == '-'
	if negative {
		digits = raw[1:]
	}
	if len(digits) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// degrees reads any JSON number.
func (d *decoder) degrees(name string) float64 {
	if d.kind() != number {
		d.mistyped(name, "a number")
		return 0
	}
	raw, _ := d.num()
	f, ok := parseDecimal(raw)
	if ok || d.bad != "" {
		return f
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		d.wrong(name, "is "+excerpt(raw)+", which is out of range")
	}
	return f
}

// parseDecimal reads a number of at most 15 digits without exponent, as
// coordinates are. The digits and the power of ten are exact in a float64, so
// that one division rounds correctly (Clinger 1990, the fast path of strconv).
func parseDecimal(raw []byte) (float64, bool) {
	const mostDigits = 15
	if len(raw) > mostDigits {
		return 0, false
	}
	var n int64
	point := len(raw)
	for i, c := range raw {
		switch {
		case isDigit(c):
			n = n*10 + int64(c-'0')
		case c == '.':
			point = i + 1
		case c != '-':
			return 0, false
		}
	}
	f := float64(n) / powersOfTen[len(raw)-point]
	if len(raw) > 0 && raw[0] == '-' {
		f = math.Copysign(f, -1)
	}
	return f, true
}

var powersOfTen = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
}
