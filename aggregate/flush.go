package aggregate

import (
	"fmt"

	"livemap/orders"
)

// Flush applies the idle rule at the wall clock now, closes the windows that
// the watermark has passed, and hands out everything since the last Flush:
// records in a fixed order and the changes of the state. The caller writes both
// in one transaction; if it cannot, it must drop the Aggregator and Restore.
// The error is that of encoding a record, and as final.
func (a *Aggregator) Flush(now orders.Time) (Output, error) {
	a.complete()
	a.marks.tick(now)
	a.settle(now)
	a.sketchCorrected()
	if a.marks.now != noTime {
		a.closeThrough(secondOf(a.marks.now))
	}
	a.writeWindows(now)
	a.writeShipments(now)
	steps := []func(orders.Time) error{a.writeHistory}
	if a.marks.replaying == 0 { // otherwise open panes would show too little
		a.writeMetrics(now)
		steps = append(steps, a.writeEarlyTrending)
	}
	for _, step := range steps {
		if err := step(now); err != nil && a.err == nil {
			a.err = err
		}
	}
	if a.err != nil {
		return Output{}, fmt.Errorf("aggregate: encode: %w", a.err)
	}
	a.saturate()
	a.settlePeaks(secondOf(a.marks.now - a.lateness))
	a.saveChanges()
	out := Output{Records: a.out, Changes: a.takeChanges()}
	a.out = nil
	a.prune()
	a.paceWatermark()
	return out, nil
}

// closeThrough closes every window up to the one that ends at to. It goes in
// stretches for which shoppers are tracked, because after a jump of the
// watermark there can be more open panes than the shopper table covers.
func (a *Aggregator) closeThrough(to second) {
	if a.slide.end == noSecond {
		a.slide.end = to
		if first, ok := a.panes.next(noSecond); ok {
			a.slide.end = min(first, to)
		}
	}
	from := a.slide.end
	for a.slide.end < to {
		if a.slide.empty() {
			next, ok := a.panes.next(a.slide.end)
			if !ok || next >= to {
				a.slide.end = to
				break
			}
			a.slide.end = next
		}
		a.trackFrom(a.slide.end - a.reach())
		reach := min(to, a.shoppers.base+second(a.shoppers.span))
		a.slide.advance(reach, a.panes, a.since, func(s *slider) {
			if a.over(s.now) {
				a.startSketching() // while the table still reaches back so far
			}
			a.closeWindow(s)
		})
	}
	a.trackFrom(a.slide.end - a.reach())
	for _, p := range a.panes.from(from) {
		if p.start >= a.slide.end {
			break
		}
		a.closePane(p)
	}
}

// closePane puts a pane into the checkpoint and lets go of what only open panes
// keep.
func (a *Aggregator) closePane(p *pane) {
	if p.open == nil {
		return
	}
	u := a.trend.units
	u.pending -= len(p.open.units.list)
	p.open.units.coalesce(&u.scratch)
	a.savePane(p)
	if a.panes.sketching {
		p.sketch, p.sketched = sketchOf(p.open.shoppers.pairs), true
	}
	a.panes.recycle(p)
}

// prune forgets what no coming order can reach.
func (a *Aggregator) prune() {
	if a.marks.now == noTime {
		return
	}
	earliest := a.marks.now - a.lateness
	a.closed.dropThrough(secondOf(earliest))
	a.panes.dropBefore(a.slide.end - a.reach())
	a.stopSketching()
	a.history.dropThrough(a.oldestMinute())
	for _, p := range a.marks.parts {
		p.seen.forget(earliest)
	}
}
