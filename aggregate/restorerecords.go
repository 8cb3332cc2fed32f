package aggregate

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
)

func (r *restorer) readPanes() error {
	list, err := r.take("pane")
	if err != nil {
		return err
	}
	a := r.a
	a.slide.end = r.end
	if r.end != noSecond {
		a.shoppers.reset(r.end - a.reach())
		if len(list) > 0 {
			a.slide.end = min(a.slide.end, second(list[0].n))
		}
	}
	for _, rec := range list {
		if r.end == noSecond || second(rec.n) >= r.end || second(rec.n) < a.shoppers.base {
			return fmt.Errorf("record %q: the pane is not one of those closed within reach", rec.prefix)
		}
		q := a.panes.closedAt(second(rec.n))
		q.parts = len(r.parts[rec.prefix])
	}
	// Reading panes is most of what a restart waits for, and what they hold goes into
	// tables that have nothing to do with each other. Each of the two reads all
	// entries and takes its own.
	var tables sync.WaitGroup
	var shoppersErr, idsErr error
	tables.Go(func() { shoppersErr = r.eachPane(list, r.paneShoppers, a.saturate) })
	tables.Go(func() { idsErr = r.eachPane(list, r.paneIDs, func() {}) })
	tables.Wait()
	for _, rec := range list {
		delete(r.parts, rec.prefix)
	}
	return cmp.Or(shoppersErr, idsErr)
}

// eachPane calls entry for every entry of the panes, and done after each pane.
func (r *restorer) eachPane(list []numbered, entry func(*pane, tag, *body), done func()) error {
	for _, rec := range list {
		q := r.a.panes.ordered[r.a.panes.index(second(rec.n))]
		if err := readParts(rec.prefix, r.parts[rec.prefix], func(t tag, in *body) { entry(q, t, in) }); err != nil {
			return err
		}
		done()
	}
	return nil
}

// known returns the scope of a country that the head has: all that are in panes.
func (r *restorer) known(in *body) scopeID {
	slot, id := in.country(), worldID
	if slot != noCountry {
		if id = r.a.scopes.byCode[slot]; id == worldID && in.err == nil {
			in.err = errors.New("a country that the head does not have")
		}
	}
	return id
}

// paneShoppers takes the sums and shoppers of a pane.
func (r *restorer) paneShoppers(q *pane, t tag, in *body) {
	switch t {
	case tagCell:
		q.at(r.known(in)).sums = in.sums()
	case tagShopper:
		p := pair{country: r.known(in), hash: in.hash()}
		if in.err == nil {
			r.a.addShopper(q, p)
		}
	case tagID:
		in.partition()
		in.time()
		in.hash()
	case tagUnits:
		in.country()
		in.text()
		in.varint()
	default:
		t.unexpected(in)
	}
}

// paneIDs takes the ids and units of a pane.
func (r *restorer) paneIDs(q *pane, t tag, in *body) {
	a := r.a
	switch t {
	case tagCell:
		in.country()
		in.sums()
	case tagShopper:
		in.country()
		in.hash()
	case tagID:
		partition, at, hash := in.partition(), q.start.time()+in.time(), in.hash()
		if in.err == nil {
			a.marks.grow(int(partition) + 1)
			a.marks.parts[partition].seen.add(hash, at)
		}
	case tagUnits:
		country, product, n := r.known(in), in.text(), in.varint()
		if in.err == nil && q.start >= a.changes.sealed {
			a.trend.units.put(q.start.minute(), namedProduct(product), country, n)
		}
	default:
		t.unexpected(in)
	}
}

func (r *restorer) readLate() error {
	list, err := r.take("late")
	if err != nil {
		return err
	}
	for _, rec := range list {
		key := lateKey{flush: rec.n, parts: len(r.parts[rec.prefix]), end: r.end}
		r.a.changes.lateKeys = append(r.a.changes.lateKeys, key)
		if err := r.read(rec.prefix, r.lateEntry); err != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) lateEntry(t tag, in *body) {
	a := r.a
	switch t {
	case tagCorrection:
		e := r.correction(in)
		if in.err != nil || e.start < a.shoppers.base {
			return
		}
		if e.start < a.changes.sealed {
			e.lines = nil // in the minute's record
		}
		a.slide.end = min(a.slide.end, e.start)
		a.marks.grow(int(e.partition) + 1)
		a.fill(&e)
		a.marks.parts[e.partition].seen.add(e.id, e.at)
		for _, line := range e.lines {
			a.trend.units.put(e.start.minute(), line.product, e.country, line.units)
		}
	case tagRevision:
		id := a.country(in.country())
		r.revisions = append(r.revisions, revision{scope: id, end: in.second(), revision: int32(in.varint())})
	default:
		t.unexpected(in)
	}
}

// correction reads what appendCorrection wrote.
func (r *restorer) correction(in *body) entry {
	e := entry{country: r.a.country(in.country()), partition: in.partition(), at: in.time(), id: in.hash(), shopper: in.hash()}
	e.start = secondOf(e.at)
	e.sums = in.sums()
	n := in.varint()
	if n < 0 || n > int64(len(in.b)) {
		in.fail()
		return e
	}
	for range n {
		e.lines = append(e.lines, entryLine{product: productOf(in.string()), units: in.varint()})
	}
	return e
}

func (r *restorer) readMinutes() error {
	list, err := r.take("minute")
	if err != nil {
		return err
	}
	for _, rec := range list {
		start := second(rec.n)
		r.a.changes.minutes[start] = len(r.parts[rec.prefix])
		if err := r.read(rec.prefix, func(t tag, in *body) { r.minuteEntry(start, t, in) }); err != nil {
			return err
		}
	}
	if r.closed != noSecond {
		r.a.trend.units.close(r.closed)
	}
	return nil
}

func (r *restorer) minuteEntry(start second, t tag, in *body) {
	a := r.a
	switch t {
	case tagMinute:
		id, f := a.country(in.country()), figures{sums: in.sums(), shoppers: in.varint()}
		if in.err == nil {
			a.history.set(start+60, id, f)
		}
	case tagUnits:
		id, product, n := a.country(in.country()), in.text(), in.varint()
		if in.err == nil {
			a.trend.units.restore(start, a.trend.units.intern(namedProduct(product)), id, n)
		}
	default:
		t.unexpected(in)
	}
}

func (r *restorer) readTrending() error {
	a := r.a
	if len(r.parts[trendingPrefix]) > 0 {
		a.changes.trending = len(r.parts[trendingPrefix])
		err := r.read(trendingPrefix, func(t tag, in *body) {
			if t != tagName {
				t.unexpected(in)
				return
			}
			name := in.string()
			a.trend.had[name], a.trend.shown[name] = struct{}{}, 0
		})
		if err != nil {
			return err
		}
	}
	for prefix := range r.parts {
		return fmt.Errorf("record %q: unknown key", prefix)
	}
	return nil
}
