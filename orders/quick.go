package orders

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// Quick reads orders as [Decode] does, several times as fast and without memory
// of its own for each: FuzzQuick holds the two together. It expects what nearly
// all records are, the bytes that [AppendJSON] writes for an order of plain
// texts, with the order's own fields in that order or another, and hands
// everything else to Decode: white space, escapes, lines and places whose fields
// are in another order, what is at fault. It remembers places, because orders come
// from and go to the same few thousand cities again and again.
//
// A Quick is for one goroutine.
type Quick struct {
	places []*rawPlace // by hash, see place
	number uint32      // of the last place

	day  [len("2006-01-02")]byte // the date read last, and where it begins
	dayT Time
}

const (
	// rememberedPlaces is how many places a Quick remembers at most.
	rememberedPlaces = 1 << 14
	// placeWays is in how many slots from its hash on a place is looked for. With one,
	// of two thousand places every ninth had its slot taken from it again and again,
	// and to read a place anew costs as much as the rest of the order.
	placeWays = 8
)

// rawPlace is a place and the JSON that it was read from.
type rawPlace struct {
	KnownPlace
	json string
}

// NewQuick returns a Quick that remembers nothing yet.
func NewQuick() *Quick { return &Quick{places: make([]*rawPlace, rememberedPlaces)} }

// Read fills o with the order that b holds, and validates it. The error is an
// *[Invalid]; then o holds nothing of use. o refers to b.
func (q *Quick) Read(b []byte, o *Raw) error {
	if len(b) <= MaxRecordBytes && (q.read(b, o) || q.readAny(b, o)) {
		return nil
	}
	order, err := Decode(b)
	if err != nil {
		return err
	}
	o.set(order)
	return nil
}

// read reports whether b is of the usual form; only then is o complete.
func (q *Quick) read(b []byte, o *Raw) bool {
	r := quickReader{b: b}
	r.expect(`{"v":1,"id":"`)
	o.ID = r.id()
	r.expect(`","at":"`)
	o.At = q.time(&r)
	r.expect(`","shop":"`)
	o.Shop = r.id()
	r.expect(`","shopper":"`)
	o.Shopper = r.id()
	r.expect(`","currency":"`)
	o.Currency = r.letters(3)
	r.expect(`","amount":`)
	o.Amount = r.whole(MaxAmount)
	r.expect(`,"lines":[`)
	o.Lines = r.lines(o.Lines[:0])
	r.expect(`],"from":`)
	o.From = q.place(&r)
	r.expect(`,"to":`)
	o.To = q.place(&r)
	r.expect(`,"mass_g":`)
	o.MassG = r.whole(MaxMassG)
	r.expect(`}`)
	return !r.other && r.i == len(b)
}

// readAny is read for an order whose own fields may be in any order.
func (q *Quick) readAny(b []byte, o *Raw) bool {
	r := quickReader{b: b}
	var seen fields
	r.expect(`{`)
	for {
		field := q.field(&r, o)
		if r.other || field == 0 || seen&field != 0 || r.i == len(b) {
			return false
		}
		seen |= field
		r.i++
		switch b[r.i-1] {
		case ',':
		case '}':
			return seen == orderFields && r.i == len(b)
		default:
			return false
		}
	}
}

// field reads a field of the order and says which, 0 if it is none.
func (q *Quick) field(r *quickReader, o *Raw) fields {
	r.expect(`"`)
	name := r.id()
	r.expect(`":`)
	switch string(name) {
	case "v":
		r.expect(`1`)
		return fieldVersion
	case "id":
		o.ID = r.quoted()
		return fieldID
	case "at":
		r.expect(`"`)
		o.At = q.time(r)
		r.expect(`"`)
		return fieldAt
	case "shop":
		o.Shop = r.quoted()
		return fieldShop
	case "shopper":
		o.Shopper = r.quoted()
		return fieldShopper
	case "currency":
		r.expect(`"`)
		o.Currency = r.letters(3)
		r.expect(`"`)
		return fieldCurrency
	case "amount":
		o.Amount = r.whole(MaxAmount)
		return fieldAmount
	case "lines":
		r.expect(`[`)
		o.Lines = r.lines(o.Lines[:0])
		r.expect(`]`)
		return fieldLines
	case "from":
		o.From = q.place(r)
		return fieldFrom
	case "to":
		o.To = q.place(r)
		return fieldTo
	case "mass_g":
		o.MassG = r.whole(MaxMassG)
		return fieldMass
	}
	return 0
}

// quickReader reads one record. Once it meets what it does not expect, other is
// set and what it returns means nothing.
type quickReader struct {
	b     []byte
	i     int
	other bool
}

// expect consumes s, which must come next.
func (r *quickReader) expect(s string) {
	end := r.i + len(s)
	if end > len(r.b) || string(r.b[r.i:end]) != s {
		r.other = true
		return
	}
	r.i = end
}

// lines reads lines up to the bracket after them.
func (r *quickReader) lines(lines []RawLine) []RawLine {
	for len(lines) < MaxLines {
		var l RawLine
		r.expect(`{"product":"`)
		l.Product = r.id()
		r.expect(`","units":`)
		l.Units = r.whole(MaxUnits)
		r.expect(`,"amount":`)
		l.Amount = r.whole(MaxAmount)
		r.expect(`}`)
		lines = append(lines, l)
		if r.other || r.i == len(r.b) || r.b[r.i] != ',' {
			return lines
		}
		r.i++
	}
	r.other = true
	return lines
}

// id reads an id up to the quote after it: 1 to MaxIDBytes of printable ASCII
// without a quote or backslash.
func (r *quickReader) id() []byte {
	start := r.i
	i := start
	for i+8 <= len(r.b) {
		if n := plainBytes(binary.LittleEndian.Uint64(r.b[i:])); n < 8 {
			i += n
			return r.endID(start, i)
		}
		i += 8
	}
	for i < len(r.b) && r.b[i] != '"' {
		if c := r.b[i]; c < ' ' || c >= 0x7f || c == '\\' {
			break
		}
		i++
	}
	return r.endID(start, i)
}

// quoted reads an id with its quotes.
func (r *quickReader) quoted() []byte {
	r.expect(`"`)
	s := r.id()
	r.expect(`"`)
	return s
}

func (r *quickReader) endID(start, end int) []byte {
	if n := end - start; n == 0 || n > MaxIDBytes || end == len(r.b) || r.b[end] != '"' {
		r.other = true
		return nil
	}
	r.i = end
	return r.b[start:end:end]
}

// plainBytes returns how many of the eight bytes of w, the lowest first, come
// before one that is no printable ASCII, or a quote, or a backslash: 8 if none.
// It looks at all eight at once (Mycroft's test for a zero byte): a byte's high
// bit ends up set if the byte is below a bound or differs from none of those
// excluded; the lowest such bit is exact, higher ones may be borrowed into.
func plainBytes(w uint64) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
	found := (w-ones*' ')&^w | (quote-ones)&^quote | (backslash-ones)&^backslash | (del-ones)&^del | w
	return bits.TrailingZeros64(found&high) / 8
}

// letters reads n capital letters.
func (r *quickReader) letters(n int) []byte {
	end := r.i + n
	if end > len(r.b) {
		r.other = true
		return nil
	}
	s := r.b[r.i:end:end]
	for _, c := range s {
		if !isUpper(c) {
			r.other = true
		}
	}
	r.i = end
	return s
}

// whole reads a whole number from 0 to most, which has at most 18 digits. That
// no fraction or exponent follows shows in what is expected next.
func (r *quickReader) whole(most int64) int64 {
	const mostDigits = 18
	start, n := r.i, int64(0)
	i := start
	for i < len(r.b) && isDigit(r.b[i]) && i-start < mostDigits {
		n = n*10 + int64(r.b[i]-'0')
		i++
	}
	if i == start || n > most || r.b[start] == '0' && i > start+1 {
		r.other = true
	}
	r.i = i
	return n
}

// time reads a time in the form that livemap writes.
func (q *Quick) time(r *quickReader) Time {
	end := r.i + len(timeExample)
	if r.other || end > len(r.b) {
		r.other = true
		return 0
	}
	b := r.b[r.i:end]
	r.i = end
	if string(b[:len(q.day)]) == string(q.day[:]) {
		if t, ok := clockTime(b[len(q.day):]); ok {
			return q.dayT + t
		}
	}
	t, ok := parsePlainTime(b)
	if !ok {
		r.other = true
		return 0
	}
	copy(q.day[:], b)
	q.dayT = t - (t%millisPerDay+millisPerDay)%millisPerDay
	return t
}

const millisPerDay = 86_400_000

// clockTime reads "T00:00:00.123Z" as milliseconds of the day.
func clockTime(b []byte) (Time, bool) {
	if len(b) != 14 || b[0] != 'T' || b[3] != ':' || b[6] != ':' || b[9] != '.' || b[13] != 'Z' {
		return 0, false
	}
	hour, minute, second := twoDigits(b[1], b[2]), twoDigits(b[4], b[5]), twoDigits(b[7], b[8])
	tens, ones := twoDigits('0', b[10]), twoDigits(b[11], b[12])
	if hour > 23 || minute > 59 || second > 59 || tens > 9 || ones > 99 {
		return 0, false
	}
	return Time(((hour*60+minute)*60+second)*1000 + tens*100 + ones), true
}

// twoDigits returns the number of two digits, more than 99 if they are none.
func twoDigits(a, b byte) uint32 {
	x, y := uint32(a-'0'), uint32(b-'0') // a byte below '0' wraps around
	if x > 9 || y > 9 {
		return 100
	}
	return x*10 + y
}

// place reads a place. One that is remembered is known by its bytes, brace and
// all, so that its end need not be looked for. A new one gets the first free slot of
// those in which it is looked for, or takes the first of them from another.
func (q *Quick) place(r *quickReader) *KnownPlace {
	if r.other || len(r.b)-r.i < placeHashed {
		r.other = true // a place and the mass after it have more
		return nil
	}
	rest := r.b[r.i:]
	first := placeHash(rest)
	slot := &q.places[first%rememberedPlaces]
	for way := range uint64(placeWays) {
		at := &q.places[(first+way)%rememberedPlaces]
		known := *at
		if known == nil {
			slot = at
			break
		}
		if len(rest) >= len(known.json) && string(rest[:len(known.json)]) == known.json {
			r.i += len(known.json)
			return &known.KnownPlace
		}
	}
	return q.newPlace(r, slot)
}

// newPlace reads and remembers a place, which ends at the next brace unless a text
// of it holds one: then what is cut off there is no place.
func (q *Quick) newPlace(r *quickReader, slot **rawPlace) *KnownPlace {
	n := bytes.IndexByte(r.b[r.i:], '}') + 1
	raw := r.b[r.i : r.i+n]
	r.i += n
	p, ok := decodePlace(raw)
	if !ok {
		r.other = true
		return nil
	}
	known := &rawPlace{KnownPlace: KnownPlace{Place: p}, json: string(raw)}
	if q.number < math.MaxUint32 { // after 4 billion places, they have no numbers
		q.number++
		known.Number = q.number
	}
	*slot = known
	return &known.KnownPlace
}

// placeHashed is how many bytes of a place placeHash looks at.
const placeHashed = 33

// placeHash looks at 24 bytes from where the city begins, which nearly always
// have the country too; whether it is the same place is decided by all bytes.
func placeHash(raw []byte) uint64 {
	const city = len(`{"city":"`)
	raw = raw[city:placeHashed]
	h := binary.LittleEndian.Uint64(raw) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ binary.LittleEndian.Uint64(raw[8:])) * 0xd6e8feb86659fd93
	h = (h ^ h>>32 ^ binary.LittleEndian.Uint64(raw[16:])) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

// decodePlace reads and validates a place that is all of raw.
func decodePlace(raw []byte) (Place, bool) {
	d := decoder{scanner: scanner{b: raw}, line: -1}
	p := d.readPlace("from")
	return p, d.bad == "" && d.fault == nil && d.i == len(raw) && p.check("from") == nil
}
