package aggregate

import (
	"encoding/json"
	"slices"

	"livemap/feed"
	"livemap/orders"
)

// minuteFigures are the final windows that end at one whole minute.
type minuteFigures struct {
	end   second
	cells []figures // by scopeID
}

// peaks are the highest final windows of one scope. Of equal windows the
// earliest counts, so that the order of arrival does not show.
type peaks struct {
	orders, sales, shoppers, distanceM, carbonG peak
}

type peak struct {
	value int64
	end   second
}

func (p *peak) raise(value int64, end second) {
	if value > p.value || value == p.value && value > 0 && end < p.end {
		p.value, p.end = value, end
	}
}

func (p *peaks) raise(f figures, end second) {
	p.orders.raise(f.orders, end)
	p.sales.raise(f.sales, end)
	p.shoppers.raise(f.shoppers, end)
	p.distanceM.raise(f.distanceM, end)
	p.carbonG.raise(f.carbonG, end)
}

// all returns the peaks in the order of the checkpoint.
func (p *peaks) all() [5]*peak {
	return [5]*peak{&p.orders, &p.sales, &p.shoppers, &p.distanceM, &p.carbonG}
}

// scopeHistory is one key of the topic history.
type scopeHistory struct {
	settled peaks  // of windows that no correction can reach any more
	active  second // last whole minute that held an order, noSecond: none
	written second // window_end of the last record, noSecond: none
	dirty   bool   // a minute of the last record changed
}

// history keeps the last hour in whole minutes and the peaks.
type history struct {
	minutes []*minuteFigures // in order of time; those without an order are missing
	scopes  []scopeHistory   // by scopeID
	newest  second           // the whole minute that the last Flush came to
}

func (h *history) grow(n int) {
	for len(h.scopes) < n {
		h.scopes = append(h.scopes, scopeHistory{active: noSecond, written: noSecond})
	}
}

func (h *history) index(end second) (int, bool) {
	return slices.BinarySearchFunc(h.minutes, end, func(m *minuteFigures, end second) int {
		return int(m.end - end)
	})
}

// set stores a scope's figures of the minute that ends at end.
func (h *history) set(end second, id scopeID, f figures) {
	at, ok := h.index(end)
	if !ok {
		h.minutes = slices.Insert(h.minutes, at, &minuteFigures{end: end})
	}
	m := h.minutes[at]
	for len(m.cells) <= int(id) {
		m.cells = append(m.cells, figures{})
	}
	m.cells[id] = f
	s := &h.scopes[id]
	s.active = max(s.active, end)
}

// dropThrough forgets the minutes that end at or before end.
func (h *history) dropThrough(end second) {
	at, ok := h.index(end)
	if ok {
		at++
	}
	h.minutes = slices.Delete(h.minutes, 0, at)
}

// noteFinal takes a written window into the minutes, if it ends with a whole one,
// and notes whether a record that was written before says otherwise.
func (a *Aggregator) noteFinal(end second, id scopeID, f figures) {
	if end > a.history.newest {
		return
	}
	s := &a.history.scopes[id]
	s.dirty = s.dirty || end <= s.written
	if end == end.minute() {
		a.history.set(end, id, f)
	}
}

// settlePeaks raises the peaks to the windows that no correction can reach any more,
// which the checkpoint does not have: only their highest remain.
func (a *Aggregator) settlePeaks(through second) {
	for _, w := range a.closed.ordered {
		if w.end > through {
			return
		}
		for id := range w.cells {
			if c := &w.cells[id]; c.orders > 0 {
				a.history.scopes[id].settled.raise(c.written(), w.end)
			}
		}
	}
}

// peaksOf returns the peaks of a scope up to the newest whole minute. They are those
// of windows as they are now, and not as they were when they were written first: a
// correction can bring a window over the number of shoppers that are counted, and its
// estimate can be less than what it had. What was highest at some time would depend
// on when Flush was called.
func (a *Aggregator) peaksOf(id scopeID) peaks {
	p := a.history.scopes[id].settled
	for _, w := range a.closed.ordered {
		if w.end > a.history.newest {
			break
		}
		if int(id) < len(w.cells) && w.cells[id].orders > 0 {
			p.raise(w.cells[id].written(), w.end)
		}
	}
	return p
}

// historySpan is the time from the first minute's end to the last one's.
const historySpan = second(60 * (feed.HistoryMinutes - 1))

// writeHistory appends a history record for each scope that has a new whole
// minute or a corrected one. A scope's last record is that of the last minute
// at which it was active within the hour, however far the watermark jumped.
func (a *Aggregator) writeHistory(now orders.Time) error {
	for _, id := range a.scopes.sorted {
		s := &a.history.scopes[id]
		if s.active == noSecond {
			continue
		}
		end := min(a.history.newest, s.active+historySpan)
		if end <= s.written && !s.dirty {
			continue
		}
		s.written, s.dirty = end, false
		if err := a.emitJSON(feed.TopicHistory, a.scopes.names[id], now, a.historyRecord(id, end, now)); err != nil {
			return err
		}
	}
	return nil
}

func (a *Aggregator) historyRecord(id scopeID, end second, now orders.Time) *feed.History {
	var values [5][]int64
	for i := range values {
		values[i] = make([]int64, feed.HistoryMinutes)
	}
	first, _ := a.history.index(end - historySpan)
	for _, m := range a.history.minutes[first:] {
		if m.end > end || int(id) >= len(m.cells) {
			continue
		}
		i, f := int((m.end-end+historySpan)/60), m.cells[id]
		values[0][i], values[1][i], values[2][i] = f.orders, f.sales, f.shoppers
		values[3][i], values[4][i] = f.distanceM, f.carbonG
	}
	p := a.peaksOf(id)
	return &feed.History{
		V: feed.Version, Scope: a.scopes.names[id], WindowEnd: end.time(), Currency: a.currency,
		Orders: values[0], Sales: values[1], Shoppers: values[2], DistanceM: values[3], CarbonG: values[4],
		Peak: feed.Peaks{
			Orders: p.orders.record(), Sales: p.sales.record(), Shoppers: p.shoppers.record(),
			DistanceM: p.distanceM.record(), CarbonG: p.carbonG.record(),
		},
		EmittedAt: now,
	}
}

func (p peak) record() feed.Peak { return feed.Peak{Value: p.value, WindowEnd: p.end.time()} }

// emitJSON appends a record whose value encoding/json writes.
func (a *Aggregator) emitJSON(topic, key string, now orders.Time, record any) error {
	value, err := json.Marshal(record)
	if err != nil {
		return err
	}
	a.out = append(a.out, Record{Topic: topic, Key: key, Value: value, At: now})
	return nil
}
