package synthetic

import (
	"math/rand/v2"
	"time"

	"livemap/orders"
)

// When flash sales happen. Times are event times.
const (
	firstSaleAfter = 20 * time.Second // from the start, so that a demonstration need not wait
	meanSalePause  = 3 * time.Minute  // from the start of one sale to the next
	shortestSale   = 3 * time.Minute
	longestSale    = 9 * time.Minute
	mostSales      = 3 // at the same time; one that would be the fourth is left out
	lowestBoost    = 20
	highestBoost   = 50
	// Only products of ordinary popularity go on sale: a boost of the most wanted
	// one would leave no demand for anything else.
	leastWanted = 0.0008
	mostWanted  = 0.0040
)

// sale is a product that one shop sells cheaply, and that everybody wants for a
// while.
type sale struct {
	product *item
	shop    *shop
	cents   int64 // price of one unit
	extra   float64
	until   orders.Time
}

// flashSales starts and ends sales as event time passes.
type flashSales struct {
	random    *rand.Rand
	shops     *shops
	choice    []*item // what may go on sale
	next      orders.Time
	active    []sale
	demand    weights     // over active, by extra
	changesAt orders.Time // when active has to be looked at again
}

func newFlashSales(r *rand.Rand, start orders.Time, c *catalogue, s *shops) *flashSales {
	f := &flashSales{random: r, shops: s, next: start.Add(firstSaleAfter), changesAt: start}
	for i := range c.items {
		if p := c.items[i].popularity; p >= leastWanted && p <= mostWanted {
			f.choice = append(f.choice, &c.items[i])
		}
	}
	return f
}

// pick decides whether an order at the time at is for a product on sale, and for
// which. A product of popularity p and boost b takes p(b-1) of demand beside
// what all others have. Times must not go back.
func (f *flashSales) pick(at orders.Time, r *rand.Rand) (sale, bool) {
	if at >= f.changesAt {
		f.change(at)
	}
	if len(f.active) == 0 {
		return sale{}, false
	}
	extra := f.demand.sum()
	if r.Float64() >= extra/(1+extra) {
		return sale{}, false
	}
	return f.active[f.demand.pick(r)], true
}

func (f *flashSales) change(at orders.Time) {
	running := f.active[:0]
	for _, s := range f.active {
		if s.until > at {
			running = append(running, s)
		}
	}
	f.active = running
	for f.next <= at {
		if len(f.active) < mostSales {
			f.begin(f.next)
		}
		f.next = f.next.Add(time.Duration(f.random.ExpFloat64()*float64(meanSalePause)) + time.Millisecond)
	}
	f.changesAt = f.next
	f.demand = weights{}
	for _, s := range f.active {
		f.changesAt = min(f.changesAt, s.until)
		f.demand.add(s.extra)
	}
}

func (f *flashSales) begin(at orders.Time) {
	product := f.choice[f.random.IntN(len(f.choice))]
	boost := lowestBoost + f.random.Float64()*(highestBoost-lowestBoost)
	length := shortestSale + time.Duration(f.random.Int64N(int64(longestSale-shortestSale)))
	f.active = append(f.active, sale{
		product: product,
		shop:    f.seller(product.Category),
		cents:   product.cents * 7 / 10,
		extra:   product.popularity * (boost - 1),
		until:   at.Add(length),
	})
}

// seller chooses a shop of the category, by size. With hundreds of shops and
// fifteen categories one is soon found.
func (f *flashSales) seller(category string) *shop {
	var s *shop
	for range 1000 {
		s = f.shops.world.pick(f.random)
		if s.sectors[0].name == category || s.sectors[1].name == category {
			break
		}
	}
	return s
}
