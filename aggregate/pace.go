package aggregate

// maxFlushBytes bounds what one Flush puts into the checkpoint of panes, and of
// minutes, however far the watermark could go: the next Flush goes on. A single
// pane or minute may have more (see maxMinuteCells), and input that came since
// the last Flush adds to it.
const maxFlushBytes = 24 << 20

// paceWatermark says how far the watermark may go before the next Flush, so
// that what it then closes is not too much for one transaction. It is the
// watermark that waits and not the writing: figures, positions and checkpoint
// stay in step, and all that shows is that windows become final some flushes
// later. It always leaves room for one more pane and one more minute.
func (a *Aggregator) paceWatermark() {
	most, total := anyTime, 0
	for _, q := range a.panes.from(a.slide.end) {
		n := q.wireBytes()
		if total > 0 && total+n > a.most {
			most = q.start.time()
			break
		}
		total += n
	}
	u := a.trend.units
	first, _ := u.index(a.changes.sealed)
	total = 0
	for _, m := range u.buckets[first:] {
		if total > 0 && total+m.wire > a.most {
			most = min(most, (m.start+60).time()+a.lateness-1)
			break
		}
		total += m.wire
	}
	a.marks.pace(most)
}

// wireBytes returns about how many bytes a pane has in the checkpoint.
func (q *pane) wireBytes() int {
	const cellBytes, pairBytes, idBytes = 24, 11, 16
	n := len(q.cells) * cellBytes
	if q.open != nil {
		n += len(q.open.shoppers.pairs)*pairBytes + len(q.open.ids)*idBytes + q.open.units.wire
	}
	return n
}
