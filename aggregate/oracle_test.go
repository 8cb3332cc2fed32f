package aggregate

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"livemap/feed"
	"livemap/orders"
)

// oracle is the aggregation as one would write it without any thought of cost:
// a list of accepted orders, from which everything is computed again each time.
// It shares no code with the aggregator but the record types.
type oracle struct {
	stream    *stream
	accepted  []known
	highest   []int64
	active    []int64 // wall clock, -1: unknown
	caught    []bool
	idle      []bool
	idleSince int64
	idleBase  int64
	allIdle   bool
	watermark int64
	minute    int64 // final trending is known through this minute's end
	had       map[string]bool
	finals    map[string]feed.Trending // by scope and window_end
	verdicts  []Verdict
	memo      map[string]feed.Window // set once no order comes any more
}

type known struct {
	partition int32
	order     *orders.Order
	at        int64
	country   string
	values    [4]int64 // orders, sales, distance, carbon
}

// in reports whether the order counts for a scope.
func (k *known) in(scope string) bool {
	return scope == "world" || strings.TrimPrefix(scope, "country/") == k.country
}

const unknownTime = math.MinInt64

func newOracle(s *stream) *oracle {
	o := &oracle{stream: s, watermark: unknownTime, minute: unknownTime, had: map[string]bool{}, finals: map[string]feed.Trending{}}
	for range s.partitions {
		o.highest = append(o.highest, unknownTime)
		o.active = append(o.active, -1)
		o.caught = append(o.caught, false)
		o.idle = append(o.idle, false)
	}
	return o
}

func (o *oracle) lateness() int64 { return o.stream.cfg.Lateness.Milliseconds() }

func (o *oracle) tell(e event) {
	p, wall := e.input.Partition, int64(e.input.Now)
	switch {
	case e.order != nil:
		o.verdicts = append(o.verdicts, o.judge(e))
	case e.caught:
		o.caught[p] = true
		if o.active[p] < 0 {
			o.active[p] = wall
		}
	case e.flush:
		o.tick(wall)
	}
}

func (o *oracle) judge(e event) Verdict {
	order, p := e.order, e.input.Partition
	at := int64(order.At)
	if order.At.Std().Year() < 2000 || at-int64(e.input.RecordTime) > 60_000 {
		return DeadTime
	}
	sales, ok := oracleSales(order)
	if !ok {
		return DeadRate
	}
	verdict := Accepted
	for _, k := range o.accepted {
		if k.partition == p && k.order.ID == order.ID && max(k.at-at, at-k.at) <= 10_000 &&
			(o.watermark == unknownTime || k.at+10_000 >= o.watermark-o.lateness()) {
			verdict = Duplicate
		}
	}
	if verdict == Accepted && o.watermark != unknownTime && at < o.watermark-o.lateness() {
		verdict = Late
	}
	if verdict == Accepted {
		metres := oracleDistance(order.From, order.To)
		grams := new(big.Int).Mul(big.NewInt(order.MassG), big.NewInt(metres*62))
		grams.Add(grams, big.NewInt(500_000_000)).Div(grams, big.NewInt(1_000_000_000))
		o.accepted = append(o.accepted, known{p, order, at, order.To.Country, [4]int64{1, sales, metres, grams.Int64()}})
	}
	if verdict != Duplicate {
		o.highest[p] = max(o.highest[p], at)
	}
	o.active[p] = int64(e.input.Now)
	o.idle[p], o.allIdle = false, o.allIdle && !o.idle[p]
	o.allIdle = !slices.Contains(o.idle, false)
	o.minimum()
	return verdict
}

// restart forgets what an aggregator does not know after a restart.
func (o *oracle) restart() {
	for p := range o.idle {
		o.active[p], o.caught[p], o.idle[p] = -1, false, false
	}
	o.allIdle = false
}

func (o *oracle) tick(wall int64) {
	for p := range o.idle {
		o.idle[p] = o.caught[p] && o.active[p] >= 0 && wall-o.active[p] >= 5000
	}
	all := !slices.Contains(o.idle, false)
	if all && !o.allIdle {
		o.idleSince, o.idleBase = wall, slices.Max(o.highest)
	}
	o.allIdle = all
	if all && o.idleBase != unknownTime {
		o.raise(o.idleBase - 2000 + wall - o.idleSince)
	}
	o.minimum()
}

func (o *oracle) minimum() {
	lowest := int64(math.MaxInt64)
	for p, h := range o.highest {
		if !o.idle[p] {
			lowest = min(lowest, h)
		}
	}
	if lowest != unknownTime && lowest != math.MaxInt64 {
		o.raise(lowest - 2000)
	}
}

func (o *oracle) raise(to int64) {
	o.watermark = max(o.watermark, to)
	last := o.watermark - mod(o.watermark, 60_000)
	if o.minute == unknownTime {
		o.minute = last
		for _, k := range o.accepted {
			o.minute = min(o.minute, k.at-mod(k.at, 60_000))
		}
	}
	for o.minute < last {
		o.minute += 60_000
		o.rank(o.minute)
	}
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

func (o *oracle) scopesOf(country string) []string { return []string{"world", "country/" + country} }

// scopes returns every scope that holds an accepted order.
func (o *oracle) scopes() []string {
	all := map[string]bool{}
	for _, k := range o.accepted {
		for _, s := range o.scopesOf(k.country) {
			all[s] = true
		}
	}
	list := []string{}
	for s := range all {
		list = append(list, s)
	}
	sort.Strings(list)
	return list
}

// window computes a scope's record for a window end in milliseconds.
func (o *oracle) window(scope string, end int64) feed.Window {
	id := fmt.Sprint(scope, " ", end)
	if w, ok := o.memo[id]; ok {
		return w
	}
	w := feed.Window{V: 1, Scope: scope, WindowEnd: orders.Time(end), Currency: "USD"}
	w.Total.Since = o.stream.cfg.TotalSince
	shoppers := map[string]bool{}
	for i := range o.accepted {
		k := &o.accepted[i]
		if k.at >= end || !k.in(scope) {
			continue
		}
		if k.at >= end-60_000 {
			w.Orders += k.values[0]
			w.Sales += k.values[1]
			w.DistanceM += k.values[2]
			w.CarbonG += k.values[3]
			shoppers[k.order.Shopper] = true
		}
		if k.at >= int64(w.Total.Since) {
			w.Total.Orders += k.values[0]
			w.Total.Sales += k.values[1]
			w.Total.DistanceM += k.values[2]
			w.Total.CarbonG += k.values[3]
		}
	}
	w.Shoppers = int64(len(shoppers))
	if o.memo != nil {
		o.memo[id] = w
	}
	return w
}

// rank computes the final trending lists of the minute that ends at end.
func (o *oracle) rank(end int64) {
	u5, u60 := map[string]map[string]int64{}, map[string]map[string]int64{}
	class := oracleClasses()
	for _, k := range o.accepted {
		if k.at >= end || k.at < end-3_600_000 {
			continue
		}
		for _, l := range k.order.Lines {
			scopes := append(o.scopesOf(k.country), "category/"+class[l.Product].Category)
			for _, s := range scopes {
				if u60[s] == nil {
					u60[s], u5[s] = map[string]int64{}, map[string]int64{}
				}
				u60[s][l.Product] += l.Units
				if k.at >= end-300_000 {
					u5[s][l.Product] += l.Units
				}
			}
		}
	}
	for scope := range u5 {
		o.had[scope] = o.had[scope] || false
	}
	for scope := range o.had {
		items := []feed.TrendingItem{}
		for product, n := range u5[scope] {
			if n < 10 {
				continue
			}
			s := float64(12*(n+20)) / float64(u60[scope][product]+240)
			items = append(items, feed.TrendingItem{
				Product: product, Title: class[product].Title, Category: class[product].Category,
				Units: n, Score: feed.Score(s), Change: int64(math.Round(100 * (s - 1))),
			})
		}
		sort.Slice(items, func(i, j int) bool {
			a, b := items[i], items[j]
			if a.Score != b.Score {
				return a.Score > b.Score
			}
			if a.Units != b.Units {
				return a.Units > b.Units
			}
			return a.Product < b.Product
		})
		items = items[:min(len(items), 10)]
		for i := range items {
			items[i].Rank = i + 1
		}
		if len(items) > 0 || o.had[scope] {
			o.finals[fmt.Sprint(scope, " ", end)] = feed.Trending{
				V: 1, Scope: scope, WindowEnd: orders.Time(end), Final: true, Items: items,
			}
		}
		o.had[scope] = len(items) > 0
	}
}

// history computes a scope's last history record.
func (o *oracle) history(scope string) (feed.History, bool) {
	h := feed.History{V: 1, Scope: scope, Currency: "USD"}
	closed := o.watermark - mod(o.watermark, 1000)
	lastMinute := closed - mod(closed, 60_000)
	active := int64(unknownTime)
	for _, k := range o.accepted {
		if !k.in(scope) {
			continue
		}
		if end := k.at - mod(k.at, 60_000) + 60_000; end <= lastMinute {
			active = max(active, end)
		}
	}
	if active == unknownTime {
		return h, false
	}
	end := min(lastMinute, active+59*60_000)
	h.WindowEnd = orders.Time(end)
	for m := end - 59*60_000; m <= end; m += 60_000 {
		w := o.window(scope, m)
		h.Orders = append(h.Orders, w.Orders)
		h.Sales = append(h.Sales, w.Sales)
		h.Shoppers = append(h.Shoppers, w.Shoppers)
		h.DistanceM = append(h.DistanceM, w.DistanceM)
		h.CarbonG = append(h.CarbonG, w.CarbonG)
	}
	for _, end := range o.ends(scope) {
		if end > int64(h.WindowEnd) {
			continue
		}
		w := o.window(scope, end)
		raisePeak(&h.Peak.Orders, w.Orders, w.WindowEnd)
		raisePeak(&h.Peak.Sales, w.Sales, w.WindowEnd)
		raisePeak(&h.Peak.Shoppers, w.Shoppers, w.WindowEnd)
		raisePeak(&h.Peak.DistanceM, w.DistanceM, w.WindowEnd)
		raisePeak(&h.Peak.CarbonG, w.CarbonG, w.WindowEnd)
	}
	return h, true
}

func raisePeak(p *feed.Peak, v int64, end orders.Time) {
	if v > p.Value || v == p.Value && v > 0 && end < p.WindowEnd {
		p.Value, p.WindowEnd = v, end
	}
}

// oracleRates are units of currency per euro from 2026-01-02 on.
var oracleRates = map[string]string{"USD": "1.1", "JPY": "163.25", "CAD": "1.4801", "EUR": "1"}

func testRates() *Rates {
	r, err := ParseRates(strings.NewReader("Date,USD,JPY,CAD,\n2026-01-02,1.1,163.25,1.4801,\n"))
	if err != nil {
		panic(err)
	}
	return r
}

func oracleSales(o *orders.Order) (int64, bool) {
	if o.Currency == "USD" {
		return o.Amount, true
	}
	per, ok := oracleRates[o.Currency]
	if !ok {
		return 0, false
	}
	from, _ := new(big.Rat).SetString(per)
	to, _ := new(big.Rat).SetString(oracleRates["USD"])
	v := new(big.Rat).SetInt64(o.Amount)
	if o.Currency == "JPY" {
		v.Mul(v, big.NewRat(100, 1))
	}
	v.Mul(v, to).Quo(v, from)
	low := new(big.Int).Div(v.Num(), v.Denom())
	rest := new(big.Rat).Sub(v, new(big.Rat).SetInt(low))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && low.Bit(0) == 1 {
		low.Add(low, big.NewInt(1))
	}
	return low.Int64(), true
}

// oracleDistance measures the angle between two vectors instead.
func oracleDistance(from, to orders.Place) int64 {
	vector := func(p orders.Place) [3]float64 {
		lat, lon := p.Lat*math.Pi/180, p.Lon*math.Pi/180
		return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
	}
	a, b := vector(from), vector(to)
	cross := math.Hypot(math.Hypot(a[1]*b[2]-a[2]*b[1], a[2]*b[0]-a[0]*b[2]), a[0]*b[1]-a[1]*b[0])
	dot := a[0]*b[0] + a[1]*b[1] + a[2]*b[2]
	return int64(math.Round(6_371_008.8 * math.Atan2(cross, dot)))
}

func oracleClasses() map[string]ClassificationEntry {
	m := map[string]ClassificationEntry{}
	for i := range 9 {
		product := fmt.Sprint("sku", i)
		m[product] = ClassificationEntry{Product: product, Title: product, Category: "unclassified"}
		if i < 6 {
			m[product] = ClassificationEntry{Product: product, Title: "Title " + product, Category: fmt.Sprint("cat", i%2)}
		}
	}
	return m
}

func testClassification() *Classification {
	var entries []ClassificationEntry
	for _, e := range oracleClasses() {
		if e.Category != "unclassified" {
			entries = append(entries, e)
		}
	}
	return NewClassification(entries)
}
