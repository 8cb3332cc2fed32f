package aggregate

import "slices"

// cell is one scope's share of a pane.
type cell struct{ sums }

// pane holds one second of accepted orders.
type pane struct {
	start  second
	minute second   // that holds it
	cells  []cell   // by scopeID, as long as needed
	sketch []uint32 // for windows of too many shoppers, see sketching.go
	// sketched: the pane is closed and sketch has all its shoppers.
	sketched bool
	// saturated: every window that holds the pane has too many shoppers, so that
	// they are not tracked any more.
	saturated bool
	parts     int // of its checkpoint record, 0: none
	open      *openPane
}

// openPane is what a pane keeps until it is closed and in the checkpoint. What the
// lanes write is by itself, so that they do not wait for each other's cache lines.
type openPane struct {
	ids      []seenID
	lowest   []int64 // by partition: lowest offset of an order in here, -1: none
	shoppers *paneShoppers
	units    *paneUnits
}

// paneShoppers are the shoppers of an open pane by country, for the checkpoint and
// the sketch.
type paneShoppers struct {
	pairs []pair
	_     [64 - 24]byte // a cache line
}

func newOpenPane() *openPane {
	return &openPane{shoppers: &paneShoppers{}, units: &paneUnits{}}
}

// at returns the cell of a scope.
func (q *pane) at(id scopeID) *cell {
	if int(id) >= len(q.cells) {
		q.cells = append(q.cells, make([]cell, int(id)+1-len(q.cells))...)
	}
	return &q.cells[id]
}

func (o *openPane) noteOffset(partition int32, offset int64) {
	for int(partition) >= len(o.lowest) {
		o.lowest = append(o.lowest, -1)
	}
	if low := &o.lowest[partition]; *low < 0 || offset < *low {
		*low = offset
	}
}

// panes holds the panes that are open or within reach of a correction, in order
// of time. Seconds without an order have no pane, so a gap of years costs
// nothing.
type panes struct {
	byStart map[second]*pane
	ordered []*pane
	// near holds panes lately asked for, by the low bits of their start: orders
	// arrive nearly in order, and a map would be asked several times for each.
	near  [nearPanes]*pane
	spare []*openPane // of closed panes, for reuse
	steps *stepRing
	// sketching: all panes that are closed have a sketch.
	sketching bool
}

// Bounds of what is kept for reuse: a few panes, none of a size that is seldom.
const (
	maxSparePanes = 2
	maxSpareIDs   = 1 << 19
)

// nearPanes exceeds the panes that are in reach with ordinary settings.
const nearPanes = 256

// newPanes returns no panes. Shoppers are tracked over span seconds at a time.
func newPanes(span int) *panes { return &panes{byStart: map[second]*pane{}, steps: newStepRing(span)} }

// get returns the pane that starts at s, or nil.
func (p *panes) get(s second) *pane {
	slot := &p.near[s&(nearPanes-1)]
	if *slot != nil && (*slot).start == s {
		return *slot
	}
	found := p.byStart[s]
	if found != nil {
		*slot = found
	}
	return found
}

// openAt returns the pane that starts at s and makes an open one if need be.
func (p *panes) openAt(s second) *pane {
	if found := p.get(s); found != nil {
		return found
	}
	fresh := &pane{start: s, minute: s.minute()}
	if n := len(p.spare); n > 0 {
		fresh.open, p.spare = p.spare[n-1], p.spare[:n-1]
	} else {
		fresh.open = newOpenPane()
	}
	p.insert(fresh)
	return fresh
}

// recycle takes from a pane, which is closed, what only open ones keep.
func (p *panes) recycle(q *pane) {
	o := q.open
	if q.open = nil; len(p.spare) == maxSparePanes || cap(o.ids) > maxSpareIDs {
		return
	}
	o.ids, o.lowest = o.ids[:0], o.lowest[:0]
	o.shoppers.pairs = o.shoppers.pairs[:0]
	*o.units = paneUnits{list: o.units.list[:0]}
	p.spare = append(p.spare, o)
}

// closedAt returns the pane that starts at s and makes a closed one if need be.
func (p *panes) closedAt(s second) *pane {
	if found := p.get(s); found != nil {
		return found
	}
	fresh := &pane{start: s, minute: s.minute(), sketched: p.sketching}
	p.insert(fresh)
	return fresh
}

func (p *panes) insert(fresh *pane) {
	p.byStart[fresh.start] = fresh
	p.ordered = slices.Insert(p.ordered, p.index(fresh.start), fresh)
}

// index returns the position of the first pane that starts at s or after.
func (p *panes) index(s second) int {
	n := len(p.ordered)
	if n == 0 || p.ordered[n-1].start < s {
		return n
	}
	at, _ := slices.BinarySearchFunc(p.ordered, s, func(q *pane, s second) int {
		return int(q.start - s)
	})
	return at
}

// from returns the panes that start at s or after, oldest first.
func (p *panes) from(s second) []*pane { return p.ordered[p.index(s):] }

// next returns the start of the first pane at s or after.
func (p *panes) next(s second) (second, bool) {
	rest := p.from(s)
	if len(rest) == 0 {
		return noSecond, false
	}
	return rest[0].start, true
}

// dropBefore forgets the panes that start before s.
func (p *panes) dropBefore(s second) {
	n := p.index(s)
	for _, q := range p.ordered[:n] {
		delete(p.byStart, q.start)
		if slot := &p.near[q.start&(nearPanes-1)]; *slot == q {
			*slot = nil
		}
	}
	p.ordered = slices.Delete(p.ordered, 0, n)
}
