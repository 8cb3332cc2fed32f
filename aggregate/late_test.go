package aggregate

import (
	"fmt"
	"testing"

	"livemap/feed"
	"livemap/orders"
)

// TestSeen fixes the edges of the duplicate check: ten seconds either way, and
// what is too old to matter is forgotten to the millisecond.
func TestSeen(t *testing.T) {
	t.Parallel()
	const at = orders.Time(1_000_005)
	for _, c := range []struct {
		repeat, earliest orders.Time
		want             bool
	}{
		{at, 0, true}, {at + 10_000, 0, true}, {at + 10_001, 0, false}, {at - 10_000, 0, true}, {at - 10_001, 0, false},
		{at, at + 10_000, true}, {at, at + 10_001, false},
	} {
		var s seen
		s.add(7, at)
		if got := s.has(7, c.repeat, c.earliest); got != c.want {
			t.Errorf("%d after %d, earliest %d: %t", c.repeat, at, c.earliest, got)
		}
		if s.has(8, c.repeat, c.earliest) {
			t.Error("an id that was never added is known")
		}
		s.forget(at + 10_000)
		if !s.has(7, at, 0) {
			t.Error("an id is forgotten too early")
		}
		if s.forget(at + 30_000); len(s.spans) != 0 {
			t.Error("an id is never forgotten")
		}
	}
}

func TestIDTableGrows(t *testing.T) {
	t.Parallel()
	table := newIDTable(0)
	for i := range uint64(10_000) {
		table.put(i*64, uint16(i)) // all begin at few slots
	}
	for i := range uint64(10_000) {
		if offset, ok := table.get(i * 64); !ok || offset != uint16(i) {
			t.Fatalf("hash %d: %d, %t", i*64, offset, ok)
		}
	}
	if _, ok := table.get(63); ok {
		t.Error("a hash that was never put is there")
	}
}

// teller feeds an aggregator orders of one unit by partition and time.
type teller struct {
	t       *testing.T
	a       *Aggregator
	offsets map[int32]int64
}

func newTeller(t *testing.T, partitions int) *teller {
	t.Helper()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPartitions(partitions); err != nil {
		t.Fatal(err)
	}
	return &teller{t: t, a: a, offsets: map[int32]int64{}}
}

func (x *teller) order(partition int32, offset int64, at orders.Time) Verdict {
	return x.a.Add(Input{Partition: partition, Offset: offset, RecordTime: at, Now: at}, &orders.Order{
		ID: fmt.Sprint(partition, "/", offset), At: at, Currency: "USD", Shopper: "a", To: testCities[0],
	})
}

func (x *teller) add(partition int32, seconds float64) {
	x.t.Helper()
	offset := x.offsets[partition]
	x.offsets[partition]++
	if v := x.order(partition, offset, startTime+orders.Time(seconds*1000)); v != Accepted && v != Corrected {
		x.t.Fatalf("order at %v s: %s", seconds, v)
	}
}

func (x *teller) flush(seconds float64) Output {
	x.t.Helper()
	out, err := x.a.Flush(startTime + orders.Time(seconds*1000))
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}

// TestHistoryIsCorrected: a correction of a minute that was written writes the
// same minute again, with the peaks up to its end and not beyond.
func TestHistoryIsCorrected(t *testing.T) {
	t.Parallel()
	x := newTeller(t, 1)
	x.add(0, 10)
	x.add(0, 70) // the watermark passes the first minute
	x.flush(70)
	x.add(0, 20)
	x.add(0, 71)
	x.add(0, 71)
	x.add(0, 90)
	history := map[string]feed.History{}
	for _, r := range x.flush(90).Records {
		if r.Topic == feed.TopicHistory {
			history[r.Key] = decode[feed.History](t, r)
		}
	}
	h, ok := history[feed.World]
	if !ok || h.WindowEnd != startTime+60_000 || h.Orders[59] != 2 || h.Peak.Orders.Value != 2 {
		t.Errorf("the history after the correction: %t %+v", ok, h)
	}
}

// TestReplayHoldsTheWatermark: while one partition is read again, another that
// goes on must not close the panes that the first still has to fill.
func TestReplayHoldsTheWatermark(t *testing.T) {
	t.Parallel()
	x := newTeller(t, 2)
	x.add(0, 3)
	for _, at := range []float64{4, 5, 6, 7, 30} {
		x.add(1, at)
	}
	state := NewState()
	for _, c := range x.flush(30).Changes {
		state.Apply(c)
	}
	a, err := Restore(Config{}, state)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Positions(), (map[int32]Position{0: {0, 1}, 1: {0, 5}}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("positions %v, want %v", got, want)
	}
	x.a = a
	x.order(0, 0, startTime+3000)
	x.add(0, 40)
	before, _ := a.Watermark()
	for _, r := range x.flush(40).Records {
		if r.Topic == feed.TopicWindows || r.Topic == feed.TopicMetrics {
			t.Errorf("%s is written while a partition is still read again: %s", r.Topic, r.Value)
		}
	}
	if at, _ := a.Watermark(); at != before || at != startTime+1000 {
		t.Errorf("the watermark went from %s to %s", before, at)
	}
	for i, at := range []orders.Time{4, 5, 6, 7, 30} {
		if v := x.order(1, int64(i), startTime+at*1000); v != Replayed {
			t.Errorf("offset %d: %s", i, v)
		}
	}
	var world feed.Window
	for _, r := range x.flush(41).Records {
		if r.Topic == feed.TopicWindows && r.Key == feed.World {
			world = decode[feed.Window](t, r)
		}
	}
	if world.WindowEnd != startTime+28_000 || world.Orders != 5 {
		t.Errorf("the last window after reading again: %+v", world)
	}
}

// TestVerdicts checks that the names are all there and all different.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	dead := 0
	for _, v := range Verdicts() {
		names[v.String()] = true
		if v.Dead() {
			dead++
		}
	}
	if len(names) != len(Verdicts()) || names["unknown"] || dead != 2 || Verdict(99).String() != "unknown" {
		t.Errorf("verdicts are %v, %d of them dead", names, dead)
	}
}

// TestEmptyListAfterRestart: a list that was not empty before a restart is
// followed by an empty one when its products stop selling.
func TestEmptyListAfterRestart(t *testing.T) {
	t.Parallel()
	x := newTeller(t, 1)
	x.a.Add(Input{RecordTime: startTime, Now: startTime}, &orders.Order{
		ID: "a", At: startTime, Currency: "USD", Lines: []orders.Line{{Product: "tea", Units: 20}}, To: testCities[0],
	})
	x.offsets[0] = 1
	x.add(0, 63)
	state := NewState()
	for _, c := range x.flush(63).Changes {
		state.Apply(c)
	}
	a, err := Restore(Config{}, state)
	if err != nil {
		t.Fatal(err)
	}
	x.a = a
	x.order(0, 1, startTime+63_000)
	x.add(0, 500)
	lists := map[int]int{} // items of the world's final lists by minute
	for _, r := range x.flush(500).Records {
		if r.Topic == feed.TopicTrending && r.Key == feed.World {
			list := decode[feed.Trending](t, r)
			lists[int(list.WindowEnd-startTime)/60_000] = len(list.Items)
		}
	}
	if want := map[int]int{2: 1, 3: 1, 4: 1, 5: 1, 6: 0}; fmt.Sprint(lists) != fmt.Sprint(want) {
		t.Errorf("final lists by minute have %v items, want %v", lists, want)
	}
}
