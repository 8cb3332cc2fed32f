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
	orders   []orders.Order
	ids      []string
	n        int
}

func newSteady(perSec, shoppers, products int) *steady {
	s := &steady{r: rand.New(rand.NewPCG(1, 1)), perSec: perSec}
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
		o := orders.Order{
			ID: fmt.Sprint("order-", i), Shop: "s", Shopper: s.shoppers[s.r.IntN(shoppers)], Currency: "USD", Amount: s.r.Int64N(20_000),
			From: s.places[s.r.IntN(2000)], To: s.places[s.r.IntN(2000)], MassG: s.r.Int64N(3000),
		}
		for range 1 + s.r.IntN(2) {
			o.Lines = append(o.Lines, orders.Line{Product: s.products[s.r.IntN(products)], Units: 1 + s.r.Int64N(3)})
		}
		s.orders = append(s.orders, o)
		s.ids = append(s.ids, o.ID)
	}
	return s
}

// next returns the n-th order; its id repeats only long after it is forgotten.
// The wall clock is that of a day later, at 100,000 orders a second.
func (s *steady) next() (Input, *orders.Order) {
	i := s.n
	s.n++
	o := &s.orders[i%len(s.orders)]
	o.At = startTime + orders.Time(int64(i)*1000/int64(s.perSec)) - orders.Time(s.r.IntN(1500))
	return Input{Partition: int32(i % 4), Offset: int64(i / 4), RecordTime: o.At, Now: startTime + 86_400_000 + orders.Time(i/100)}, o
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

// BenchmarkAdd is a backlog drained as fast as it goes, with a Flush for every
// 10,000 orders: windows, early records, shipments, checkpoint and all.
func BenchmarkAdd(b *testing.B) {
	for _, perSec := range []int{100, 1000} {
		b.Run(fmt.Sprint(perSec, "-per-second"), func(b *testing.B) {
			a, s := newBenchAggregator(b), newSteady(perSec, 50_000, 20_000)
			b.ReportAllocs()
			records := 0
			for b.Loop() {
				in, o := s.next()
				if v := a.Add(in, o); v != Accepted && v != Corrected {
					b.Fatalf("order %d: %s", s.n, v)
				}
				if s.n%10_000 == 0 {
					out, err := a.Flush(in.Now)
					if err != nil {
						b.Fatal(err)
					}
					records += len(out.Records)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(records)/float64(b.N), "records/order")
		})
	}
}
