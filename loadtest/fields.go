package loadtest

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// eachField calls visit for each member of the JSON object b, with the raw
// bytes of its name (without quotes) and value, until visit returns false. It
// returns false when it meets what is not JSON on the way.
//
// It stands beside encoding/json because it runs for every event received: it
// allocates nothing, and stops where the caller knows enough, which in an
// envelope is before the value.
func eachField(b []byte, visit func(name, value []byte) bool) bool {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return true
	}
	for {
		end := skipString(b, i)
		if end < 0 {
			return false
		}
		name := b[i+1 : end-1]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return false
		}
		i = skipSpace(b, i+1)
		if end = skipValue(b, i); end < 0 {
			return false
		}
		if !visit(name, b[i:end]) {
			return true
		}
		i = skipSpace(b, end)
		if i >= len(b) {
			return false
		}
		if b[i] == '}' {
			return true
		}
		if b[i] != ',' {
			return false
		}
		i = skipSpace(b, i+1)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at i, or -1.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return -1
		}
		slashes := 0
		for j := i + k - 1; j >= i && b[j] == '\\'; j-- {
			slashes++
		}
		i += k + 1
		if slashes%2 == 0 {
			return i
		}
	}
	return -1
}

// skipValue returns the index behind the value that begins at i, or -1. What is
// inside brackets is matched, not checked.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; i < len(b); {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	start := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// text returns the string that the raw JSON value v holds; false if it is none.
// Only a string with escapes allocates.
func text(v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], true
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// integer reads a JSON number without fraction or exponent.
func integer(v []byte) (int64, bool) {
	negative := len(v) > 0 && v[0] == '-'
	if negative {
		v = v[1:]
	}
	if len(v) == 0 || len(v) > 19 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if n > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}

// instant reads a time of publication, in microseconds since the epoch: RFC
// 3339 in a string, or a number whose size tells seconds, milliseconds,
// microseconds and nanoseconds apart (each is right for the years 1973 to 5138).
func instant(v []byte) (int64, bool) {
	if n, ok := integer(v); ok {
		switch {
		case n < 0:
			return 0, false
		case n < 1e11:
			return n * 1e6, true
		case n < 1e14:
			return n * 1e3, true
		case n < 1e17:
			return n, true
		default:
			return n / 1e3, true
		}
	}
	s, ok := text(v)
	if !ok {
		return 0, false
	}
	if t, ok := plainInstant(s); ok {
		return t, true
	}
	var t time.Time
	if t.UnmarshalText(s) != nil {
		return 0, false
	}
	return t.UnixMicro(), true
}

// plainInstant reads the one form that livemap writes, such as
// 2026-11-27T00:00:00.000Z, several times faster than package time.
func plainInstant(s []byte) (int64, bool) {
	const form = "dddd-dd-ddTdd:dd:dd.dddZ"
	if len(s) != len(form) {
		return 0, false
	}
	for i, c := range s {
		if f := form[i]; f == 'd' && (c < '0' || c > '9') || f != 'd' && f != c {
			return 0, false
		}
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range s[from:to] {
			n = n*10 + int(c-'0')
		}
		return n
	}
	month, day := number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	t := time.Date(number(0, 4), time.Month(month), day, hour, minute, second, number(20, 23)*1e6, time.UTC)
	if t.Day() != day { // the month has no such day
		return 0, false
	}
	return t.UnixMicro(), true
}
