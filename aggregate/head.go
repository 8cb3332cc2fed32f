package aggregate

import "encoding/binary"

// Position is where a partition stands after a restart.
type Position struct {
	// Replay is the offset to read from: the first order of a pane that was
	// open. Add knows which records from there to Next it needs again.
	Replay int64
	// Next is the offset after the last record whose results were handed out.
	Next int64
}

// encodeHead writes the head record: settings that the state depends on, then
// times, partitions and scopes.
func (a *Aggregator) encodeHead() []byte {
	b := []byte{wireVersion}
	b = appendString(b, a.currency)
	for _, v := range []int64{
		int64(a.cfg.TotalSince), int64(a.lateness), int64(a.marks.now), int64(a.highest), int64(a.slide.end),
		int64(a.trend.units.closed), int64(a.changes.sealed), a.changes.flush, int64(len(a.marks.parts)),
	} {
		b = binary.AppendVarint(b, v)
	}
	for i, position := range a.positions() {
		b = binary.AppendVarint(b, position.Next)
		b = binary.AppendVarint(b, position.Replay)
		b = binary.AppendVarint(b, int64(a.marks.parts[i].highest))
	}
	b = binary.AppendVarint(b, int64(len(a.scopes.sorted)))
	for _, id := range a.scopes.sorted {
		b = a.appendScope(b, id)
	}
	return seal(keyHead, b)
}

func (a *Aggregator) appendScope(b []byte, id scopeID) []byte {
	b = appendCountry(b, a.scopes.codes[id])
	b = appendSums(b, a.slide.total[id])
	r, h := &a.running[id], &a.history.scopes[id]
	atRest := byte(0)
	if r.zero() && r.final {
		atRest = 1
	}
	b = append(b, atRest)
	for _, s := range []second{r.end, h.active, h.written} {
		b = binary.AppendVarint(b, int64(s))
	}
	for _, p := range h.settled.all() {
		b = binary.AppendVarint(b, p.value)
		b = binary.AppendVarint(b, int64(p.end))
	}
	return b
}

// positions returns where each partition would go on after a restart.
func (a *Aggregator) positions() []Position {
	list := make([]Position, len(a.marks.parts))
	for i, p := range a.marks.parts {
		list[i] = Position{Replay: p.next, Next: p.next}
	}
	for _, q := range a.panes.from(a.slide.end) {
		if q.open == nil {
			continue
		}
		for i, lowest := range q.open.lowest {
			if lowest >= 0 {
				list[i].Replay = min(list[i].Replay, lowest)
			}
		}
	}
	for i, p := range a.marks.parts {
		if p.replaying() {
			list[i].Replay = p.replay // not all of the open panes is here yet
		}
	}
	return list
}

// Positions returns where each partition known so far is to be read from, and
// up to where that repeats records.
func (a *Aggregator) Positions() map[int32]Position {
	positions := make(map[int32]Position, len(a.marks.parts))
	for i, p := range a.positions() {
		positions[int32(i)] = p
	}
	return positions
}
