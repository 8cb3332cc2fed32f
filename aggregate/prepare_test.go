package aggregate

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"livemap/orders"
)

// TestPreparedTogether compares orders added one by one with the same orders
// prepared together, by preparers that have seen other orders before and with
// goroutines that take part in adding: records and checkpoint must be the same bytes.
func TestPreparedTogether(t *testing.T) {
	t.Parallel()
	together := 0
	for seed := range seeds(t, 100) {
		s, r := simulate(seed), rand.New(rand.NewPCG(seed, 9))
		one, many := s.newAggregator(t), s.newAggregator(t)
		many.lanes.least = 1 + r.IntN(3)
		stop := many.Share()
		lent := []*Prepared{}
		quick, preparer := orders.NewQuick(), NewPreparer(s.cfg)
		for i := 0; i < len(s.events); {
			e := s.events[i]
			if e.order == nil {
				_, want := s.tell(t, one, e)
				_, got := s.tell(t, many, e)
				if !reflect.DeepEqual(want, got) { // cmp.Diff of equal outputs takes minutes
					t.Fatalf("seed %d, event %d (-one by one +together):\n%s", seed, i, cmp.Diff(want, got))
				}
				i++
				continue
			}
			p := new(Prepared)
			if len(lent) > 0 && !lent[0].Busy() {
				p, lent = lent[0], lent[1:]
				p.Reset()
			}
			first := i
			for ; i < len(s.events) && r.IntN(10) > 0; i++ {
				next := s.events[i]
				if next.order == nil || next.input.Partition != e.input.Partition {
					break
				}
				prepareJSON(t, quick, preparer, p, next)
			}
			if i == first {
				prepareJSON(t, quick, preparer, p, e)
				i++
			}
			together = max(together, p.Len())
			many.AddPrepared(e.input.Partition, p, e.input.Now)
			lent = append(lent, p)
			for k, next := range s.events[first:i] {
				next.input.Now = e.input.Now
				if v, _ := s.tell(t, one, next); v != p.Verdicts()[k] {
					t.Fatalf("seed %d, event %d: %s together, %s by itself", seed, first+k, p.Verdicts()[k], v)
				}
			}
		}
		stop()
	}
	if together < 5 {
		t.Errorf("at most %d orders were prepared together", together)
	}
}

// prepareJSON prepares an order as the runner does, from its JSON if it has one:
// orders of simulated streams lack ids that real ones must have.
func prepareJSON(t *testing.T, quick *orders.Quick, preparer *Preparer, p *Prepared, e event) {
	t.Helper()
	raw := rawOf(e.order)
	if e.order.Validate() == nil {
		raw = new(orders.Raw)
		if err := quick.Read(orders.AppendJSON(nil, e.order), raw); err != nil {
			t.Fatal(err)
		}
	}
	preparer.Prepare(p, e.input.Offset, e.input.RecordTime, raw)
}

// TestManyCorrections compares more corrections than wait at a time, mixed with orders
// of open panes, with the same orders one by one.
func TestManyCorrections(t *testing.T) {
	t.Parallel()
	one, many := newBenchAggregator(t), newBenchAggregator(t)
	defer many.Share()()
	for _, a := range []*Aggregator{one, many} {
		for partition := range int32(4) {
			a.Add(Input{Partition: partition, RecordTime: startTime, Now: startTime}, &orders.Order{ID: "first", At: startTime + 50_000, Currency: "USD"})
		}
		if _, err := a.Flush(startTime); err != nil {
			t.Fatal(err)
		}
	}
	preparer, r := NewPreparer(Config{}), rand.New(rand.NewPCG(7, 7))
	var p Prepared
	for i := range 2*maxCorrections + 500 {
		o := randomOrder(r, startTime+orders.Time(40_000+r.IntN(10_000)), strconv.Itoa(i), 3)
		if o.Currency = "USD"; r.IntN(4) == 0 {
			o.At += 10_000
		}
		in := Input{Offset: int64(1 + i), RecordTime: o.At, Now: startTime}
		preparer.Prepare(&p, in.Offset, in.RecordTime, rawOf(o))
		one.Add(in, o)
	}
	many.AddPrepared(0, &p, startTime)
	want, err := one.Flush(startTime)
	if err != nil {
		t.Fatal(err)
	}
	got, err := many.Flush(startTime)
	if err != nil {
		t.Fatal(err)
	}
	if v := many.Stats().Verdicts; v != one.Stats().Verdicts || v[Corrected] <= maxCorrections {
		t.Errorf("verdicts %v together, %v one by one", v, one.Stats().Verdicts)
	}
	if !reflect.DeepEqual(want, got) {
		t.Error("the records or the checkpoint differ")
	}
}
