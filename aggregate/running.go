package aggregate

import (
	"livemap/feed"
	"livemap/orders"
)

// running is the state of one metrics key: the running sliding minute of a
// scope as it was emitted last.
type running struct {
	end     second
	figures figures
	total   sums
	final   bool
	wall    orders.Time // when an early record was emitted last
}

// zero reports whether the last record held no order.
func (r *running) zero() bool { return r.figures.orders == 0 }

// head returns the window that early records show: the one that just holds the
// newest order, no further than the clock and than shoppers are tracked, and
// never before the closed windows.
func (a *Aggregator) head(now orders.Time) second {
	end := min(secondOf(a.highest), secondOf(now)) + 1
	end = min(end, a.shoppers.base+second(a.shoppers.span))
	return max(end, a.slide.end)
}

// writeMetrics appends at most one metrics record per scope: the early one of
// the head if it is due, otherwise the final one of the newest closed window
// unless a later window was already shown.
func (a *Aggregator) writeMetrics(now orders.Time) {
	a.ahead.copyFrom(&a.slide)
	if a.slide.end == noSecond {
		first, ok := a.panes.next(noSecond)
		if !ok {
			return
		}
		a.ahead.end = first
	}
	a.ahead.advance(a.head(now), a.panes, a.since, func(*slider) {})
	var early, final *slider // as shown: with estimates where needed
	for _, id := range a.scopes.sorted {
		r := &a.running[id]
		due := now-r.wall >= orders.Time(a.cfg.EarlyInterval.Milliseconds())
		if due && a.ahead.end > a.slide.end && a.ahead.end >= r.end {
			if early == nil {
				early = a.estimatedSlider(&a.ahead)
			}
			if r.outdated(early, id, false) {
				r.wall = now
				a.writeRunning(id, early, false, now)
				continue
			}
		}
		if a.slide.end >= r.end {
			if final == nil {
				final = a.estimatedSlider(&a.slide)
			}
			if r.outdated(final, id, true) {
				a.writeRunning(id, final, true, now)
			}
		}
	}
}

// outdated reports whether the window of s says something about a scope that
// its last record did not. Of an empty window one record with zeros is enough,
// and a second one once it is final.
func (r *running) outdated(s *slider, id scopeID, final bool) bool {
	changed := r.figures != s.now[id] || r.total != s.total[id]
	if s.now[id].orders == 0 && r.zero() {
		return changed || final && !r.final
	}
	return changed || s.end != r.end || final && !r.final
}

func (a *Aggregator) writeRunning(id scopeID, s *slider, final bool, now orders.Time) {
	r := &a.running[id]
	r.end, r.figures, r.total, r.final = s.end, s.now[id], s.total[id], final
	a.emit(feed.TopicMetrics, a.scopes.names[id], now, func(b []byte) []byte {
		return appendWindow(b, windowRecord{
			scope: a.scopes.names[id], end: s.end, revision: neverWritten,
			figures: r.figures, total: r.total, final: final, emitted: now,
		}, a.currency, a.cfg.TotalSince)
	})
}
