package aggregate

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// TestUnitsBound fills the product counts: what has a cell goes on counting,
// what has none is left out and counted.
func TestUnitsBound(t *testing.T) {
	t.Parallel()
	const product = productBytes + 1 + 4*slotBytes // with two cells of its first minute
	u := newUnits((2*product + slotBytes) * 4 / 3)
	add := func(at second, product string, want bool) {
		t.Helper()
		if _, ok := u.add(at, productOf(product), 1, 3); ok != want {
			t.Errorf("%s at %d: %t, want %t", product, at, ok, want)
		}
	}
	add(0, "a", true)
	add(0, "b", true)
	add(0, "c", false)
	add(0, "a", true)
	add(60, "a", false)
	if u.leftOut != 6 || u.cells != 4 || u.live() != 2 || u.bytes() != 2*product {
		t.Errorf("left out %d, cells %d, products %d, %d bytes, want 6, 4, 2, %d", u.leftOut, u.cells, u.live(), u.bytes(), 2*product)
	}
	u.close(60)
	if got := u.hourTo(unitKeyOf(0, worldID), 60); got != 6 || u.bytes() != 2*product {
		t.Errorf("a sold %d, %d bytes, want 6, %d", got, u.bytes(), 2*product)
	}
	u.close(3720)
	if u.cells != 0 || u.live() != 0 || u.hour.len() != 0 || len(u.names) != 0 || u.bytes() != 0 {
		t.Errorf("after an hour: cells %d, products %d, sums %d, names %d, %d bytes", u.cells, u.live(), u.hour.len(), len(u.names), u.bytes())
	}
	add(3720, "c", true)
	add(3900, "d", true)
	u.close(3780 + hourSpan)
	u.put(3900, productOf("e"), 1, 1)
	if len(u.names) != 2 {
		t.Errorf("%d numbers, want one used again", len(u.names))
	}
}

// TestUnitsOfAMinute: one minute has room for a fixed number of cells, others
// for as many again.
func TestUnitsOfAMinute(t *testing.T) {
	t.Parallel()
	u := newUnits(DefaultMaxProductBytes)
	for i := range maxMinuteCells {
		u.add(0, productOf(fmt.Sprint("p", i)), 1, 1)
	}
	if u.cells != maxMinuteCells || u.leftOut != maxMinuteCells/2 {
		t.Errorf("%d cells and %d units left out, want %d and %d", u.cells, u.leftOut, maxMinuteCells, maxMinuteCells/2)
	}
	if _, ok := u.add(0, productOf("p0"), 1, 1); !ok {
		t.Error("what has cells in a full minute is left out")
	}
	if _, ok := u.add(60, productOf("new"), 1, 1); !ok {
		t.Error("the next minute is full too")
	}
}

// flood is orders of lines that nobody has bought before, with the longest
// names there can be.
type flood struct {
	a    *Aggregator
	n    int
	last orders.Time
}

func (f *flood) order(t *testing.T, at orders.Time, lines int) {
	t.Helper()
	o := &orders.Order{ID: fmt.Sprint(f.n), At: at, Currency: "USD", Shopper: "a", To: testCities[0]}
	for range lines {
		f.n++
		o.Lines = append(o.Lines, orders.Line{Product: fmt.Sprintf("%s%08d", strings.Repeat("x", 120), f.n), Units: 20})
	}
	if v := f.a.Add(Input{Offset: int64(f.n), RecordTime: at, Now: at}, o); v != Accepted {
		t.Fatalf("%s at %s", v, at)
	}
	f.last = at
}

func (f *flood) flush(t *testing.T) (out Output, changed int) {
	t.Helper()
	out, err := f.a.Flush(f.last)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Changes {
		changed += len(c.Value)
	}
	return out, changed
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFloodOfProducts sells millions of different products, and measures the
// heap against what is said to be held, and the changes of each Flush. It does
// not run beside other tests, whose memory it would measure.
func TestFloodOfProducts(t *testing.T) {
	before := heap()
	a, err := New(Config{TrendInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	f, most, highest := &flood{a: a}, 0, int64(0)
	for i := range 700 { // of 1,000 lines each, over twelve minutes
		f.order(t, startTime+orders.Time(i)*1000, 1000)
		_, changed := f.flush(t)
		most = max(most, changed)
		if i%100 == 99 {
			held, said := heap()-before, a.Stats().ProductBytes
			highest = max(highest, held)
			if rest := int64(8 << 20); held > said+rest {
				t.Errorf("after %d orders: %d bytes on the heap, said to be %d and %d besides", i+1, held, said, rest)
			}
		}
	}
	st := a.Stats()
	if st.UnitsLeftOut == 0 || st.ProductBytes > DefaultMaxProductBytes {
		t.Errorf("%+v", st)
	}
	if most > 32<<20 {
		t.Errorf("a Flush had %d bytes of changes", most)
	}
	t.Logf("heap at most %d MiB, said to be %d MiB for %d cells; changes of a Flush at most %d KiB; %d of %d units left out",
		highest>>20, st.ProductBytes>>20, st.ProductCells, most>>10, st.UnitsLeftOut, f.n*20)
	runtime.KeepAlive(a)
}

// TestJumpIsWrittenInSlices lets the watermark jump over minutes full of orders:
// no Flush writes all of it, and in the end everything is written.
func TestJumpIsWrittenInSlices(t *testing.T) {
	t.Parallel()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPartitions(2); err != nil {
		t.Fatal(err)
	}
	a.most = 8 << 20
	f := &flood{a: a}
	for i := range 300 {
		f.order(t, startTime+orders.Time(i)*1000, 500)
	}
	f.flush(t)
	held := a.panes.from(noSecond)[0].wireBytes()
	a.Add(Input{Partition: 1, RecordTime: f.last, Now: f.last}, &orders.Order{ID: "b", At: f.last, Currency: "USD"})
	windows, flushes := 0, 0
	for {
		out, changed := f.flush(t)
		if changed > 2*a.most+held+1<<20 { // of panes, and of minutes
			t.Errorf("flush %d has %d bytes of changes", flushes, changed)
		}
		before := windows
		for _, r := range out.Records {
			if r.Topic == feed.TopicWindows && r.Key == feed.World {
				windows++
			}
		}
		if windows == before {
			break
		}
		flushes++
	}
	if at, _ := a.Watermark(); windows != 297 || flushes < 3 || at != f.last-2000 {
		t.Errorf("%d windows in %d flushes, watermark %s", windows, flushes, at)
	}
}

// TestSlicesAndRestarts compares a run whose every Flush may close a single pane
// and is killed at random with one that has neither. Streams with an order that is
// late are left out, because what is late depends on the watermark.
func TestSlicesAndRestarts(t *testing.T) {
	t.Parallel()
	kills, compared := 0, 0
	for seed := range seeds(t, 200) {
		s := simulate(seed)
		s.cfg.Idle, s.cfg.Lateness = 1<<50, time.Hour
		last := s.events[len(s.events)-1]
		for range 300 {
			s.events = append(s.events, last)
		}
		plain, a := newWritten(), s.newAggregator(t)
		late := false
		for _, e := range s.events {
			v, out := s.tell(t, a, e)
			plain.take(t, out)
			late = late || v == Late
		}
		if late {
			continue
		}
		compared++
		x := newRestarter(t, s, seed)
		x.most = 1
		x.a.most = 1
		for i, e := range s.events {
			_, out := s.tell(t, x.a, e)
			x.take(out)
			if e.flush && i < s.tail+250 && x.r.IntN(15) == 0 {
				x.kill(s.events[:i+1], e.input.Now)
			}
		}
		for _, d := range []string{
			diff(withoutRevisions(plain.windows), withoutRevisions(x.out.windows)),
			diff(plain.histories(t), x.out.histories(t)), diff(plain.of, x.out.of), diff(totals(a), totals(x.a)),
			diff(hours(a), hours(x.a)),
		} {
			if d != "" {
				t.Fatalf("seed %d (-without +with slices and restarts):\n%s", seed, d)
			}
		}
		kills += x.kills
	}
	if compared == 0 {
		t.Error("no stream without a late order")
	}
	t.Logf("%d streams, %d restarts", compared, kills)
}

// hours returns the units of the last hour by product and scope.
func hours(a *Aggregator) map[string]int64 {
	m, u := map[string]int64{}, a.trend.units
	u.hour.each(func(key unitKey, n int64) { m[u.names[key.product()]+" "+a.scopes.names[key.scope()]] = n })
	return m
}
