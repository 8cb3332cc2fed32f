package aggregate

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
)

// Change is one record of the aggregator's own state, for a compacted topic; a
// nil Value removes its key. See wire.go for the encoding.
//
// The state is written as it comes to rest. An open pane is not written at all:
// it changes with every order, and reading its orders again after a restart
// costs a few seconds of input. A closed pane is written once, and corrections
// of it are written as what they add. So each order is written about once,
// however often Flush is called.
//
//	head             positions, watermarks, and per scope totals, peaks and
//	                 what was emitted last; written whenever it changed
//	pane/S/N         the pane that starts at second S, when it is closed: sums,
//	                 shoppers, ids, units; removed when out of reach
//	late/F/N         the corrections of flush F and the windows that they
//	                 revised; removed when out of reach
//	minute/S/N       the whole minute that starts at second S, when no
//	                 correction can reach it: its window and units; removed
//	                 after an hour
//	trending/N       the scopes whose last final list was not empty
type Change struct {
	Key   string
	Value []byte
}

// keyHead is the key of the one record that every checkpoint has.
const keyHead = "head"

// changes collects what the next Flush writes to the checkpoint.
type changes struct {
	list      []Change
	late      []entry        // corrections since the last Flush
	revised   []revision     // windows that this Flush wrote again
	flush     int64          // number of the last late record
	lateKeys  []lateKey      // late records that are still there
	minutes   map[second]int // minute records that are still there, and their parts
	sealed    second         // minutes that end here or before are written or empty
	trending  int            // parts of the trending record
	trendings bool           // the trending record changed
	head      []byte         // as written last
	part      []byte         // scratch of parts, at most MaxChangeBytes
}

type revision struct {
	end      second
	scope    scopeID
	revision int32
}

type lateKey struct {
	flush int64
	parts int
	end   second // of the closed windows at the time
}

// saveChanges completes the changes of a Flush. It runs when everything else is
// done but nothing has been forgotten yet.
func (a *Aggregator) saveChanges() {
	a.saveLate()
	if a.marks.now != noTime {
		a.saveMinutes()
	}
	a.saveTrending()
	a.removeOld()
	if head := a.encodeHead(); !bytes.Equal(head, a.changes.head) {
		a.changes.head = head
		a.changes.list = append(a.changes.list, Change{Key: keyHead, Value: head})
	}
}

func (a *Aggregator) takeChanges() []Change {
	list := a.changes.list
	a.changes.list = nil
	return list
}

// remove appends the tombstones of a record in parts.
func (c *changes) remove(prefix string, parts int) {
	for n := range parts {
		c.list = append(c.list, Change{Key: partKey(prefix, n)})
	}
}

func panePrefix(start second) string   { return "pane/" + strconv.FormatInt(int64(start), 10) }
func minutePrefix(start second) string { return "minute/" + strconv.FormatInt(int64(start), 10) }
func latePrefix(flush int64) string    { return "late/" + strconv.FormatInt(flush, 10) }

const trendingPrefix = "trending"

// savePane writes a pane that is being closed, unless it is out of reach
// already.
func (a *Aggregator) savePane(q *pane) {
	if q.start < a.slide.end-a.reach() {
		return
	}
	w := newParts(&a.changes, panePrefix(q.start))
	for id, c := range q.cells {
		if c.orders != 0 {
			w.entry(tagCell)
			w.b = appendCountry(w.b, a.scopes.codes[id])
			w.b = appendSums(w.b, c.sums)
		}
	}
	for _, p := range q.open.shoppers.pairs {
		w.entry(tagShopper)
		w.b = appendCountry(w.b, a.scopes.codes[p.country])
		w.b = binary.BigEndian.AppendUint64(w.b, p.hash)
	}
	for _, id := range q.open.ids {
		w.entry(tagID)
		w.b = binary.AppendVarint(w.b, int64(id.partition))
		w.b = binary.AppendVarint(w.b, int64(id.offset))
		w.b = binary.BigEndian.AppendUint64(w.b, id.hash)
	}
	for _, u := range q.open.units.list {
		a.appendUnits(w, q.open.units.minute.units.list[u.cell].key, u.n)
	}
	q.parts = w.close()
}

func (a *Aggregator) appendUnits(w *parts, key unitKey, n int64) {
	w.entry(tagUnits)
	w.b = appendCountry(w.b, a.scopes.codes[key.scope()])
	w.b = appendString(w.b, a.trend.units.names[key.product()])
	w.b = binary.AppendVarint(w.b, n)
}

// saveLate writes the corrections since the last Flush.
func (a *Aggregator) saveLate() {
	c := &a.changes
	if len(c.late) == 0 && len(c.revised) == 0 {
		return
	}
	c.flush++
	w := newParts(c, latePrefix(c.flush))
	for _, e := range c.late {
		w.entry(tagCorrection)
		w.b = a.appendCorrection(w.b, e)
	}
	for _, r := range c.revised {
		w.entry(tagRevision)
		w.b = appendCountry(w.b, a.scopes.codes[r.scope])
		w.b = binary.AppendVarint(w.b, int64(r.end))
		w.b = binary.AppendVarint(w.b, int64(r.revision))
	}
	c.lateKeys = append(c.lateKeys, lateKey{flush: c.flush, parts: w.close(), end: a.slide.end})
	clear(c.late)
	c.late, c.revised = c.late[:0], c.revised[:0]
}

// appendCorrection writes all that an order adds to a closed pane: country,
// partition, at, hashes of id and shopper, sums, and product and units of each
// line.
func (a *Aggregator) appendCorrection(b []byte, e entry) []byte {
	b = appendCountry(b, a.scopes.codes[e.country])
	b = binary.AppendVarint(b, int64(e.partition))
	b = binary.AppendVarint(b, int64(e.at))
	b = binary.BigEndian.AppendUint64(b, e.id)
	b = binary.BigEndian.AppendUint64(b, e.shopper)
	b = appendSums(b, e.sums)
	b = binary.AppendVarint(b, int64(len(e.lines)))
	for _, l := range e.lines {
		b = appendString(b, string(l.name))
		b = binary.AppendVarint(b, l.units)
	}
	return b
}

// saveMinutes writes the whole minutes that no correction can reach any more.
func (a *Aggregator) saveMinutes() {
	c := &a.changes
	through := secondOf(a.marks.now - a.lateness).minute()
	if through <= c.sealed {
		return
	}
	oldest := max(c.sealed, a.oldestMinute())
	starts := map[second]bool{}
	for _, m := range a.trend.units.buckets {
		starts[m.start] = true
	}
	for _, m := range a.history.minutes {
		starts[m.end-60] = true
	}
	for _, start := range slices.Sorted(maps.Keys(starts)) {
		if start >= oldest && start+60 <= through {
			a.saveMinute(start)
		}
	}
	c.sealed = through
}

// oldestMinute is the start of the oldest minute that history can still show.
func (a *Aggregator) oldestMinute() second { return a.slide.end.minute() - historySpan - 60 }

func (a *Aggregator) saveMinute(start second) {
	w := newParts(&a.changes, minutePrefix(start))
	if i, ok := a.history.index(start + 60); ok {
		for id, f := range a.history.minutes[i].cells {
			if f.orders != 0 {
				w.entry(tagMinute)
				w.b = appendCountry(w.b, a.scopes.codes[id])
				w.b = appendSums(w.b, f.sums)
				w.b = binary.AppendVarint(w.b, f.shoppers)
			}
		}
	}
	if i, ok := a.trend.units.index(start); ok {
		bucket := a.trend.units.buckets[i]
		for _, key := range bucket.units.sorted() {
			n, _ := bucket.units.get(key)
			a.appendUnits(w, key, n)
		}
	}
	a.changes.minutes[start] = w.close()
}

// saveTrending writes which lists were not empty, after new final lists.
func (a *Aggregator) saveTrending() {
	c := &a.changes
	if !c.trendings {
		return
	}
	w, before := newParts(c, trendingPrefix), c.trending
	for _, name := range slices.Sorted(maps.Keys(a.trend.had)) {
		w.entry(tagName)
		w.b = appendString(w.b, name)
	}
	c.trending, c.trendings = w.close(), false
	for n := c.trending; n < before; n++ {
		c.list = append(c.list, Change{Key: partKey(trendingPrefix, n)})
	}
}

// removeOld appends the tombstones of what is out of reach.
func (a *Aggregator) removeOld() {
	c, reach := &a.changes, a.slide.end-a.reach()
	for _, q := range a.panes.ordered {
		if q.start >= reach {
			break
		}
		c.remove(panePrefix(q.start), q.parts)
	}
	for len(c.lateKeys) > 0 && c.lateKeys[0].end < reach {
		c.remove(latePrefix(c.lateKeys[0].flush), c.lateKeys[0].parts)
		c.lateKeys = c.lateKeys[1:]
	}
	for _, start := range slices.Sorted(maps.Keys(c.minutes)) {
		if start < a.oldestMinute() {
			c.remove(minutePrefix(start), c.minutes[start])
			delete(c.minutes, start)
		}
	}
}

// noteRevision remembers that a window was written again.
func (c *changes) noteRevision(end second, id scopeID, n int32) {
	if n > 0 {
		c.revised = append(c.revised, revision{end: end, scope: id, revision: n})
	}
}
