package aggregate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"livemap/orders"
)

// startTime is where simulated streams begin: a whole minute.
const startTime = orders.Time(1_767_571_200_000) // 2026-01-05T00:00:00Z

// event is one step of a simulated stream. Exactly one of its kinds happens.
type event struct {
	input Input
	order *orders.Order // nil: no order

	advance bool // records up to input.Offset are not orders
	caught  bool // input.Partition is caught up
	flush   bool // Flush at input.Now
}

// stream is a simulated run: what an aggregator is told, in order.
type stream struct {
	cfg        Config
	partitions int
	events     []event
	tail       int // from here on there is only the last silence
}

// simulate makes a stream from a seed: partitions of different speed, disorder,
// orders that come late, repeated ids, dead times, gaps in which all partitions
// fall idle.
func simulate(seed uint64) *stream {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &stream{partitions: 1 + r.IntN(4)}
	s.cfg = Config{Rates: testRates(), Lateness: []time.Duration{time.Minute, 10 * time.Second, 90 * time.Second}[r.IntN(3)]}
	s.cfg.TotalSince = startTime + orders.Time(r.IntN(90))*1000
	wall := startTime
	clocks := make([]orders.Time, s.partitions)
	offsets := make([]int64, s.partitions)
	late, countries := r.IntN(4)*5, 1+r.IntN(4)
	spread := []int{1, 5, 40}[r.IntN(3)]
	var recent []*orders.Order
	for i := range clocks {
		clocks[i] = startTime + orders.Time(r.IntN(3000))
	}
	for range 20 + r.IntN(80) {
		p := r.IntN(s.partitions)
		wall += orders.Time(r.IntN(400))
		clocks[p] = max(clocks[p], wall-orders.Time(r.IntN(2000))) + orders.Time(r.IntN(300*spread))
		at := clocks[p] - orders.Time(r.IntN(2500))
		if r.IntN(100) < late {
			at -= orders.Time(r.IntN(120_000))
		}
		o := randomOrder(r, at, fmt.Sprint("o", seed, "-", len(s.events)), countries)
		if len(recent) > 0 && r.IntN(10) == 0 {
			repeat := *recent[r.IntN(len(recent))]
			repeat.At += orders.Time(r.IntN(24_000) - 12_000)
			o = &repeat
		}
		recent = append(recent, o)
		kafka := max(wall, o.At)
		switch r.IntN(40) {
		case 0:
			o.At = orders.Time(r.IntN(1000)) // 1970
		case 1:
			kafka = o.At - 60_001
		case 2:
			o.Currency = "XXX"
		case 3:
			offsets[p]++ // a marker, or a record that was not an order
			s.events = append(s.events, event{advance: true, input: Input{Partition: int32(p), Offset: offsets[p], Now: wall}})
		}
		s.events = append(s.events, event{order: o, input: Input{
			Partition: int32(p), Offset: offsets[p], RecordTime: kafka, Now: wall,
		}})
		offsets[p]++
		if r.IntN(12) == 0 {
			s.events = append(s.events, event{caught: true, input: Input{Partition: int32(r.IntN(s.partitions)), Now: wall}})
		}
		if r.IntN(5) == 0 {
			s.events = append(s.events, event{flush: true, input: Input{Now: wall}})
		}
		if r.IntN(50) == 0 {
			wall = s.pause(r, wall, 1+r.IntN(100))
		}
		if r.IntN(150) == 0 {
			wall += orders.Time(1+r.IntN(100)) * 60_000 // the shops close for a while
		}
	}
	s.tail = len(s.events)
	s.pause(r, wall, 100)
	return s
}

// pause lets all partitions be caught up and silent for some seconds.
func (s *stream) pause(r *rand.Rand, wall orders.Time, seconds int) orders.Time {
	for p := range s.partitions {
		s.events = append(s.events, event{caught: true, input: Input{Partition: int32(p), Now: wall}})
	}
	for range seconds {
		wall += orders.Time(1000)
		if r.IntN(4) > 0 {
			s.events = append(s.events, event{flush: true, input: Input{Now: wall}})
		}
	}
	s.events = append(s.events, event{flush: true, input: Input{Now: wall}})
	return wall
}

var testCities = []orders.Place{
	{City: "Toronto", Country: "CA", Lat: 43.7, Lon: -79.42},
	{City: "Oslo", Country: "NO", Lat: 59.91, Lon: 10.75},
	{City: "Lima", Country: "PE", Lat: -12.05, Lon: -77.04},
	{City: "Suva", Country: "FJ", Lat: -18.14, Lon: 178.44},
}

func randomOrder(r *rand.Rand, at orders.Time, id string, countries int) *orders.Order {
	o := &orders.Order{
		ID: id, At: at, Shop: "s1", Shopper: fmt.Sprint("p", r.IntN(12)),
		Currency: []string{"USD", "USD", "JPY", "CAD"}[r.IntN(4)], Amount: r.Int64N(100_000),
		From: testCities[r.IntN(4)], To: testCities[r.IntN(countries)], MassG: r.Int64N(5000),
	}
	for range r.IntN(4) {
		o.Lines = append(o.Lines, orders.Line{Product: fmt.Sprint("sku", r.IntN(9)), Units: r.Int64N(9)})
	}
	return o
}

// tell hands one event to an aggregator; the Output is that of a flush.
func (s *stream) tell(t *testing.T, a *Aggregator, e event) (Verdict, Output) {
	t.Helper()
	switch {
	case e.order != nil:
		return a.Add(e.input, e.order), Output{}
	case e.advance:
		a.Advance(e.input.Partition, e.input.Offset)
	case e.caught:
		a.CaughtUp(e.input.Partition, true, e.input.Now)
	case e.flush:
		out, err := a.Flush(e.input.Now)
		if err != nil {
			t.Fatal(err)
		}
		return 0, out
	}
	return 0, Output{}
}

// newAggregator starts an aggregator for the stream.
func (s *stream) newAggregator(t *testing.T) *Aggregator {
	t.Helper()
	a, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPartitions(s.partitions); err != nil {
		t.Fatal(err)
	}
	a.SetClassification(testClassification())
	return a
}

// seeds returns how many seeds a simulation runs: LIVEMAP_SEEDS, or what the
// test asks for.
func seeds(t *testing.T, n uint64) uint64 {
	t.Helper()
	if s := os.Getenv("LIVEMAP_SEEDS"); s != "" {
		asked, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatalf("LIVEMAP_SEEDS is %q: must be a number", s)
		}
		return asked
	}
	return n
}
