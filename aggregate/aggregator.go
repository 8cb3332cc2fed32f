package aggregate

import (
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"livemap/orders"
)

// Input is where an order came from.
type Input struct {
	Partition  int32
	Offset     int64
	RecordTime orders.Time // the record's Kafka timestamp
	Now        orders.Time // wall clock, for the idle rule
}

// Record is one output record. Topic and key are those of package feed.
type Record struct {
	Topic string
	Key   string
	Value []byte
	At    orders.Time // wall clock: the record's Kafka timestamp
}

// Output is what a Flush hands out: records for the output topics and changes
// of the aggregator's own state, to be written together or not at all.
type Output struct {
	Records []Record
	Changes []Change
}

// Stats counts since the Aggregator was made or restored. Verdicts is indexed
// by Verdict.
type Stats struct {
	Verdicts     [verdicts]int64
	UnitsLeftOut int64 // units beyond Config.MaxProductCells
	OpenPanes    int
	Panes        int
	ShopperPairs int // (shopper, scope) entries held
	ProductCells int
	Scopes       int
}

// Aggregator is the whole state of the aggregation. It is not safe for
// concurrent use.
type Aggregator struct {
	cfg      Config
	currency string
	since    second
	lateness orders.Time
	money    *converter
	class    *Classification

	marks   *watermarks
	scopes  *scopes
	highest orders.Time // highest at of an accepted order

	panes    *panes
	shoppers *shopperTable
	sketches sketches
	slide    slider // the closed windows
	ahead    slider // scratch: slide, moved on to the head
	closed   closedWindows

	running []running // by scopeID
	history history
	trend   *trending
	batches []batch // by scopeID

	out     []Record
	err     error // of encoding a record, returned by the next Flush
	changes changes
	stats   Stats
}

// New returns an Aggregator without any state.
func New(cfg Config) (*Aggregator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	cfg = cfg.withDefaults()
	a := &Aggregator{
		cfg:      cfg,
		currency: cfg.Currency,
		since:    secondOf(cfg.TotalSince),
		lateness: orders.Time(cfg.Lateness.Milliseconds()),
		money:    newConverter(cfg.Currency, cfg.Rates),
		marks:    newWatermarks(cfg.Disorder, cfg.Idle),
		scopes:   newScopes(),
		highest:  noTime,
		panes:    newPanes(),
		trend:    newTrending(cfg.MaxProductCells),
		slide:    slider{end: noSecond},
		history:  history{newest: noSecond},
		changes:  changes{minutes: map[second]int{}, sealed: noSecond},
	}
	a.shoppers = newShopperTable(int(a.reach()) + minTrackedAhead)
	a.growScopes()
	return a, nil
}

// minTrackedAhead is how many seconds past the closed windows shoppers are
// tracked at least; panes further ahead wait. It must exceed what disorder and
// unequal partitions need in ordinary running.
const minTrackedAhead = 64

// reach is how many seconds before the closed windows' end a pane can still
// matter: corrections come as late as the lateness, and change windows that
// begin a minute before.
func (a *Aggregator) reach() second {
	return second((a.lateness+999)/1000) + windowSeconds + 1
}

// SetPartitions tells that the orders topic has n partitions. Their number only
// grows; beyond MaxPartitions it is an error.
func (a *Aggregator) SetPartitions(n int) error {
	if n > MaxPartitions {
		return fmt.Errorf("aggregate: %d partitions: at most %d are supported", n, MaxPartitions)
	}
	a.marks.grow(n)
	return nil
}

// SetClassification replaces the classification. Nil classifies nothing.
func (a *Aggregator) SetClassification(c *Classification) { a.class = c }

// CaughtUp tells whether a partition has further records in the log now.
func (a *Aggregator) CaughtUp(partition int32, caughtUp bool, now orders.Time) {
	a.marks.grow(int(partition) + 1)
	a.marks.caughtUp(int(partition), caughtUp, now)
}

// Advance tells that all records of a partition before next are dealt with:
// those that were dead before decoding, and what the log holds besides records.
func (a *Aggregator) Advance(partition int32, next int64) {
	a.marks.grow(int(partition) + 1)
	p := a.marks.parts[partition]
	again := p.replaying()
	p.position = max(p.position, next)
	p.next = max(p.next, next)
	if again && !p.replaying() {
		a.marks.replaying--
		a.marks.lowest = -1
	}
}

// Watermark returns the watermark; ok is false before it is known.
func (a *Aggregator) Watermark() (at orders.Time, ok bool) {
	return a.marks.now, a.marks.now != noTime
}

// PartitionWatermark returns a partition's watermark; ok is false if the
// partition has had no order.
func (a *Aggregator) PartitionWatermark(partition int32) (at orders.Time, ok bool) {
	if int(partition) >= len(a.marks.parts) {
		return noTime, false
	}
	at = a.marks.of(a.marks.parts[partition])
	return at, at != noTime
}

// Ahead returns the partitions that have run more than Config.MaxAhead of event
// time ahead of the watermark. Reading them should pause until they are not,
// because their panes stay open until the slowest partition is there too.
func (a *Aggregator) Ahead() []int32 {
	from := a.marks.now
	if from == noTime {
		first, ok := a.panes.next(noSecond)
		if !ok {
			return nil
		}
		from = first.time()
	}
	var ahead []int32
	limit := from + orders.Time(a.cfg.MaxAhead/time.Millisecond)
	for i, p := range a.marks.parts {
		if a.marks.of(p) > limit {
			ahead = append(ahead, int32(i))
		}
	}
	return ahead
}

// Pending returns about how many windows records the next Flush will write:
// a reason to flush early while catching up.
func (a *Aggregator) Pending() int {
	if a.marks.now == noTime || a.slide.end == noSecond {
		return len(a.out)
	}
	return len(a.out) + int(secondOf(a.marks.now)-a.slide.end)*a.scopes.len()
}

// Stats returns the counters and sizes.
func (a *Aggregator) Stats() Stats {
	s := a.stats
	s.UnitsLeftOut = a.trend.units.leftOut
	s.Panes = len(a.panes.ordered)
	s.OpenPanes = len(a.panes.from(a.slide.end))
	s.ShopperPairs = a.shoppers.used
	s.ProductCells = a.trend.units.cells
	s.Scopes = a.scopes.len()
	return s
}

// Add takes one order. It keeps nothing of o but strings that it must show, and
// never fails: the Verdict says what became of it.
func (a *Aggregator) Add(in Input, o *orders.Order) Verdict {
	a.marks.grow(int(in.Partition) + 1)
	p := a.marks.parts[in.Partition]
	if in.Offset < p.replayUntil {
		a.replay(in, p, o)
		a.Advance(in.Partition, in.Offset+1)
		a.stats.Verdicts[Replayed]++
		return Replayed
	}
	e, v := a.judge(in, p, o)
	if v == Accepted {
		v = a.accept(in, e, o)
	}
	if !v.Dead() {
		at := o.At
		if v == Duplicate {
			at = noTime
		}
		a.marks.record(int(in.Partition), at, in.Now)
		a.settle(in.Now)
	}
	a.Advance(in.Partition, in.Offset+1)
	a.stats.Verdicts[v]++
	return v
}

// replay adds an order that was dealt with before a restart to the state if
// that could not be in the checkpoint: its pane was open.
func (a *Aggregator) replay(in Input, p *partition, o *orders.Order) {
	if secondOf(o.At) < a.slide.end {
		return
	}
	e, v := a.judge(in, p, o)
	if v == Accepted {
		a.store(in, e)
	}
}

// entry is an order on its way into the state.
type entry struct {
	partition int32
	at        orders.Time
	start     second // its pane
	id        uint64 // hash of its id
	shopper   uint64 // hash of its shopper
	country   scopeID
	sums      sums
	lines     []orders.Line
}

// judge applies the checks in their order.
func (a *Aggregator) judge(in Input, p *partition, o *orders.Order) (entry, Verdict) {
	if o.At < firstTime || o.At > in.RecordTime+futureSpan {
		return entry{}, DeadTime
	}
	sales, ok := a.money.convert(o.Amount, o.Currency, o.At)
	if !ok {
		return entry{}, DeadRate
	}
	id := xxhash.Sum64String(o.ID)
	earliest := a.marks.now - a.lateness
	if p.seen.has(id, o.At, earliest) {
		return entry{}, Duplicate
	}
	if o.At < earliest {
		return entry{}, Late
	}
	metres := distance(o.From, o.To)
	return entry{
		partition: in.Partition, at: o.At, start: secondOf(o.At),
		id: id, shopper: xxhash.Sum64String(o.Shopper), country: a.country(o.To.Country),
		sums:  sums{orders: 1, sales: sales, distanceM: metres, carbonG: carbon(o.MassG, metres)},
		lines: o.Lines,
	}, Accepted
}

// accept takes an order into the state and into the next shipments.
func (a *Aggregator) accept(in Input, e entry, o *orders.Order) Verdict {
	a.highest = max(a.highest, e.at)
	v := Accepted
	if e.start < a.slide.end {
		v = Corrected
		a.changes.noteLate(e)
		a.correct(e)
	} else {
		a.store(in, e)
	}
	cells := cellsOf(o.From, o.To)
	a.batches[worldID].add(o, cells)
	if e.country != worldID {
		a.batches[e.country].add(o, cells)
	}
	return v
}

// store takes an order into its open pane.
func (a *Aggregator) store(in Input, e entry) {
	a.coverStart(e.start)
	q := a.panes.openAt(e.start)
	q.open.noteOffset(e.partition, in.Offset)
	q.open.ids = append(q.open.ids, seenID{hash: e.id, at: e.at, partition: e.partition})
	a.fill(q, e)
}

// correct takes an order into a closed pane and every closed window after it.
func (a *Aggregator) correct(e entry) {
	scopes := scopesOf(e.country)
	a.correctWindows(e.start, scopes, e.sums)
	for _, id := range scopes {
		if e.start >= a.slide.end-windowSeconds {
			a.slide.now[id].sums.add(e.sums)
		}
		if e.start >= a.since {
			a.slide.total[id].add(e.sums)
		}
	}
	a.fill(a.panes.closedAt(e.start), e)
}

// scopesOf returns the scopes of an order: the world and its country.
func scopesOf(country scopeID) []scopeID {
	if country == worldID {
		return []scopeID{worldID}
	}
	return []scopeID{worldID, country}
}

// fill adds an order to its pane, to shoppers, products and the duplicate check.
func (a *Aggregator) fill(q *pane, e entry) {
	q.at(worldID).sums.add(e.sums)
	if e.country != worldID {
		q.at(e.country).sums.add(e.sums)
	}
	a.addShopper(q, pair{hash: e.shopper, country: e.country})
	for _, line := range e.lines {
		a.addUnits(q, line.Product, e.country, line.Units)
	}
	a.marks.parts[e.partition].seen.add(e.id, e.at)
}

func (a *Aggregator) addUnits(q *pane, product string, country scopeID, n int64) {
	if n <= 0 || product == "" {
		return
	}
	id, ok := a.trend.units.add(q.start, product, country, n)
	if ok && q.open != nil {
		q.open.units = append(q.open.units, unitEntry{product: id, country: country, units: n})
	}
}

// country returns the scope of a country and makes room for a new one.
func (a *Aggregator) country(code string) scopeID {
	id := a.scopes.country(code)
	if int(id) >= len(a.running) {
		a.growScopes()
	}
	return id
}

// growScopes makes everything that is kept by scope as long as there are scopes.
func (a *Aggregator) growScopes() {
	n := a.scopes.len()
	a.slide.grow(n)
	a.history.grow(n)
	for len(a.running) < n {
		a.running = append(a.running, running{end: noSecond, final: true, wall: noTime})
	}
	a.batches = slices.Grow(a.batches, n-len(a.batches))[:n]
}

// settle writes the trending lists of whole minutes that the watermark has
// passed since the last call.
func (a *Aggregator) settle(now orders.Time) {
	closed := a.trend.units.closed
	if a.marks.now == noTime || closed != noSecond && a.marks.now < (closed+60).time() {
		return
	}
	if err := a.settleTrending(now); err != nil && a.err == nil {
		a.err = err
	}
}

// emit appends a record whose value the given function writes.
func (a *Aggregator) emit(topic, key string, now orders.Time, write func([]byte) []byte) {
	a.out = append(a.out, Record{Topic: topic, Key: key, Value: write(make([]byte, 0, 512)), At: now})
}
