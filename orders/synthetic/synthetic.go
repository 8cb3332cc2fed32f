// Package synthetic invents orders of a believable world of shops: large cities
// buy more than small ones, people buy in their evening, most parcels stay in
// their country and some cross oceans, few products are popular and many are
// not, now and then a flash sale makes one of them trend, and some records come
// late, out of order or twice. Start at [New].
//
// A source is deterministic: the same [Config] gives the same orders, byte for
// byte, from the same build. It knows no clock: times are those of its
// configuration and whoever sends the orders paces them. All orders are in USD.
package synthetic

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"livemap/orders"
)

// Config describes a source. Start is required; zero values of the other fields
// mean the default given beside them.
type Config struct {
	Seed  uint64
	Start orders.Time // time of the first orders, not before the year 2000
	// Rate is orders per second of event time, averaged over a day: the daily
	// curve moves it up and down. Default 200, at most 10 million.
	Rate float64
	// Shoppers is the size of the pool that orders come from, a few of whom order
	// much more often than the others. Default 200,000.
	Shoppers int64
	// Arrivals says how orders arrive; nil means [DefaultArrivals].
	Arrivals *Arrivals
}

// Arrivals holds the share of orders, 0 to 1, that do not arrive at their event
// time. The zero value means that all do.
type Arrivals struct {
	Disorder  float64 // arrive up to 2 s late, behind younger orders
	Late      float64 // arrive 5 to 50 s late: corrections
	Beyond    float64 // arrive 65 to 120 s late, after their windows are final for good
	Duplicate float64 // arrive again within 1.5 s
}

// DefaultArrivals returns the shares of a world with ordinary networks.
func DefaultArrivals() Arrivals {
	return Arrivals{Disorder: 0.05, Late: 0.002, Beyond: 0.0001, Duplicate: 0.0005}
}

// Bounds and defaults of Config.
const (
	DefaultRate     = 200
	DefaultShoppers = 200_000
	maxRate         = 10_000_000
	maxShoppers     = 100_000_000
)

var year2000 = orders.TimeOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

// Validate reports all settings that are wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Start < year2000 {
		errs = append(errs, fmt.Errorf("start %v: must not be before the year 2000", c.Start))
	}
	if !(c.Rate >= 0 && c.Rate <= maxRate) {
		errs = append(errs, fmt.Errorf("rate %v: must be orders per second, above 0 and at most %d", c.Rate, maxRate))
	}
	if c.Shoppers < 0 || c.Shoppers > maxShoppers {
		errs = append(errs, fmt.Errorf("shoppers %d: must be 1 to %d", c.Shoppers, maxShoppers))
	}
	if a := c.Arrivals; a != nil {
		sum := 0.0
		for _, share := range []struct {
			name string
			of   float64
		}{{"disorder", a.Disorder}, {"late", a.Late}, {"beyond", a.Beyond}, {"duplicate", a.Duplicate}} {
			if !(share.of >= 0 && share.of <= 1) {
				errs = append(errs, fmt.Errorf("%s share %v: must be 0 to 1", share.name, share.of))
			}
			sum += share.of
		}
		if sum > 1 {
			errs = append(errs, fmt.Errorf("shares of arrivals %v: must sum to at most 1", sum))
		}
	}
	return errors.Join(errs...)
}

// Source is an endless [orders.Source]. It must not be used from two goroutines
// at once.
type Source struct {
	// Immutable.
	catalogue *catalogue
	shops     *shops
	buyers    buyers
	prefix    string  // of order ids, different for each start
	gapMillis float64 // mean time between candidates, before the daily curve thins them

	random   *rand.Rand
	flash    *flashSales
	arrivals *arrivals

	clock  float64 // milliseconds from start to the last candidate
	start  orders.Time
	serial uint64 // of the last order

	head  orders.Order // the next order that arrives at its event time
	ready bool         // head holds one
}

// The streams of random numbers are apart, so that a change in one part of the
// world leaves the others as they are.
const (
	streamOrders uint64 = iota + 1
	streamWorld
	streamFlash
	streamArrivals
)

// New returns a source, or what is wrong with its configuration.
func New(c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("synthetic orders: %w", err)
	}
	if c.Rate == 0 {
		c.Rate = DefaultRate
	}
	if c.Shoppers == 0 {
		c.Shoppers = DefaultShoppers
	}
	if c.Arrivals == nil {
		a := DefaultArrivals()
		c.Arrivals = &a
	}
	world := rand.New(rand.NewPCG(c.Seed, streamWorld)) // #nosec G404 -- a made-up world, the same for each seed
	cat, err := newCatalogue(world)
	if err != nil {
		return nil, err
	}
	sellers, err := newShops(world, cat)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(c.Seed, streamOrders)) // #nosec G404 -- a made-up world, the same for each seed
	who, err := newBuyers(c.Seed, random, c.Shoppers)
	if err != nil {
		return nil, err
	}
	return &Source{
		catalogue: cat,
		shops:     sellers,
		buyers:    who,
		prefix:    strconv.FormatInt(int64(c.Start), 36) + "-",
		gapMillis: 1000 / (c.Rate * peakOfDay),
		random:    random,
		flash:     newFlashSales(rand.New(rand.NewPCG(c.Seed, streamFlash)), c.Start, cat, sellers), // #nosec G404 -- a made-up world, the same for each seed
		arrivals:  newArrivals(rand.New(rand.NewPCG(c.Seed, streamArrivals)), *c.Arrivals),          // #nosec G404 -- a made-up world, the same for each seed
		start:     c.Start,
	}, nil
}

// Products returns the classification of everything that is sold.
func (s *Source) Products() ([]orders.Product, error) {
	out := make([]orders.Product, len(s.catalogue.items))
	for i, it := range s.catalogue.items {
		out[i] = it.Product
	}
	return out, nil
}

// Next fills o with the next order to arrive. It never returns an error.
func (s *Source) Next(o *orders.Order) (arrive orders.Time, err error) {
	for {
		if !s.ready {
			s.invent()
			s.ready = !s.arrivals.delay(&s.head)
			continue
		}
		if arrive, ok := s.arrivals.due(s.head.At, o); ok {
			return arrive, nil
		}
		copyOrder(o, &s.head)
		s.ready = false
		return o.At, nil
	}
}

// copyOrder makes dst equal to src without sharing its lines.
func copyOrder(dst, src *orders.Order) {
	lines := append(dst.Lines[:0], src.Lines...)
	*dst = *src
	dst.Lines = lines
}

// invent fills s.head with the next order in event time. Orders are a Poisson
// process whose rate follows the daily curve at the buyer's place: candidates
// come at the peak's rate and are kept with the probability that the curve
// gives (thinning; Lewis and Shedler 1979).
func (s *Source) invent() {
	for {
		s.clock += s.random.ExpFloat64() * s.gapMillis
		at := s.start + orders.Time(math.Floor(s.clock))
		who := s.buyers.next()
		if s.random.Float64()*peakOfDay < dailyCurve(at, who.home.Lon) {
			s.write(at, who)
			return
		}
	}
}

// write fills s.head with an order of who at the time at.
func (s *Source) write(at orders.Time, who buyer) {
	o := &s.head
	s.serial++
	o.ID = s.prefix + strconv.FormatUint(s.serial, 36)
	o.At = at
	o.Shopper = who.id()
	o.To = who.home.Place
	o.Currency = "USD"
	o.Lines = o.Lines[:0]
	o.Amount, o.MassG = 0, packagingG

	var seller *shop
	if sale, ok := s.flash.pick(at, s.random); ok {
		seller = sale.shop
		s.addLine(sale.product, sale.cents)
	} else {
		seller = s.shops.near(who.home, s.random)
	}
	o.Shop, o.From = seller.id, seller.home.Place
	for len(o.Lines) == 0 || (len(o.Lines) < mostLines && s.random.Float64() < anotherLine) {
		it := seller.pick(s.random)
		if holds(o.Lines, it.ID) {
			break
		}
		s.addLine(it, it.cents)
	}
}

// What a basket looks like.
const (
	packagingG  = 150
	mostLines   = 6
	anotherLine = 0.4 // probability of one more line
)

func (s *Source) addLine(it *item, cents int64) {
	units := int64(1)
	for units < 4 && s.random.Float64() < 0.18 {
		units++
	}
	s.head.Lines = append(s.head.Lines, orders.Line{Product: it.ID, Units: units, Amount: units * cents})
	s.head.Amount += units * cents
	s.head.MassG += units * it.massG
}

func holds(lines []orders.Line, product string) bool {
	for i := range lines {
		if lines[i].Product == product {
			return true
		}
	}
	return false
}
