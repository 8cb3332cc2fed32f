package aggregate

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"livemap/feed"
	"livemap/orders"
)

const (
	// cellsPerDegree makes the cells of the map half a degree wide.
	cellsPerDegree = 2
	// maxArcCells bounds the origin-destination cells counted for one batch and
	// scope. Orders of further cells are in Of and not among the arcs.
	maxArcCells = 4096
)

// arcCells is an origin and a destination cell: latitude and longitude of each
// in half degrees. Their order as a number is the order in which equal arcs are
// listed.
type arcCells struct{ fromLat, fromLon, toLat, toLon int16 }

func cellsOf(from, to orders.Place) arcCells {
	return arcCells{halfDegrees(from.Lat), halfDegrees(from.Lon), halfDegrees(to.Lat), halfDegrees(to.Lon)}
}

func halfDegrees(degrees float64) int16 { return int16(math.Round(degrees * cellsPerDegree)) }

func (a arcCells) compare(b arcCells) int {
	return cmp.Or(cmp.Compare(a.fromLat, b.fromLat), cmp.Compare(a.fromLon, b.fromLon),
		cmp.Compare(a.toLat, b.toLat), cmp.Compare(a.toLon, b.toLon))
}

// batch is what one scope accepted since the last Flush.
type batch struct {
	of     int64
	at     orders.Time // highest event time
	arcs   map[arcCells]int64
	latest []latestOrder // newest first, at most feed.MaxLatest
}

type latestOrder struct {
	at       orders.Time
	product  string
	amount   int64
	currency string
	from, to string
}

func (b *batch) add(o *orders.Order, cells arcCells) {
	if b.of == 0 {
		b.at = o.At
	}
	b.of++
	b.at = max(b.at, o.At)
	if b.arcs == nil {
		b.arcs = map[arcCells]int64{}
	}
	if _, known := b.arcs[cells]; known || len(b.arcs) < maxArcCells {
		b.arcs[cells]++
	}
	b.noteLatest(o)
}

// noteLatest keeps the newest orders; of equal times the one that came last is
// the newer.
func (b *batch) noteLatest(o *orders.Order) {
	n := len(b.latest)
	if n == feed.MaxLatest && o.At < b.latest[n-1].at {
		return
	}
	l := latestOrder{at: o.At, amount: o.Amount, currency: o.Currency, from: o.From.City, to: o.To.City}
	if len(o.Lines) > 0 {
		l.product = o.Lines[0].Product
	}
	at := 0
	for at < n && b.latest[at].at > l.at {
		at++
	}
	b.latest = slices.Insert(b.latest, at, l)
	if len(b.latest) > feed.MaxLatest {
		b.latest = b.latest[:feed.MaxLatest]
	}
}

func (b *batch) reset() {
	clear(b.arcs)
	clear(b.latest)
	b.of, b.latest = 0, b.latest[:0]
}

// writeShipments appends one shipments record for each scope with orders.
func (a *Aggregator) writeShipments(now orders.Time) error {
	for _, id := range a.scopes.sorted {
		b := &a.batches[id]
		if b.of == 0 {
			continue
		}
		value, err := encodeShipments(a.shipmentsRecord(b, a.scopes.names[id], now))
		if err != nil {
			return err
		}
		a.out = append(a.out, Record{Topic: feed.TopicShipments, Key: a.scopes.names[id], Value: value, At: now})
		b.reset()
	}
	return nil
}

func (a *Aggregator) shipmentsRecord(b *batch, scope string, now orders.Time) *feed.Shipments {
	record := &feed.Shipments{
		V: feed.Version, Scope: scope, At: b.at, Of: b.of, Arcs: b.list(),
		Latest: make([]feed.Latest, 0, len(b.latest)), EmittedAt: now,
	}
	for _, arc := range record.Arcs {
		record.Shown += arc.N
	}
	for _, l := range b.latest {
		named, known := a.class.find(l.product, l.at)
		if !known {
			named.title = unclassifiedTitle
		}
		record.Latest = append(record.Latest, feed.Latest{
			At: l.at, Title: named.title, Amount: l.amount, Currency: l.currency, From: l.from, To: l.to,
		})
	}
	return record
}

// list returns the arcs with most orders, at most feed.MaxArcs.
func (b *batch) list() []feed.Arc {
	type counted struct {
		cells arcCells
		n     int64
	}
	all := make([]counted, 0, len(b.arcs))
	for cells, n := range b.arcs {
		all = append(all, counted{cells, n})
	}
	slices.SortFunc(all, func(x, y counted) int {
		return cmp.Or(cmp.Compare(y.n, x.n), x.cells.compare(y.cells))
	})
	arcs := make([]feed.Arc, 0, min(len(all), feed.MaxArcs))
	for _, c := range all[:min(len(all), feed.MaxArcs)] {
		arcs = append(arcs, feed.Arc{
			From: feed.Degrees{float64(c.cells.fromLat) / cellsPerDegree, float64(c.cells.fromLon) / cellsPerDegree},
			To:   feed.Degrees{float64(c.cells.toLat) / cellsPerDegree, float64(c.cells.toLon) / cellsPerDegree},
			N:    c.n,
		})
	}
	return arcs
}

// encodeShipments encodes a record within feed.MaxShipmentsBytes: arcs go from
// the end, and then latest orders, until it fits.
func encodeShipments(record *feed.Shipments) ([]byte, error) {
	for {
		value, err := json.Marshal(record)
		if err != nil || len(value) <= feed.MaxShipmentsBytes {
			return value, err
		}
		if n := len(record.Arcs); n > 0 {
			// At least as many as the excess needs, at most 57 bytes each.
			drop := min(n, (len(value)-feed.MaxShipmentsBytes+56)/57)
			for _, arc := range record.Arcs[n-drop:] {
				record.Shown -= arc.N
			}
			record.Arcs = record.Arcs[:n-drop]
			continue
		}
		record.Latest = record.Latest[:len(record.Latest)-1]
	}
}
