package aggregate

import "math/bits"

// Closed panes have sketches only while some window holds more shoppers than are
// counted exactly, or did a moment ago. Until then the shopper table knows in which
// panes each of them was, and sketches of all panes can be made of it when the first
// is needed: they would be 100 MB at a million shoppers a minute, and hardly anybody
// ever needs them.
//
// That works because the table forgets only panes out of reach and those that are
// saturated, and before the first is there are sketches.

// startSketching makes the sketches of all closed panes, unless they are there.
func (a *Aggregator) startSketching() {
	a.lastOver = max(a.lastOver, a.slide.end)
	if a.panes.sketching {
		return
	}
	a.panes.sketching = true
	t := a.shoppers
	for i, key := range t.keys {
		if key == 0 {
			continue
		}
		entry := t.entry(i)
		p, newest := pair{hash: key, country: countryOf(entry)}, newestOf(entry)
		for w, rest := range entry[1:] {
			for ; rest != 0; rest &= rest - 1 {
				s := newest - second(w*64+bits.TrailingZeros64(rest))
				if q := a.panes.get(s); q != nil && q.open == nil {
					q.sketch = append(q.sketch, sketchEntry(p))
				}
			}
		}
	}
	for _, q := range a.panes.ordered {
		q.sketched = q.open == nil
	}
}

// stopSketching lets go of all sketches when none has been needed for as long as a
// pane is in reach, and the table has every pane.
func (a *Aggregator) stopSketching() {
	if !a.panes.sketching || a.slide.end-a.lastOver <= a.reach() {
		return
	}
	for _, q := range a.panes.ordered {
		if q.saturated {
			return
		}
	}
	a.panes.sketching = false
	for _, q := range a.panes.ordered {
		q.sketch, q.sketched = nil, false
	}
}

// sketchCorrected starts sketching if a correction has brought a closed window over
// the limit: what it needs may be out of the table's reach once others are closed.
func (a *Aggregator) sketchCorrected() {
	for _, w := range a.closed.ordered {
		if w.dirty && w.pairs() > a.cfg.MaxShopperPairs {
			a.startSketching()
			return
		}
	}
}
