package synthetic

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"livemap/orders"
)

var start = orders.TimeOf(time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC))

func newSource(t testing.TB, c Config) *Source {
	t.Helper()
	if c.Start == 0 {
		c.Start = start
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// each calls f with the first n orders as they arrive.
func each(t testing.TB, s *Source, n int, f func(arrive orders.Time, o *orders.Order)) {
	t.Helper()
	var o orders.Order
	for range n {
		arrive, err := s.Next(&o)
		if err != nil {
			t.Fatal(err)
		}
		f(arrive, &o)
	}
}

func encoded(t *testing.T, c Config, n int) []byte {
	var b []byte
	each(t, newSource(t, c), n, func(arrive orders.Time, o *orders.Order) {
		b = arrive.Append(b)
		b = append(orders.AppendJSON(b, o), '\n')
	})
	return b
}

func TestSameSeedSameBytes(t *testing.T) {
	first := encoded(t, Config{Seed: 7}, 10_000)
	if !bytes.Equal(first, encoded(t, Config{Seed: 7}, 10_000)) {
		t.Error("the same seed gives different orders")
	}
	if bytes.Equal(first, encoded(t, Config{Seed: 8}, 10_000)) {
		t.Error("another seed gives the same orders")
	}
}

func TestOrdersAreValidAndArriveInOrder(t *testing.T) {
	last := start
	var buf []byte
	each(t, newSource(t, Config{Seed: 1}), 20_000, func(arrive orders.Time, o *orders.Order) {
		if arrive < last || arrive < o.At {
			t.Fatalf("order %s of %v arrives at %v, after one at %v", o.ID, o.At, arrive, last)
		}
		last = arrive
		buf = orders.AppendJSON(buf[:0], o)
		if _, err := orders.Decode(buf); err != nil {
			t.Fatalf("%v\nin %s", err, buf)
		}
		if o.Currency != "USD" || o.Amount <= 0 || o.MassG <= packagingG {
			t.Fatalf("unlikely order %s", buf)
		}
	})
}

func TestArrivals(t *testing.T) {
	const n = 100_000
	want := Arrivals{Disorder: 0.05, Late: 0.01, Beyond: 0.003, Duplicate: 0.004}
	var got Arrivals
	seen := make(map[string]bool, n)
	each(t, newSource(t, Config{Seed: 3, Rate: 25, Arrivals: &want}), n, func(arrive orders.Time, o *orders.Order) {
		switch late := arrive.Sub(o.At); {
		case seen[o.ID]:
			got.Duplicate++
			if late > 1500*time.Millisecond {
				t.Fatalf("%s comes again after %v", o.ID, late)
			}
		case late == 0:
		case late < 2*time.Second:
			got.Disorder++
		case late >= 5*time.Second && late < 50*time.Second:
			got.Late++
		case late >= 65*time.Second && late < 120*time.Second:
			got.Beyond++
		default:
			t.Fatalf("%s is %v late", o.ID, late)
		}
		seen[o.ID] = true
	})
	for _, share := range []struct {
		name      string
		got, want float64
	}{
		{"disorder", got.Disorder, want.Disorder}, {"late", got.Late, want.Late},
		{"beyond", got.Beyond, want.Beyond}, {"duplicate", got.Duplicate, want.Duplicate},
	} {
		// Those still under way at the end are a small part.
		if r := share.got / n; math.Abs(r-share.want) > 0.15*share.want {
			t.Errorf("%s: share %v, want %v", share.name, r, share.want)
		}
	}
	each(t, newSource(t, Config{Seed: 3, Arrivals: &Arrivals{}}), 20_000, func(arrive orders.Time, o *orders.Order) {
		if arrive != o.At {
			t.Fatalf("%s arrives at %v, not at its time %v", o.ID, arrive, o.At)
		}
	})
}

func TestRateFollowsTheDay(t *testing.T) {
	const rate = 0.7
	perHour := make([]float64, 24)
	s := newSource(t, Config{Seed: 5, Rate: rate, Arrivals: &Arrivals{}})
	total := 0
	var o orders.Order
	for {
		if _, err := s.Next(&o); err != nil {
			t.Fatal(err)
		}
		if o.At >= start.Add(24*time.Hour) {
			break
		}
		total++
		if o.To.Country == "JP" {
			perHour[(o.At.Std().Hour()+9)%24]++
		}
	}
	if got := float64(total) / 86_400; math.Abs(got-rate) > 0.05*rate {
		t.Errorf("%v orders a second over a day, want %v", got, rate)
	}
	if night, evening := perHour[3]+perHour[4], perHour[19]+perHour[20]; evening < 4*night {
		t.Errorf("in Japan %v orders at night and %v in the evening", night, evening)
	}
}

func TestDailyCurve(t *testing.T) {
	sum, n := 0.0, 0
	for minute := range 24 * 60 {
		for _, lon := range []float64{-180, -73.9, 0, 139.7, 180} {
			f := dailyCurve(start.Add(time.Duration(minute)*time.Minute), lon)
			if f <= 0 || f > peakOfDay+1e-12 {
				t.Fatalf("curve is %v at longitude %v, minute %d", f, lon, minute)
			}
			sum, n = sum+f, n+1
		}
	}
	if mean := sum / float64(n); math.Abs(mean-1) > 1e-3 {
		t.Errorf("mean of the day is %v, want 1", mean)
	}
}

// TestFlashSalesTrend counts units by five minutes: each sale must lift its
// product far above what is usual for it.
func TestFlashSalesTrend(t *testing.T) {
	const window = 5 * time.Minute
	perWindow := make(map[string][]int64)
	windows := 0
	s := newSource(t, Config{Seed: 11, Rate: 30})
	var o orders.Order
	for windows < 24 {
		arrive, err := s.Next(&o)
		if err != nil {
			t.Fatal(err)
		}
		windows = int(arrive.Sub(start) / window)
		for _, l := range o.Lines {
			for len(perWindow[l.Product]) <= windows {
				perWindow[l.Product] = append(perWindow[l.Product], 0)
			}
			perWindow[l.Product][windows] += l.Units
		}
	}
	trending := 0
	for _, counts := range perWindow {
		var sum, peak int64
		for _, n := range counts {
			sum, peak = sum+n, max(peak, n)
		}
		if rest := float64(sum-peak) / float64(len(counts)); float64(peak) > 8*(rest+10) {
			trending++
		}
	}
	if trending < 5 {
		t.Errorf("%d products trended in two hours, want at least 5", trending)
	}
}

func TestWorldLooksRight(t *testing.T) {
	const n = 40_000
	var domestic, overseas float64
	countries, shoppers := make(map[string]float64), make(map[string]int)
	each(t, newSource(t, Config{Seed: 2}), n, func(_ orders.Time, o *orders.Order) {
		countries[o.To.Country]++
		shoppers[o.Shopper]++
		switch {
		case o.From.Country == o.To.Country:
			domestic++
		case regionOf(o.From.Lon) != regionOf(o.To.Lon):
			overseas++
		}
	})
	if len(countries) < 80 {
		t.Errorf("orders go to %d countries", len(countries))
	}
	if share := domestic / n; share < 0.4 || share > 0.75 {
		t.Errorf("share of domestic orders is %v", share)
	}
	if share := overseas / n; share < 0.08 || share > 0.35 {
		t.Errorf("share of orders between regions is %v", share)
	}
	if countries["US"] < countries["NZ"] {
		t.Errorf("US has %v orders, NZ %v", countries["US"], countries["NZ"])
	}
	again := 0
	for _, n := range shoppers {
		if n > 1 {
			again++
		}
	}
	if again < len(shoppers)/20 {
		t.Errorf("%d of %d shoppers came again", again, len(shoppers))
	}
}

func TestCatalogue(t *testing.T) {
	products, err := newSource(t, Config{}).Products()
	if err != nil {
		t.Fatal(err)
	}
	titles, categories := make(map[string]bool), make(map[string]int)
	for _, p := range products {
		if p.ID == "" || titles[p.Title] || strings.ContainsAny(p.Category, ",% ") {
			t.Errorf("product %+v is no good or occurs twice", p)
		}
		titles[p.Title] = true
		categories[p.Category]++
	}
	if len(products) < 300 || len(categories) < 12 || len(categories) > 15 {
		t.Errorf("%d products in %d categories", len(products), len(categories))
	}
}

func TestConfigReportsAllErrors(t *testing.T) {
	_, err := New(Config{Rate: math.NaN(), Shoppers: -1, Arrivals: &Arrivals{Late: 2, Disorder: -1}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, setting := range []string{"start", "rate", "shoppers", "late share", "disorder share"} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("error does not name %s: %v", setting, err)
		}
	}
}

func TestPendingIsBounded(t *testing.T) {
	s := newSource(t, Config{Rate: maxRate, Arrivals: &Arrivals{Beyond: 1}})
	each(t, s, 1000, func(arrive orders.Time, o *orders.Order) {
		if len(s.arrivals.pending) > maxPending {
			t.Fatalf("%d orders are held back", len(s.arrivals.pending))
		}
	})
}

func BenchmarkNext(b *testing.B) {
	s := newSource(b, Config{})
	var o orders.Order
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(&o); err != nil {
			b.Fatal(err)
		}
	}
}
