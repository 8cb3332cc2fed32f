package orders

import (
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Limits of an order. They keep a record, its parts and every sum that is made
// of them within bounds: at the highest amount, 900,000 orders fit into an
// int64.
const (
	MaxRecordBytes = 1 << 20 // of the JSON
	MaxIDBytes     = 128     // of an order's, shop's, shopper's or product's id
	MaxCityBytes   = 128
	MaxLines       = 1000
	MaxAmount      = 10_000_000_000_000 // minor units
	MaxUnits       = 1_000_000_000      // of one line
	MaxMassG       = 1_000_000_000      // grams
)

// Reason says why a record is no order. It is a metric label and the reason
// header of orders.dead.
type Reason string

const (
	Malformed Reason = "malformed" // not JSON in UTF-8, or not an object
	Version   Reason = "version"   // v is not 1
	Field     Reason = "field"     // a field is missing, of the wrong type or out of range
	TooLarge  Reason = "too_large" // more than MaxRecordBytes
)

// Invalid is the error of [Decode] and [Order.Validate].
type Invalid struct {
	Reason Reason
	Field  string // the field at fault, such as lines[2].units; empty for Malformed and TooLarge
	Detail string // for people; bounded
}

// Error returns the reason, the field and the detail in one line.
func (e *Invalid) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("order is invalid (%s): %s", e.Reason, e.Detail)
	}
	return fmt.Sprintf("order is invalid (%s): %s %s", e.Reason, e.Field, e.Detail)
}

// Validate returns the first rule that o breaks as an *[Invalid] with reason
// Field, or nil. Whether an order's time is believable and its currency known
// is for the aggregation to say.
func (o *Order) Validate() error {
	if e := o.check(); e != nil {
		return e
	}
	return nil
}

func (o *Order) check() *Invalid {
	switch {
	case !validID(o.ID):
		return invalidID("id", o.ID)
	case o.At < minTime || o.At > maxTime:
		return wrong("at", "is not within years 0 to 9999")
	case !validID(o.Shop):
		return invalidID("shop", o.Shop)
	case !validID(o.Shopper):
		return invalidID("shopper", o.Shopper)
	case !upperLetters(o.Currency, 3):
		return wrong("currency", "is "+excerpt([]byte(o.Currency))+", wants three letters A to Z")
	case o.Amount < 0 || o.Amount > MaxAmount:
		return outOfRange("amount", o.Amount, MaxAmount)
	case o.MassG < 0 || o.MassG > MaxMassG:
		return outOfRange("mass_g", o.MassG, MaxMassG)
	case len(o.Lines) == 0 || len(o.Lines) > MaxLines:
		return wrong("lines", fmt.Sprintf("are %d, wants 1 to %d", len(o.Lines), MaxLines))
	}
	for i := range o.Lines {
		if e := o.Lines[i].check(i); e != nil {
			return e
		}
	}
	if e := o.From.check("from"); e != nil {
		return e
	}
	return o.To.check("to")
}

func (l *Line) check(i int) *Invalid {
	switch {
	case !validID(l.Product):
		return invalidID(lineField(i, "product"), l.Product)
	case l.Units < 0 || l.Units > MaxUnits:
		return outOfRange(lineField(i, "units"), l.Units, MaxUnits)
	case l.Amount < 0 || l.Amount > MaxAmount:
		return outOfRange(lineField(i, "amount"), l.Amount, MaxAmount)
	}
	return nil
}

func (p *Place) check(field string) *Invalid {
	switch {
	case !validText(p.City, MaxCityBytes):
		return wrong(field+".city", fmt.Sprintf("is %s, wants at most %d bytes of UTF-8 without control characters",
			excerpt([]byte(p.City)), MaxCityBytes))
	case !upperLetters(p.Country, 2):
		return wrong(field+".country", "is "+excerpt([]byte(p.Country))+", wants two letters A to Z")
	case !(math.Abs(p.Lat) <= 90): // not so for NaN either
		return wrong(field+".lat", fmt.Sprintf("is %v, wants -90 to 90", p.Lat))
	case !(math.Abs(p.Lon) <= 180):
		return wrong(field+".lon", fmt.Sprintf("is %v, wants -180 to 180", p.Lon))
	}
	return nil
}

func wrong(field, detail string) *Invalid {
	return &Invalid{Reason: Field, Field: field, Detail: detail}
}

func invalidID(field, id string) *Invalid {
	if id == "" {
		return wrong(field, "is empty")
	}
	return wrong(field, fmt.Sprintf("is %s, wants at most %d bytes of UTF-8 without control characters",
		excerpt([]byte(id)), MaxIDBytes))
}

func outOfRange(field string, n, most int64) *Invalid {
	return wrong(field, fmt.Sprintf("is %d, wants 0 to %d", n, most))
}

func lineField(i int, name string) string {
	return "lines[" + strconv.Itoa(i) + "]." + name
}

// excerpt quotes the beginning of b for an error message.
func excerpt(b []byte) string {
	const most = 40
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + "…"
}

func validID(s string) bool { return s != "" && validText(s, MaxIDBytes) }

// validText refuses control characters: ids and cities end up in server-sent
// events, logs and Kafka keys, where a line break or a NUL would do harm.
func validText(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf {
			return validWideText(s[i:])
		} else if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func validWideText(s string) bool {
	for i, r := range s {
		if unicode.IsControl(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}

func upperLetters(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := 0; i < n; i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}
