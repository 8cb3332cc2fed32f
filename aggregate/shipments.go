package aggregate

import (
	"livemap/feed"
	"livemap/orders"
)

// batch is what one scope accepted since the last Flush, but for its arcs.
type batch struct {
	of      int64
	at      orders.Time                 // highest event time
	latest  [feed.MaxLatest]latestOrder // newest first
	latests int
}

// latestOrder is as small as it can be, because while a backlog is read nearly
// every order is the latest for a moment.
type latestOrder struct {
	at       orders.Time
	amount   int64
	from, to *orders.KnownPlace
	product  productID // of the first line; noProduct: it is called name
	name     string
	currency [3]byte
}

// noProduct stands for a product without a number.
const noProduct = ^productID(0)

// ship takes an accepted order into the next shipments. first is the number of
// its first product, if it has one.
func (a *Aggregator) ship(o *prepared, country scopeID, lines []entryLine, first productID) {
	a.arcs.add(o.cells, country)
	a.batches[worldID].add(o, lines, first)
	if country != worldID {
		a.batches[country].add(o, lines, first)
	}
}

// add notes an order. Of equal times the one that came last is the newer.
func (b *batch) add(o *prepared, lines []entryLine, first productID) {
	if b.of == 0 {
		b.at = o.at
	}
	b.of++
	b.at = max(b.at, o.at)
	if b.latests == len(b.latest) {
		if o.at < b.latest[b.latests-1].at {
			return
		}
		b.latests--
	}
	at := b.latests
	for ; at > 0 && b.latest[at-1].at <= o.at; at-- {
		b.latest[at] = b.latest[at-1]
	}
	l := &b.latest[at]
	l.at, l.amount, l.from, l.to, l.product, l.currency = o.at, o.amount, o.from, o.to, first, o.currency
	if first == noProduct {
		l.name = ""
		if len(lines) > 0 {
			l.name = string(lines[0].name)
		}
	}
	b.latests++
}

// nameLatest replaces the numbers of products by their names.
func (a *Aggregator) nameLatest() {
	for i := range a.batches {
		b := &a.batches[i]
		for k := range b.latest[:b.latests] {
			if l := &b.latest[k]; l.product != noProduct {
				l.name, l.product = a.trend.units.names[l.product], noProduct
			}
		}
	}
}

func (b *batch) reset() { *b = batch{} }

// writeShipments appends one shipments record for each scope with orders.
func (a *Aggregator) writeShipments(now orders.Time) {
	a.arcs.rank()
	for _, id := range a.scopes.sorted {
		b := &a.batches[id]
		if b.of == 0 {
			continue
		}
		value := encodeShipments(a.shipmentsRecord(b, id, now))
		a.out = append(a.out, Record{Topic: feed.TopicShipments, Key: a.scopes.names[id], Value: value, At: now})
		b.reset()
	}
	a.arcs.reset()
}

func (a *Aggregator) shipmentsRecord(b *batch, id scopeID, now orders.Time) *feed.Shipments {
	record := &feed.Shipments{
		V: feed.Version, Scope: a.scopes.names[id], At: b.at, Of: b.of, Arcs: a.arcs.best[id].record(),
		Latest: make([]feed.Latest, 0, b.latests), EmittedAt: now,
	}
	for _, arc := range record.Arcs {
		record.Shown += arc.N
	}
	for i := range b.latest[:b.latests] {
		l := &b.latest[i]
		product := l.name
		if l.product != noProduct {
			product = a.trend.units.names[l.product]
		}
		named, known := a.class.find(product, l.at)
		if !known {
			named.title = unclassifiedTitle
		}
		record.Latest = append(record.Latest, feed.Latest{
			At: l.at, Title: named.title, Amount: l.amount, Currency: string(l.currency[:]), From: l.from.City, To: l.to.City,
		})
	}
	return record
}

// encodeShipments encodes a record within feed.MaxShipmentsBytes: arcs go from
// the end, and then latest orders, until it fits.
func encodeShipments(record *feed.Shipments) []byte {
	for {
		value := appendShipments(make([]byte, 0, 1024+64*len(record.Arcs)), record)
		if len(value) <= feed.MaxShipmentsBytes {
			return value
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
