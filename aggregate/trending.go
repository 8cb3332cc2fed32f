package aggregate

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"livemap/feed"
	"livemap/orders"
)

const (
	// trendingItems is the length of a trending list.
	trendingItems = 10
	// trendingMinUnits is how many units of the last five minutes a product
	// needs to be listed.
	trendingMinUnits = 10
	recentSpan       = second(300)
)

// score compares the last five minutes with the last hour: both as units per
// hour, damped by 20 units in five minutes (240 in an hour), so that 1 means no
// change and a product that hardly sells cannot lead. One IEEE division.
func score(u5, u60 int64) float64 {
	return float64(12*(u5+20)) / float64(u60+240)
}

// change returns a score as per cent of increase, rounded half away from zero.
func change(score float64) int64 { return int64(math.Round(100 * (score - 1))) }

// ranked is a product in a list.
type ranked struct {
	product string
	label   label
	units   int64
	score   float64
}

// before is the order of a list: highest score, most units, lowest product id.
// It leaves no ties.
func (r ranked) before(o ranked) bool {
	if r.score != o.score {
		return r.score > o.score
	}
	if r.units != o.units {
		return r.units > o.units
	}
	return r.product < o.product
}

// insert puts r where it belongs in a list of at most trendingItems.
func insert(list []ranked, r ranked) []ranked {
	if len(list) == trendingItems {
		if !r.before(list[trendingItems-1]) {
			return list
		}
		list = list[:trendingItems-1]
	}
	at := len(list)
	for at > 0 && r.before(list[at-1]) {
		at--
	}
	return slices.Insert(list, at, r)
}

// trending is the state of the topic.
type trending struct {
	units   *units
	had     map[string]struct{} // scopes whose last final list was not empty
	shown   map[string]uint64   // scopes whose last list was not empty, and its hash
	earlyAt orders.Time         // wall clock of the last early lists
}

func newTrending(limit int64) *trending {
	return &trending{
		units: newUnits(limit),
		had:   map[string]struct{}{}, shown: map[string]uint64{}, earlyAt: noTime,
	}
}

// rank lists the products of every scope for the whole minute that ends at end.
func (t *trending) rank(end second, scopes *scopes, class *Classification) map[string][]ranked {
	u := t.units
	lists := map[string][]ranked{}
	u.each(end-recentSpan, end, func(key unitKey, u5 int64) {
		if u5 < trendingMinUnits {
			return
		}
		r := ranked{product: u.names[key.product()], units: u5, score: score(u5, u.hourTo(key, end))}
		name := scopes.names[key.scope()]
		lists[name] = insert(lists[name], r)
		if key.scope() == worldID {
			name = feed.CategoryScope(class.label(r.product, end).category)
			lists[name] = insert(lists[name], r)
		}
	})
	for _, list := range lists {
		for i := range list {
			list[i].label = class.label(list[i].product, end)
		}
	}
	return lists
}

// label returns what a list that ends at end calls a product.
func (c *Classification) label(product string, end second) label {
	l, known := c.find(product, end.time())
	if !known {
		return label{title: product, category: Unclassified}
	}
	return l
}

// settleTrending writes the final lists of every whole minute that the
// watermark has passed. Add calls it as soon as that happens, because a list
// holds exactly the orders accepted until then.
func (a *Aggregator) settleTrending(now orders.Time) error {
	u, limit := a.trend.units, secondOf(a.marks.now).minute()
	a.nameLatest() // numbers of products may be freed here
	if u.closed == noSecond {
		u.closed = limit
		if len(u.buckets) > 0 {
			u.closed = min(limit, u.buckets[0].start)
		}
	}
	for {
		end, ok := u.next(u.closed)
		if !ok || end > limit {
			break
		}
		u.close(end)
		if err := a.writeFinalTrending(end, now); err != nil {
			return err
		}
	}
	if u.closed < limit {
		u.close(limit)
	}
	return nil
}

func (a *Aggregator) writeFinalTrending(end second, now orders.Time) error {
	lists := a.trend.rank(end, a.scopes, a.class)
	a.changes.trendings = true
	for _, name := range scopeNames(lists, a.trend.had) {
		items := trendingRecordItems(lists[name])
		if err := a.emitJSON(feed.TopicTrending, name, now, &feed.Trending{
			V: feed.Version, Scope: name, WindowEnd: end.time(), Final: true, Items: items, EmittedAt: now,
		}); err != nil {
			return err
		}
		delete(a.trend.had, name)
		delete(a.trend.shown, name)
		if len(items) > 0 {
			a.trend.had[name] = struct{}{}
			a.trend.shown[name] = 0
		}
	}
	return nil
}

// writeEarlyTrending writes the lists of the minute that is under way, once all
// minutes before it are final: within a key window_end then never goes back.
func (a *Aggregator) writeEarlyTrending(now orders.Time) error {
	t := a.trend
	due := now-t.earlyAt >= orders.Time(a.cfg.TrendInterval.Milliseconds())
	if !due || t.units.closed == noSecond || secondOf(a.highest).minute() != t.units.closed {
		return nil
	}
	t.earlyAt = now
	end := t.units.closed + 60
	lists := t.rank(end, a.scopes, a.class)
	for _, name := range scopeNames(lists, t.shown) {
		items := trendingRecordItems(lists[name])
		encoded, err := json.Marshal(items)
		if err != nil {
			return err
		}
		hash := max(xxhash.Sum64(encoded)^uint64(end), 1)
		if t.shown[name] == hash {
			continue
		}
		delete(t.shown, name)
		if len(items) > 0 {
			t.shown[name] = hash
		}
		if err := a.emitJSON(feed.TopicTrending, name, now, &feed.Trending{
			V: feed.Version, Scope: name, WindowEnd: end.time(), Items: items, EmittedAt: now,
		}); err != nil {
			return err
		}
	}
	return nil
}

// scopeNames returns the names in either map, sorted.
func scopeNames[T any](lists map[string][]ranked, shown map[string]T) []string {
	names := make([]string, 0, len(lists)+len(shown))
	for name := range lists {
		names = append(names, name)
	}
	for name := range shown {
		if _, ok := lists[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}

func trendingRecordItems(list []ranked) []feed.TrendingItem {
	items := make([]feed.TrendingItem, 0, len(list))
	for i, r := range list {
		items = append(items, feed.TrendingItem{
			Rank: i + 1, Product: r.product, Title: r.label.title, Category: r.label.category,
			Units: r.units, Score: feed.Score(r.score), Change: change(r.score),
		})
	}
	return items
}
