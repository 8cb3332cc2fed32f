package orders

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends o as one JSON object, its fields in the order of the
// format's description. o must satisfy [Order.Validate]; [Decode] then returns
// the same order.
func AppendJSON(b []byte, o *Order) []byte {
	b = append(b, `{"v":1,"id":`...)
	b = appendString(b, o.ID)
	b = append(b, `,"at":"`...)
	b = o.At.Append(b)
	b = append(b, `","shop":`...)
	b = appendString(b, o.Shop)
	b = append(b, `,"shopper":`...)
	b = appendString(b, o.Shopper)
	b = append(b, `,"currency":`...)
	b = appendString(b, o.Currency)
	b = append(b, `,"amount":`...)
	b = strconv.AppendInt(b, o.Amount, 10)
	b = append(b, `,"lines":[`...)
	for i := range o.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendLine(b, &o.Lines[i])
	}
	b = append(b, `],"from":`...)
	b = appendPlace(b, &o.From)
	b = append(b, `,"to":`...)
	b = appendPlace(b, &o.To)
	b = append(b, `,"mass_g":`...)
	b = strconv.AppendInt(b, o.MassG, 10)
	return append(b, '}')
}

func appendLine(b []byte, l *Line) []byte {
	b = append(b, `{"product":`...)
	b = appendString(b, l.Product)
	b = append(b, `,"units":`...)
	b = strconv.AppendInt(b, l.Units, 10)
	b = append(b, `,"amount":`...)
	b = strconv.AppendInt(b, l.Amount, 10)
	return append(b, '}')
}

func appendPlace(b []byte, p *Place) []byte {
	b = append(b, `{"city":`...)
	b = appendString(b, p.City)
	b = append(b, `,"country":`...)
	b = appendString(b, p.Country)
	b = append(b, `,"lat":`...)
	b = appendDegrees(b, p.Lat)
	b = append(b, `,"lon":`...)
	b = appendDegrees(b, p.Lon)
	return append(b, '}')
}

// appendDegrees writes the shortest digits that read back as f. Numbers next to
// zero get an exponent, which keeps any degree below 30 bytes.
func appendDegrees(b []byte, f float64) []byte {
	if f != 0 && math.Abs(f) < 1e-6 {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendString quotes s after RFC 8259, section 7, and escapes nothing more than it must.
// What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[start:i]...)
			if c < ' ' {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				b = append(b, '\\', c)
			}
			start = i + 1
		}
		i++
	}
	return append(append(b, s[start:]...), '"')
}
