package aggregate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/orders"
)

func TestConfigValidateReportsAll(t *testing.T) {
	t.Parallel()
	err := Config{
		Currency: "usd", Disorder: 2 * time.Hour, Lateness: 2 * time.Hour, TotalSince: 1, EarlyInterval: -1,
		TrendInterval: -1, MaxShopperPairs: -1, MaxProductBytes: -1,
	}.Validate()
	for _, want := range []string{
		`currency is "usd"`, "disorder is 2h", "lateness is 2h", "total-since is 1970-01-01T00:00:00.001Z",
		"early interval", "trend interval", "max shopper pairs", "max product bytes",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %q", err, want)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
	if err := (Config{Currency: "CHF", Rates: testRates()}).Validate(); err == nil {
		t.Error("a currency without rates is accepted")
	}
	if a, err := New(Config{Currency: "?"}); a != nil || err == nil {
		t.Error("New takes a bad Config")
	}
}

// TestShipmentsFit makes the largest record that orders allow.
func TestShipmentsFit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("<", 128) // six bytes each in JSON
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	a.SetClassification(NewClassification([]ClassificationEntry{{Product: "x", Title: strings.Repeat("&", 1000)}}))
	far := orders.Place{City: long, Country: "AQ", Lat: -89.6, Lon: -179.4}
	for i := range 10_000 {
		to := orders.Place{City: long, Country: "AQ", Lat: float64(i/100) - 89.6, Lon: float64(i%100) - 179.4}
		a.Add(Input{Offset: int64(i), RecordTime: startTime}, &orders.Order{
			ID: fmt.Sprint(i), At: startTime + orders.Time(i)/1000, Currency: "USD", From: far, To: to, Lines: []orders.Line{{Product: "x", Units: 1}},
		})
	}
	a.arcs.rank()
	if n := len(a.arcs.list); n != 2*maxArcCells {
		t.Errorf("%d cells of the world and a country, want %d", n, 2*maxArcCells)
	}
	value := encodeShipments(a.shipmentsRecord(&a.batches[worldID], worldID, startTime))
	var record feed.Shipments
	if err := json.Unmarshal(value, &record); err != nil {
		t.Fatal(err)
	}
	var shown int64
	for _, arc := range record.Arcs {
		shown += arc.N
	}
	if len(value) > feed.MaxShipmentsBytes || record.Of != 10_000 || record.Shown != shown || len(record.Latest) == 0 {
		t.Errorf("%d bytes, of %d, shown %d of arcs %d, latest %d", len(value), record.Of, record.Shown, shown, len(record.Latest))
	}
}

// TestLatestOrder checks the list of latest orders: by time, then by arrival.
func TestLatestOrder(t *testing.T) {
	t.Parallel()
	b := &batch{}
	for i, at := range []orders.Time{5, 9, 5, 1, 9, 7} {
		b.add(&prepared{at: at, amount: int64(i)}, nil, noProduct)
	}
	var got []int64
	for _, l := range b.latest {
		got = append(got, l.amount)
	}
	if fmt.Sprint(got) != "[4 1 5 2]" || b.at != 9 {
		t.Errorf("latest %v at %d, want [4 1 5 2] at 9", got, b.at)
	}
}

func TestClassification(t *testing.T) {
	t.Parallel()
	c := NewClassification([]ClassificationEntry{
		{Product: "", Title: "nothing"},
		{Product: "plain", Title: "Plain", Category: "things"},
		{Product: "twice", Title: "First", Category: "things"},
		{Product: "twice", Title: "Second"},
		{Product: "later", Title: "New", Category: "new", ValidFrom: 200},
		{Product: "later", Title: "Old", Category: "old", ValidFrom: 100},
		{Product: "future", Category: "soon", ValidFrom: 100},
		{Product: "long", Title: strings.Repeat("é", 200)},
	})
	if c.Len() != 5 {
		t.Errorf("%d products, want 5", c.Len())
	}
	for _, w := range []struct {
		product string
		at      orders.Time
		want    string
	}{
		{"plain", 0, "Plain/things true"}, {"twice", 0, "Second/unclassified true"},
		{"later", 99, "/ false"}, {"later", 100, "Old/old true"}, {"later", 200, "New/new true"},
		{"future", 99, "/ false"}, {"future", 100, "future/soon true"},
		{"long", 0, strings.Repeat("é", 128) + "/unclassified true"}, {"none", 0, "/ false"},
	} {
		l, ok := c.find(w.product, w.at)
		if got := fmt.Sprintf("%s/%s %t", l.title, l.category, ok); got != w.want {
			t.Errorf("%s at %d: %s, want %s", w.product, w.at, got, w.want)
		}
	}
	var none *Classification
	if _, ok := none.find("plain", 0); ok || none.Len() != 0 {
		t.Error("a nil Classification knows a product")
	}
}

// TestRanked fixes the order of a list and what is rounded.
func TestRanked(t *testing.T) {
	t.Parallel()
	var list []ranked
	for i := range 30 {
		list = insert(list, ranked{product: fmt.Sprintf("p%02d", (i*7)%30), units: int64(i % 3), score: float64(i % 5)})
	}
	if len(list) != trendingItems {
		t.Fatalf("%d items", len(list))
	}
	for i := 1; i < len(list); i++ {
		if !list[i-1].before(list[i]) || list[i].before(list[i-1]) {
			t.Errorf("%+v and %+v are in the wrong order", list[i-1], list[i])
		}
	}
	for _, c := range []struct{ u5, u60, change int64 }{
		{10, 10, 44}, {20, 240, 0}, {10, 120, 0}, {10, 9999, -96}, {16, 16, 69}, {1000, 1000, 887},
	} {
		if got := change(score(c.u5, c.u60)); got != c.change {
			t.Errorf("u5 %d, u60 %d: %d %%, want %d", c.u5, c.u60, got, c.change)
		}
	}
	if got := change(1.125); got != 13 { // 12.5, away from zero
		t.Errorf("12.5 %% is rounded to %d", got)
	}
	if got := change(0.875); got != -13 {
		t.Errorf("-12.5 %% is rounded to %d", got)
	}
}

// TestUnknownWatermark: the watermark is not known before every partition has
// had an order.
func TestUnknownWatermark(t *testing.T) {
	t.Parallel()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPartitions(MaxPartitions + 1); err == nil {
		t.Error("too many partitions are accepted")
	}
	if err := a.SetPartitions(2); err != nil {
		t.Fatal(err)
	}
	add := func(partition int32, at orders.Time) {
		a.Add(Input{Partition: partition, RecordTime: at, Now: at}, &orders.Order{ID: fmt.Sprint(at), At: at, Currency: "USD"})
	}
	add(0, startTime)
	add(0, startTime+62_001)
	if _, ok := a.Watermark(); ok {
		t.Error("the watermark is known while a partition has had no order")
	}
	add(1, startTime+30_000)
	if at, ok := a.Watermark(); !ok || at != startTime+28_000 {
		t.Errorf("watermark %s, %t", at, ok)
	}
	if at, ok := a.PartitionWatermark(0); !ok || at != startTime+60_001 {
		t.Errorf("watermark of partition 0: %s, %t", at, ok)
	}
	if _, ok := a.PartitionWatermark(7); ok {
		t.Error("an unknown partition has a watermark")
	}
}

// TestIdleAtOnce: without patience a partition that is caught up stops holding
// the watermark back with the next Flush.
func TestIdleAtOnce(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Idle: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetPartitions(2); err != nil {
		t.Fatal(err)
	}
	a.Add(Input{RecordTime: startTime, Now: startTime}, &orders.Order{ID: "a", At: startTime, Currency: "USD"})
	a.CaughtUp(1, true, startTime)
	if _, err := a.Flush(startTime); err != nil {
		t.Fatal(err)
	}
	if at, ok := a.Watermark(); !ok || at != startTime-2000 {
		t.Errorf("watermark %s, %t, want that of partition 0", at, ok)
	}
}

// TestCurrencies: what is no currency of the table is refused by name.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"EUR", "JPY", "KWD", "CLF", "XCG"} {
		if err := (Config{Currency: code}).Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, code := range []string{"XXX", "XTS", "XAU", "ABC", "EURO"} {
		if err := (Config{Currency: code}).Validate(); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want a refusal that names it", code, err)
		}
	}
}

// TestAddAllocates bounds what an order costs in the steady state.
func TestAddAllocates(t *testing.T) {
	a, s := newBenchAggregator(t), newSteady(1000, 2000, 1000)
	run := func(n int) {
		for range n / benchStep {
			s.add(a, benchStep)
		}
	}
	for range 40 { // two minutes and more
		run(5000)
		if _, err := a.Flush(startTime + 86_400_000 + orders.Time(s.n/100)); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(5, func() { run(1000) }) / 1000; got > 0.1 {
		t.Errorf("%.2f allocations an order, want at most 0.1", got)
	}
}
