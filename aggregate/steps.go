package aggregate

// steps are how a scope's distinct shoppers change from one window to the next
// when a pane enters (window end start+1) and when it leaves (start+61). See
// shoppers.go.
type steps struct{ enter, leave int32 }

// stepRing holds the steps of the panes that shoppers are tracked for, by the low
// bits of their start. They are no part of the panes, because an order changes them
// in some pane of the last minute, and so they all stay in the processor's cache.
type stepRing struct{ rows []stepRow }

type stepRow struct {
	start second
	list  []steps // by scopeID, as long as needed
}

// newStepRing returns a ring for panes of which the latest starts less than span
// after the earliest.
func newStepRing(span int) *stepRing {
	n := 1
	for n < span {
		n *= 2
	}
	r := &stepRing{rows: make([]stepRow, n)}
	r.reset()
	return r
}

// reset forgets all steps.
func (r *stepRing) reset() {
	for i := range r.rows {
		r.rows[i].start = noSecond
	}
}

func (r *stepRing) row(s second) *stepRow { return &r.rows[int(s)&(len(r.rows)-1)] }

// at returns the steps of the pane that starts at s.
func (r *stepRing) at(s second) []steps {
	row := r.row(s)
	if row.start != s {
		return nil
	}
	return row.list
}

// of returns the steps of a scope in the pane that starts at s. The pane whose
// place it takes is out of reach.
func (r *stepRing) of(s second, id scopeID) *steps {
	row := r.row(s)
	if row.start != s {
		row.start, row.list = s, row.list[:0]
	}
	if missing := int(id) + 1 - len(row.list); missing > 0 {
		row.list = append(row.list, make([]steps, missing)...)
	}
	return &row.list[id]
}
