package aggregate

import (
	"slices"

	"livemap/feed"
	"livemap/orders"
)

// neverWritten is the revision of a window that has not been written yet.
const neverWritten = -1

// windowCell is one scope of a closed window.
type windowCell struct {
	figures        // shoppers as tracked
	shown    int64 // shoppers as written last: tracked or estimated
	total    sums
	revision int32
	dirty    bool // to be written by the next Flush
}

// closedWindow is a window that the watermark has passed and that corrections
// can still reach.
type closedWindow struct {
	end       second
	cells     []windowCell // by scopeID
	dirty     bool         // some cell is
	estimated bool         // it held too many shoppers to count
}

// show notes and returns a scope's figures as they are to be written. estimates are
// those of Aggregator.estimates.
func (w *closedWindow) show(id scopeID, estimates []int64) figures {
	c := &w.cells[id]
	c.shown = c.shoppers
	if estimates != nil {
		c.shown = estimates[id]
	}
	return c.written()
}

// written returns the figures as they were written last.
func (c *windowCell) written() figures { return figures{sums: c.sums, shoppers: c.shown} }

func (w *closedWindow) mark(c *windowCell) { c.dirty, w.dirty = true, true }

// closedWindows holds the closed windows within reach, in order of time.
// Windows without an order are missing until a correction makes them.
type closedWindows struct {
	ordered []*closedWindow
	spare   []*closedWindow // for reuse
}

// maxSpareWindows bounds how many closed windows are kept for reuse.
const maxSpareWindows = 256

func (c *closedWindows) index(end second) (int, bool) {
	n := len(c.ordered)
	if n == 0 || c.ordered[n-1].end < end {
		return n, false
	}
	return slices.BinarySearchFunc(c.ordered, end, func(w *closedWindow, end second) int {
		return int(w.end - end)
	})
}

// fresh inserts an empty window that ends at end.
func (c *closedWindows) fresh(end second) *closedWindow {
	w := &closedWindow{}
	if n := len(c.spare); n > 0 {
		w, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	*w = closedWindow{end: end, cells: w.cells[:0]}
	at, _ := c.index(end)
	c.ordered = slices.Insert(c.ordered, at, w)
	return w
}

// dropThrough forgets windows that end at or before end.
func (c *closedWindows) dropThrough(end second) {
	n := 0
	for n < len(c.ordered) && c.ordered[n].end <= end {
		if len(c.spare) < maxSpareWindows {
			c.spare = append(c.spare, c.ordered[n])
		}
		n++
	}
	c.ordered = slices.Delete(c.ordered, 0, n)
}

// closeWindow keeps the slider's window as a closed one, to be written.
func (a *Aggregator) closeWindow(s *slider) {
	w := a.closed.fresh(s.end)
	for id := range s.now {
		w.cells = append(w.cells, windowCell{figures: s.now[id], total: s.total[id], revision: neverWritten})
		if s.now[id].orders > 0 {
			w.mark(&w.cells[id])
		}
	}
}

// correctWindows adds an order in a closed pane to every closed window after
// it: to the figures of those that hold the pane and to the totals of all. It
// runs before the order is in its pane and in the slider.
func (a *Aggregator) correctWindows(start second, ids []scopeID, o sums) {
	for end := start + 1; end <= a.slide.end; end++ {
		w := a.closedWindow(end)
		for _, id := range ids {
			c := a.cellOf(w, id)
			if end <= start+windowSeconds {
				c.figures.sums.add(o)
			}
			if start >= a.since {
				c.total.add(o)
			}
			w.mark(c)
		}
	}
}

// closedWindow returns the closed window that ends at end, an empty one if it
// held no order so far.
func (a *Aggregator) closedWindow(end second) *closedWindow {
	if i, ok := a.closed.index(end); ok {
		return a.closed.ordered[i]
	}
	return a.closed.fresh(end)
}

// cellOf returns a scope's cell of a closed window. Cells that were not there
// yet held no order; their totals are those of the scope without the panes
// that came after.
func (a *Aggregator) cellOf(w *closedWindow, id scopeID) *windowCell {
	for len(w.cells) <= int(id) {
		missing := scopeID(len(w.cells))
		c := windowCell{total: a.slide.total[missing], revision: neverWritten}
		for _, p := range a.panes.from(w.end) {
			if p.start >= a.slide.end {
				break
			}
			if p.start >= a.since && int(missing) < len(p.cells) {
				c.total.sub(p.cells[missing].sums)
			}
		}
		w.cells = append(w.cells, c)
	}
	return &w.cells[id]
}

// gainShopper writes down that the windows in g hold one more shopper of a
// scope: as steps of the panes for windows that are still to come, directly in
// those that are closed.
func (a *Aggregator) gainShopper(id scopeID, start second, g gain) {
	if g.from > g.to {
		return
	}
	r := a.panes.steps
	if g.prev != noSecond && g.prev+windowSeconds >= start {
		r.of(g.prev, id).leave++
	} else {
		r.of(start, id).enter++
	}
	if g.next != noSecond && g.next <= start+windowSeconds {
		r.of(g.next, id).enter--
	} else {
		r.of(start, id).leave--
	}
	for end := g.from; end <= min(g.to, a.slide.end); end++ {
		a.cellOf(a.closedWindow(end), id).shoppers++
	}
	if g.from <= a.slide.end && a.slide.end <= g.to {
		a.slide.now[id].shoppers++
	}
}

// writeWindows appends a windows record for each dirty cell, and carries its
// figures on to the minutes.
func (a *Aggregator) writeWindows(now orders.Time) {
	a.history.newest = max(a.history.newest, a.slide.end.minute())
	for _, w := range a.closed.ordered {
		if !w.dirty {
			continue
		}
		w.dirty = false
		estimates := a.estimates(w)
		for _, id := range a.scopes.sorted {
			if int(id) >= len(w.cells) || !w.cells[id].dirty {
				continue
			}
			c := &w.cells[id]
			c.dirty = false
			if c.orders == 0 {
				continue
			}
			c.revision++
			a.changes.noteRevision(w.end, id, c.revision)
			shown := w.show(id, estimates)
			a.noteFinal(w.end, id, shown)
			a.emit(feed.TopicWindows, a.scopes.names[id], now, func(b []byte) []byte {
				return appendWindow(b, windowRecord{
					scope: a.scopes.names[id], end: w.end, revision: c.revision,
					figures: shown, total: c.total, final: true, emitted: now,
				}, a.currency, a.cfg.TotalSince)
			})
		}
	}
}
