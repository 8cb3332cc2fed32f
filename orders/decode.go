package orders

import (
	"fmt"
	"strconv"
)

// Decode reads an order from its JSON and validates it. The error is an
// *[Invalid]. The order does not refer to b.
//
// Fields may stand in any order; their names are case-sensitive. Of a field
// that occurs twice the last counts, but each must be of the right type.
// Unknown fields are ignored. Only the city of a place may be left out; null is
// no value of any field. Decode may be called from many goroutines.
func Decode(b []byte) (*Order, error) {
	if len(b) > MaxRecordBytes {
		return nil, &Invalid{Reason: TooLarge, Detail: fmt.Sprintf("has %d bytes, at most %d are allowed", len(b), MaxRecordBytes)}
	}
	o := new(Order)
	d := decoder{scanner: scanner{b: b}, o: o, line: -1}
	if e := d.order(); e != nil {
		return nil, e
	}
	return o, nil
}

// fields is a set of an object's fields: which ones have been seen.
type fields uint16

const (
	fieldVersion fields = 1 << iota
	fieldID
	fieldAt
	fieldShop
	fieldShopper
	fieldCurrency
	fieldAmount
	fieldLines
	fieldFrom
	fieldTo
	fieldMass
	fieldProduct
	fieldUnits
	fieldCountry
	fieldLat
	fieldLon

	orderFields = fieldVersion | fieldID | fieldAt | fieldShop | fieldShopper | fieldCurrency |
		fieldAmount | fieldLines | fieldFrom | fieldTo | fieldMass
	lineFields  = fieldProduct | fieldUnits | fieldAmount
	placeFields = fieldCountry | fieldLat | fieldLon
)

// names are those of the fields above, in the order of their bits.
var names = [...]string{
	"v", "id", "at", "shop", "shopper", "currency", "amount", "lines", "from", "to", "mass_g",
	"product", "units", "country", "lat", "lon",
}

// decoder fills an order in one pass. A field at fault is noted and the reading
// goes on, because a record that is not JSON at all is to be called malformed,
// whatever its fields look like.
type decoder struct {
	scanner
	o     *Order
	v     int64
	place string   // the place being read: "", "from" or "to"
	line  int      // the line being read, or -1
	fault *Invalid // the first field at fault
}

func (d *decoder) order() *Invalid {
	if d.kind() != object {
		return &Invalid{Reason: Malformed, Detail: "is not a JSON object"}
	}
	d.i++
	var seen fields
	for first := true; ; first = false {
		key, more := d.key(first)
		if !more {
			break
		}
		seen |= d.orderField(key)
	}
	if d.space(); d.i < len(d.b) {
		d.fail("more after the end of the object")
	}
	if d.bad != "" {
		return &Invalid{Reason: Malformed, Detail: d.bad}
	}
	if seen&fieldVersion == 0 {
		return &Invalid{Reason: Version, Field: "v", Detail: "is missing"}
	}
	if d.v != 1 {
		return &Invalid{Reason: Version, Field: "v", Detail: "is not 1"}
	}
	d.missing(orderFields &^ seen)
	if d.fault != nil {
		return d.fault
	}
	return d.o.check()
}

func (d *decoder) orderField(key []byte) fields {
	switch string(key) {
	case "v":
		d.v = d.version()
		return fieldVersion
	case "id":
		d.o.ID = d.text("id")
		return fieldID
	case "at":
		d.o.At = d.time("at")
		return fieldAt
	case "shop":
		d.o.Shop = d.text("shop")
		return fieldShop
	case "shopper":
		d.o.Shopper = d.text("shopper")
		return fieldShopper
	case "currency":
		d.o.Currency = d.currency()
		return fieldCurrency
	case "amount":
		d.o.Amount = d.whole("amount")
		return fieldAmount
	case "lines":
		d.lines()
		return fieldLines
	case "from":
		d.o.From = d.readPlace("from")
		return fieldFrom
	case "to":
		d.o.To = d.readPlace("to")
		return fieldTo
	case "mass_g":
		d.o.MassG = d.whole("mass_g")
		return fieldMass
	default:
		d.skip(1)
		return 0
	}
}

func (d *decoder) lines() {
	if d.kind() != array {
		d.mistyped("lines", "an array")
		return
	}
	d.i++
	// Most orders have few lines: they are gathered here and copied once, at
	// their exact number.
	var few [8]Line
	lines := few[:0]
	for first := true; d.element(first); first = false {
		if len(lines) == MaxLines {
			d.line = -1
			d.wrong("lines", fmt.Sprintf("are more than %d", MaxLines))
			d.skip(2)
			continue
		}
		d.line = len(lines)
		lines = append(lines, d.readLine())
	}
	d.line = -1
	d.o.Lines = append(make([]Line, 0, len(lines)), lines...)
}

func (d *decoder) readLine() (l Line) {
	if d.kind() != object {
		d.mistyped("", "an object")
		return l
	}
	d.i++
	var seen fields
	for first := true; ; first = false {
		key, more := d.key(first)
		if !more {
			break
		}
		switch string(key) {
		case "product":
			l.Product = d.text("product")
			seen |= fieldProduct
		case "units":
			l.Units = d.whole("units")
			seen |= fieldUnits
		case "amount":
			l.Amount = d.whole("amount")
			seen |= fieldAmount
		default:
			d.skip(3)
		}
	}
	d.missing(lineFields &^ seen)
	return l
}

func (d *decoder) readPlace(name string) (p Place) {
	d.place = name
	defer func() { d.place = "" }()
	if d.kind() != object {
		d.mistyped("", "an object")
		return p
	}
	d.i++
	var seen fields
	for first := true; ; first = false {
		key, more := d.key(first)
		if !more {
			break
		}
		switch string(key) {
		case "city":
			p.City = d.text("city")
		case "country":
			p.Country = d.country()
			seen |= fieldCountry
		case "lat":
			p.Lat = d.degrees("lat")
			seen |= fieldLat
		case "lon":
			p.Lon = d.degrees("lon")
			seen |= fieldLon
		default:
			d.skip(2)
		}
	}
	d.missing(placeFields &^ seen)
	return p
}

// missing notes the first of the required fields that have not been seen.
func (d *decoder) missing(absent fields) {
	for i := range names {
		if absent&(1<<i) != 0 {
			d.wrong(names[i], "is missing")
			return
		}
	}
}

// wrong notes that a field is at fault. An empty name means the line or place
// itself.
func (d *decoder) wrong(name, detail string) {
	if d.fault != nil || d.bad != "" {
		return
	}
	prefix := d.place
	if d.line >= 0 {
		prefix = "lines[" + strconv.Itoa(d.line) + "]"
	}
	if prefix != "" && name != "" {
		prefix += "."
	}
	d.fault = wrong(prefix+name, detail)
}

// mistyped notes that the value of a field is not what it has to be, and
// consumes it.
func (d *decoder) mistyped(name, want string) {
	d.wrong(name, "is not "+want)
	depth := 1
	if d.place != "" {
		depth = 2
	} else if d.line >= 0 {
		depth = 3
	}
	d.skip(depth)
}
