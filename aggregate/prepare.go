package aggregate

import (
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"livemap/orders"
)

// Prepared holds orders of one partition as far as they can be worked out
// without the state of an Aggregator, in the order of their offsets:
// several goroutines can prepare while one aggregates. It refers to the records
// it was made from until they have been added, see [Prepared.Busy].
type Prepared struct {
	orders   []prepared
	lines    []entryLine
	verdicts []Verdict

	placed []placed     // of the orders that were accepted
	handed int          // of placed: the lanes were told of those before
	lanes  atomic.Int32 // that are at work on them
}

// prepared is one order.
type prepared struct {
	offset     int64
	at         orders.Time
	dead       Verdict // DeadTime or DeadRate, otherwise Accepted
	country    int16   // of the destination, see countrySlot
	currency   [3]byte
	id         uint64 // hash of its id
	shopper    uint64 // hash of its shopper
	amount     int64  // as the order has it
	sums       sums
	cells      arcCells
	from, to   *orders.KnownPlace
	firstLine  int32
	afterLines int32
}

// entryLine is some units of a product.
type entryLine struct {
	product
	units int64
}

// Len returns how many orders there are.
func (p *Prepared) Len() int { return len(p.orders) }

// Verdicts returns what became of each order: after [Aggregator.AddPrepared].
func (p *Prepared) Verdicts() []Verdict { return p.verdicts }

// Offset returns the offset of the i-th order.
func (p *Prepared) Offset(i int) int64 { return p.orders[i].offset }

// Reset makes p empty and keeps its memory. What was in there is overwritten by
// the next orders; until then it may refer to records that are gone.
func (p *Prepared) Reset() {
	p.orders, p.lines, p.verdicts = p.orders[:0], p.lines[:0], p.verdicts[:0]
	clear(p.placed) // panes are let go of
	p.placed, p.handed = p.placed[:0], 0
}

// Busy reports whether adding the orders still goes on, see [Aggregator.Share].
// Until it does not, neither p nor what it refers to may be changed.
func (p *Prepared) Busy() bool { return p.lanes.Load() > 0 }

// Preparer prepares orders. It remembers what it has worked out for places and
// days of exchange rates, and is for one goroutine; any number of them give the
// same results. It does not remember distances: among a few thousand places there
// are millions of pairs, and to wait for memory takes longer than to work one out.
type Preparer struct {
	money *converter
	spots []knownSpot // by a place's number
}

// knownSpot is what is worked out of one place.
type knownSpot struct {
	point
	number   uint32 // 0: free
	lat, lon int16  // its cell
}

// rememberedSpots is how many places are remembered so.
const rememberedSpots = 1 << 12

// NewPreparer returns a Preparer for aggregators of the same Config. All places
// it is given numbers for must come from one [orders.Quick].
func NewPreparer(cfg Config) *Preparer {
	cfg = cfg.withDefaults()
	return &Preparer{money: newConverter(cfg.Currency, cfg.Rates), spots: make([]knownSpot, rememberedSpots)}
}

// Prepare appends an order to p. p refers to what o refers to.
func (r *Preparer) Prepare(p *Prepared, offset int64, recordTime orders.Time, o *orders.Raw) {
	e := prepared{
		offset: offset, at: o.At, country: countrySlot(o.To.Country), amount: o.Amount,
		id: xxhash.Sum64(o.ID), shopper: xxhash.Sum64(o.Shopper), firstLine: int32(len(p.lines)),
		from: lasting(o.From), to: lasting(o.To),
	}
	copy(e.currency[:], o.Currency)
	for i := range o.Lines {
		l := &o.Lines[i]
		p.lines = append(p.lines, entryLine{product{xxhash.Sum64(l.Product), l.Product}, l.Units})
	}
	e.afterLines = int32(len(p.lines))
	sales, ok := r.money.convert(o.Amount, o.Currency, o.At)
	switch {
	case o.At < firstTime || o.At > recordTime+futureSpan:
		e.dead = DeadTime
	case !ok:
		e.dead = DeadRate
	default:
		var metres int64
		metres, e.cells = r.between(o.From, o.To)
		e.sums = sums{orders: 1, sales: sales, distanceM: metres, carbonG: carbon(o.MassG, metres)}
	}
	p.orders = append(p.orders, e)
}

// lasting returns a place that stays as it is when the next order is read.
func lasting(p *orders.KnownPlace) *orders.KnownPlace {
	if p.Number != 0 {
		return p
	}
	fixed := *p
	return &fixed
}

// between returns the distance of two places and the cells that they are in.
func (r *Preparer) between(from, to *orders.KnownPlace) (int64, arcCells) {
	if from.Number == 0 || to.Number == 0 {
		return distance(from.Place, to.Place), cellsOf(from.Place, to.Place)
	}
	a := *r.spot(from) // not the pointer: both may have the same slot
	b := r.spot(to)
	return a.distance(&b.point), arcCells{a.lat, a.lon, b.lat, b.lon}
}

func (r *Preparer) spot(p *orders.KnownPlace) *knownSpot {
	s := &r.spots[p.Number%rememberedSpots]
	if s.number != p.Number {
		*s = knownSpot{number: p.Number, point: pointOf(p.Place), lat: halfDegrees(p.Lat), lon: halfDegrees(p.Lon)}
	}
	return s
}

// noCountry is the slot of what is no country code.
const noCountry = -1

// countrySlot numbers country codes; one that is not two capital letters counts
// for the world only. Package orders lets none through.
func countrySlot(code string) int16 {
	if len(code) != 2 || code[0]-'A' > 25 || code[1]-'A' > 25 {
		return noCountry
	}
	return slotOf(code[0], code[1])
}

func slotOf(first, second byte) int16 { return int16(first-'A')*26 + int16(second-'A') }

// rawOf returns an order as Prepare wants it.
func rawOf(o *orders.Order) *orders.Raw {
	r := &orders.Raw{
		ID: []byte(o.ID), At: o.At, Shop: []byte(o.Shop), Shopper: []byte(o.Shopper), Currency: []byte(o.Currency),
		Amount: o.Amount, From: &orders.KnownPlace{Place: o.From}, To: &orders.KnownPlace{Place: o.To}, MassG: o.MassG,
	}
	for _, l := range o.Lines {
		r.Lines = append(r.Lines, orders.RawLine{Product: []byte(l.Product), Units: l.Units, Amount: l.Amount})
	}
	return r
}
