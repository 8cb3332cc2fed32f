package aggregate

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"livemap/feed"
	"livemap/orders"
)

// enginesGolden holds orders, flushes and what must come of them where shoppers are
// estimated. The Flink job's test (EnginesTest.java) plays it too: the parity suite,
// which runs both engines on Kafka, has not the millions of shoppers that it takes.
const enginesGolden = "testdata/engines.golden"

// simulateTwins makes two minutes of orders of which some come late, by shoppers who
// are counted in windows of up to limit pairs and estimated in others. A correction
// can take a window from the one to the other.
func simulateTwins(seed uint64, limit int) *stream {
	s := &stream{partitions: 2, cfg: Config{MaxShopperPairs: limit, Idle: 1 << 50, TotalSince: startTime}}
	r, names, offsets := rand.New(rand.NewPCG(seed, 1)), twins(12), [2]int64{}
	add := func(p int, o *orders.Order) {
		o.ID, o.Shop, o.Currency, o.MassG, o.From = fmt.Sprint("o", len(s.events)), "s", "USD", 700, testCities[2]
		o.Lines = []orders.Line{{Product: "p", Units: 1, Amount: o.Amount}}
		s.events = append(s.events, event{order: o, input: Input{Partition: int32(p), Offset: offsets[p], RecordTime: startTime + 3_600_000}})
		offsets[p]++
	}
	flush := func(at orders.Time) { s.events = append(s.events, event{flush: true, input: Input{Now: at}}) }
	for n := range 110 {
		wall := startTime + orders.Time(n)*1200
		at := wall - orders.Time(r.IntN(1500))
		if r.IntN(5) == 0 {
			at -= orders.Time(r.IntN(50_000))
		}
		add(r.IntN(2), &orders.Order{
			At: max(at, startTime), Shopper: names[r.IntN(12)], Amount: int64(r.IntN(9000)), To: testCities[r.IntN(2)],
		})
		if n%4 == 3 {
			flush(wall)
		}
	}
	s.tail = len(s.events)
	for p := range s.partitions { // the watermark passes all of it
		add(p, &orders.Order{At: startTime + 400_000, Shopper: names[0], To: testCities[0]})
	}
	flush(startTime + 402_000)
	return s
}

// TestEngines plays the orders of the golden file, with every flush and with the last
// one only.
func TestEngines(t *testing.T) {
	t.Parallel()
	s := simulateTwins(43, 24)
	a, b, all, last := s.newAggregator(t), s.newAggregator(t), newWritten(), newWritten()
	highest := map[string]int64{} // shoppers of a scope at any time
	var file bytes.Buffer
	fmt.Fprintf(&file, "limit\t%d\n", s.cfg.MaxShopperPairs)
	for i, e := range s.events {
		_, out := s.tell(t, a, e)
		all.take(t, out)
		for _, r := range out.Records {
			if r.Topic == feed.TopicWindows {
				highest[r.Key] = max(highest[r.Key], parseWindow(t, r).Shoppers)
			}
		}
		if !e.flush || i == len(s.events)-1 {
			_, out = s.tell(t, b, e)
			last.take(t, out)
		}
		if e.flush {
			fmt.Fprintf(&file, "flush\t%d\n", e.input.Now)
		} else {
			fmt.Fprintf(&file, "order\t%d\t%s\n", e.input.Partition, orders.AppendJSON(nil, e.order))
		}
	}
	all.checkPeaks(t)
	for _, d := range []string{
		diff(all.histories(t), last.histories(t)), diff(withoutRevisions(all.windows), withoutRevisions(last.windows)),
	} {
		if d != "" {
			t.Errorf("(-every flush +the last one):\n%s", d)
		}
	}
	for scope, h := range all.histories(t) {
		if h.Peak.Shoppers.Value >= highest[scope] {
			t.Errorf("%s: no estimate is below what was the peak: %d, %d", scope, h.Peak.Shoppers.Value, highest[scope])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all.windows)) {
		w := all.windows[key]
		fmt.Fprintf(&file, "window\t%s %s\t%d\t%d\n", w.Scope, w.WindowEnd, w.Orders, w.Shoppers)
	}
	for _, key := range slices.Sorted(maps.Keys(all.history)) {
		record, _, _ := strings.Cut(string(all.history[key]), `,"emitted_at"`)
		fmt.Fprintf(&file, "history\t%s\t%s\n", key, record)
	}
	for _, n := range []int{10, 3000, 70_000, 600_000} {
		var rows sketches
		for i := range n {
			rows.unite([]uint32{sketchEntry(pair{hash: xxhash.Sum64String(fmt.Sprint("shopper-", i))})})
		}
		fmt.Fprintf(&file, "estimate\t%d\t%.0f\n", n, estimateDistinct(rows.rows[worldID]))
	}
	checkGolden(t, enginesGolden, file.Bytes())
}
