package aggregate

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"livemap/orders"
)

// steady is an endless ordinary stream: 200 countries, a product or two an
// order, disorder within the bound.
type steady struct {
	r        *rand.Rand
	perSec   int
	places   []orders.Place
	shoppers []string
	products []string
	orders   []orders.Raw
	n        int
	preparer *Preparer
	prepared Prepared
}

func newSteady(perSec, shoppers, products int) *steady {
	s := &steady{r: rand.New(rand.NewPCG(1, 1)), perSec: perSec, preparer: NewPreparer(Config{})}
	for i := range 2000 {
		s.places = append(s.places, orders.Place{
			City: fmt.Sprint("City ", i), Country: string([]byte{'A' + byte(i%20), 'A' + byte(i/20%10)}),
			Lat: s.r.Float64()*120 - 60, Lon: s.r.Float64()*360 - 180,
		})
	}
	for i := range shoppers {
		s.shoppers = append(s.shoppers, fmt.Sprint("shopper-", i))
	}
	for i := range products {
		s.products = append(s.products, fmt.Sprint("product-", i))
	}
	for i := range 1 << 17 {
		from, to := s.r.IntN(2000), s.r.IntN(2000)
		o := orders.Order{
			ID: fmt.Sprint("order-", i), Shop: "s", Shopper: s.shoppers[s.r.IntN(shoppers)], Currency: "USD", Amount: s.r.Int64N(20_000),
			From: s.places[from], To: s.places[to], MassG: s.r.Int64N(3000),
		}
		for range 1 + s.r.IntN(2) {
			o.Lines = append(o.Lines, orders.Line{Product: s.products[s.r.IntN(products)], Units: 1 + s.r.Int64N(3)})
		}
		raw := rawOf(&o)
		raw.From.Number, raw.To.Number = uint32(from+1), uint32(to+1)
		s.orders = append(s.orders, *raw)
	}
	return s
}

// add prepares and adds the next n orders, all of one partition. The wall
// clock is that of a day later, at 100,000 orders a second.
func (s *steady) add(a *Aggregator, n int) (now orders.Time) {
	s.prepared.Reset()
	for range n {
		i := s.n
		s.n++
		o := &s.orders[i%len(s.orders)]
		o.At = startTime + orders.Time(int64(i)*1000/int64(s.perSec)) - orders.Time(s.r.IntN(1500))
		s.preparer.Prepare(&s.prepared, int64(i), o.At, o)
		s.prepared.orders[len(s.prepared.orders)-1].id = spread(uint64(i)) // otherwise ids repeat
	}
	now = startTime + 86_400_000 + orders.Time(s.n/100)
	a.AddPrepared(int32(s.n/n%4), &s.prepared, now)
	return now
}

func newBenchAggregator(tb testing.TB) *Aggregator {
	a, err := New(Config{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := a.SetPartitions(4); err != nil {
		tb.Fatal(err)
	}
	return a
}

// benchStep is how many orders of a partition are added at a time.
const benchStep = 500

// BenchmarkAdd is a backlog drained as fast as it goes, with a Flush for every
// tenth of a second: windows, early records, shipments, checkpoint and all.
func BenchmarkAdd(b *testing.B) {
	for perSec, every := range map[int]int{1000: 10_000, 200_000: 100_000} {
		b.Run(fmt.Sprint(perSec, "-per-second"), func(b *testing.B) {
			a, s := newBenchAggregator(b), newSteady(perSec, 50_000, 20_000)
			b.ReportAllocs()
			records := 0
			for n := 0; b.Loop(); n++ {
				if n%benchStep != 0 {
					continue
				}
				if now := s.add(a, benchStep); s.n%every < benchStep {
					out, err := a.Flush(now)
					if err != nil {
						b.Fatal(err)
					}
					records += len(out.Records)
				}
			}
			if v := a.Stats().Verdicts; v[Accepted]+v[Corrected] != int64(s.n) {
				b.Errorf("verdicts %v of %d orders", v, s.n)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(records)/float64(b.N), "records/order")
		})
	}
}
