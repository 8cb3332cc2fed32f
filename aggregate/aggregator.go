package aggregate

import (
	"fmt"
	"slices"

	"livemap/orders"
)

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
	UnitsLeftOut int64 // units that trending had no room for, see Config.MaxProductBytes
	OpenPanes    int
	Panes        int
	ShopperPairs int   // (shopper, country) entries held
	ProductCells int   // (product, scope, minute) counts held
	ProductBytes int64 // memory of the products, at most
	Scopes       int
}

// Aggregator is the whole state of the aggregation. It is not safe for
// concurrent use; see [Aggregator.Share] for how it uses more than one core.
type Aggregator struct {
	cfg      Config
	currency string
	since    second
	lateness orders.Time
	class    *Classification
	preparer *Preparer // of orders that come one by one
	one      Prepared  // likewise

	marks  *watermarks
	scopes *scopes

	panes    *panes
	shoppers *shopperTable
	sketches sketches
	lastOver second // the closed windows' end when a sketch was needed last
	slide    slider // the closed windows
	ahead    slider // scratch: slide, moved on to the head
	closed   closedWindows

	running []running // by scopeID
	history history
	trend   *trending
	batches []batch // by scopeID
	arcs    arcs

	out     []Record
	err     error // of encoding a record, returned by the next Flush
	changes changes
	most    int // bytes of panes, and of minutes, that a Flush puts into the checkpoint; see pace.go

	lanes       lanes
	adding      *Prepared // nil: none
	corrections []entry   // not yet applied

	// Written with every order, by who adds, and so away from what the lanes read.
	_       [64]byte
	highest orders.Time // highest at of an accepted order
	settled orders.Time // the watermark at which trending lists are next due, noTime: at once
	touched uint64      // see touch
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
		preparer: NewPreparer(cfg),
		marks:    newWatermarks(cfg.Disorder, cfg.Idle),
		scopes:   newScopes(),
		highest:  noTime,
		lastOver: noSecond,
		settled:  noTime,
		lanes:    lanes{least: leastHanded},
		trend:    newTrending(cfg.MaxProductBytes),
		slide:    slider{end: noSecond},
		history:  history{newest: noSecond},
		changes:  changes{minutes: map[second]int{}, sealed: noSecond},
	}
	a.most = maxFlushBytes
	a.shoppers = newShopperTable(int(a.reach()) + minTrackedAhead)
	a.panes = newPanes(a.shoppers.span)
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
		a.complete()
		a.paceWatermark()
	}
}

// Watermark returns the watermark; ok is false before it is known.
func (a *Aggregator) Watermark() (at orders.Time, ok bool) {
	return a.marks.now, a.marks.now != noTime
}

// WindowDue reports whether the next Flush makes a window final.
func (a *Aggregator) WindowDue() bool {
	return a.slide.end != noSecond && a.marks.now != noTime && secondOf(a.marks.now) > a.slide.end
}

// Held reports whether the watermark waits for the next Flush, which writes only so
// much at a time: orders that are added until then stay in open panes.
func (a *Aggregator) Held() bool { return a.marks.held() }

// PartitionWatermark returns a partition's watermark; ok is false if the
// partition has had no order.
func (a *Aggregator) PartitionWatermark(partition int32) (at orders.Time, ok bool) {
	if int(partition) >= len(a.marks.parts) {
		return noTime, false
	}
	at = a.marks.of(a.marks.parts[partition])
	return at, at != noTime
}

// Stats returns the counters and sizes.
func (a *Aggregator) Stats() Stats {
	a.complete()
	s := a.stats
	s.UnitsLeftOut = a.trend.units.leftOut
	s.Panes = len(a.panes.ordered)
	s.OpenPanes = len(a.panes.from(a.slide.end))
	s.ShopperPairs = a.shoppers.used
	s.ProductCells = a.trend.units.cells
	s.ProductBytes = a.trend.units.bytes()
	s.Scopes = a.scopes.len()
	return s
}

// country returns the scope of a country and makes room for a new one.
func (a *Aggregator) country(slot int16) scopeID {
	id := a.scopes.country(slot)
	if int(id) >= len(a.running) {
		a.catchUp()
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
	a.arcs.grow(n)
}

// settle writes the trending lists of whole minutes that the watermark has
// passed since the last call.
func (a *Aggregator) settle(now orders.Time) {
	if a.marks.now == noTime || a.marks.now < a.settled {
		return
	}
	a.complete()
	if err := a.settleTrending(now); err != nil && a.err == nil {
		a.err = err
	}
	a.settled = (a.trend.units.closed + 60).time()
}

// emit appends a record whose value the given function writes.
func (a *Aggregator) emit(topic, key string, now orders.Time, write func([]byte) []byte) {
	a.out = append(a.out, Record{Topic: topic, Key: key, Value: write(make([]byte, 0, 512)), At: now})
}
