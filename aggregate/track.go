package aggregate

// addShopper notes a shopper in a pane, now or, if the pane lies beyond what the
// shopper table covers, when the table gets there.
func (a *Aggregator) addShopper(q *pane, p pair) {
	a.shoppers.room(1)
	a.addShopperFrom(home(tableKey(p.hash), len(a.shoppers.keys)), q, p)
}

// addShopperFrom does so where the table has room and its search can begin at slot.
func (a *Aggregator) addShopperFrom(slot int, q *pane, p pair) {
	if !a.shoppers.covers(q.start) || q.saturated || a.gain(a.shoppers.addFrom(slot, p.hash, p.country, q.start), q, p) {
		q.notePair(p)
	}
}

// track takes a pair into the shopper table and into the windows that gain. It
// reports whether the pair is new to the pane.
func (a *Aggregator) track(q *pane, p pair) bool {
	return a.gain(a.shoppers.add(p.hash, p.country, q.start), q, p)
}

// gain takes what the shopper table said of a pair into the windows that gain.
func (a *Aggregator) gain(seen sighting, q *pane, p pair) bool {
	if !seen.freshCountry {
		return false // nor is it new to the world
	}
	if p.country != worldID {
		a.gainShopper(p.country, q.start, seen.country)
	}
	if seen.freshWorld {
		a.gainShopper(worldID, q.start, seen.world)
	}
	return true
}

// notePair keeps a pair for the checkpoint and the sketch of an open pane, or
// adds it to the sketch of a closed one.
func (q *pane) notePair(p pair) {
	if q.open != nil {
		s := q.open.shoppers
		s.pairs = append(s.pairs, p)
	} else if q.sketched {
		q.sketch = append(q.sketch, sketchEntry(p))
	}
}

// coverStart makes the shopper table reach back to pane s. That is needed only
// before the first windows are closed, when nothing says yet how far back
// orders can be.
func (a *Aggregator) coverStart(s second) {
	if a.shoppers.base == noSecond || s < a.shoppers.base {
		a.catchUp()
		a.trackAgain(s - windowSeconds)
	}
}

// trackFrom moves the start of the shopper table and takes in the panes that it
// covers now. Before the first windows are closed it may move back.
func (a *Aggregator) trackFrom(base second) {
	if a.shoppers.base == noSecond || base < a.shoppers.base {
		a.trackAgain(base)
		return
	}
	covered := a.shoppers.base + second(a.shoppers.span)
	a.shoppers.base = base
	a.trackPanes(max(base, covered))
}

// trackAgain builds the shopper table anew from the open panes.
func (a *Aggregator) trackAgain(base second) {
	a.shoppers.reset(base)
	a.panes.steps.reset()
	a.trackPanes(base)
}

// trackPanes takes the open panes from from on into the table, as far as it
// covers them.
func (a *Aggregator) trackPanes(from second) {
	for _, q := range a.panes.from(from) {
		if !a.shoppers.covers(q.start) {
			return
		}
		if q.open == nil || q.saturated {
			continue
		}
		kept := q.open.shoppers.pairs[:0]
		for _, p := range q.open.shoppers.pairs {
			if a.track(q, p) {
				kept = append(kept, p)
			}
		}
		q.open.shoppers.pairs = kept
	}
}

// pairsOf returns how many (shopper, scope) pairs a window holds.
func pairsOf(now []figures) int {
	var n int64
	for i := range now {
		n += now[i].shoppers
	}
	return int(n)
}

// over reports whether a window holds more pairs than are counted exactly.
func (a *Aggregator) over(now []figures) bool { return pairsOf(now) > a.cfg.MaxShopperPairs }

// estimatedSlider returns s if its shoppers are counted exactly, otherwise a
// copy with estimates.
func (a *Aggregator) estimatedSlider(s *slider) *slider {
	if !a.over(s.now) {
		return s
	}
	a.startSketching()
	estimated := &slider{}
	estimated.copyFrom(s)
	for id, n := range a.sketches.estimates(a.panes, s.end, len(s.now)) {
		estimated.now[id].shoppers = n
	}
	return estimated
}

// pairs returns how many (shopper, scope) pairs the window holds.
func (w *closedWindow) pairs() int {
	var n int64
	for i := range w.cells {
		n += w.cells[i].shoppers
	}
	return int(n)
}

// estimates returns nil if the shoppers of a closed window are counted exactly,
// otherwise an estimate for each scope. When a correction makes the window
// cross the limit, all its scopes are to be written.
func (a *Aggregator) estimates(w *closedWindow) []int64 {
	if w.pairs() <= a.cfg.MaxShopperPairs {
		return nil
	}
	if !w.estimated {
		w.estimated = true
		for i := range w.cells {
			w.cells[i].dirty = true
		}
	}
	a.startSketching()
	return a.sketches.estimates(a.panes, w.end, len(w.cells))
}

// saturate finds the panes of which every window that can still be written
// holds more pairs than are counted exactly. Counts never fall, so nothing that
// is used depends on those panes' shoppers: they are not tracked any more, and
// the shopper table may forget them. That bounds the table: what it must
// remember is at most MaxShopperPairs for each minute that it covers.
func (a *Aggregator) saturate() {
	if 2*a.shoppers.used <= a.cfg.MaxShopperPairs || a.slide.end == noSecond {
		return
	}
	over := map[second]bool{}
	for _, w := range a.closed.ordered {
		over[w.end] = w.pairs() > a.cfg.MaxShopperPairs
	}
	a.ahead.copyFrom(&a.slide)
	limit := a.shoppers.base + second(a.shoppers.span) + windowSeconds
	a.ahead.advance(limit, a.panes, a.since, func(s *slider) {
		over[s.end] = a.over(s.now)
	})
	written := secondOf(a.marks.now - a.lateness) // windows up to here stay as they are
	t := a.shoppers
	t.saturatedFrom, t.saturated = t.base, append(t.saturated[:0], make([]bool, t.span)...)
	for _, q := range a.panes.from(t.base) {
		if !t.covers(q.start) {
			break
		}
		end := max(q.start, written) + 1
		for end <= q.start+windowSeconds && over[end] {
			end++
		}
		if end > q.start+windowSeconds && !q.saturated {
			a.startSketching() // the table forgets the pane
			q.saturated = true
		}
		t.saturated[q.start-t.base] = q.saturated
	}
}
