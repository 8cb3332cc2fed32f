package aggregate

// slider is a window that moves over the panes one second at a time and keeps
// every scope's figures and totals as it goes. The aggregator owns one for the
// closed windows; a copy of it runs ahead over the open panes for the early
// records.
type slider struct {
	end   second    // the window's end
	now   []figures // by scopeID
	total []sums    // by scopeID: since <= at < end
}

// grow makes room for n scopes.
func (s *slider) grow(n int) {
	for len(s.now) < n {
		s.now = append(s.now, figures{})
		s.total = append(s.total, sums{})
	}
}

// copyFrom makes s equal to o.
func (s *slider) copyFrom(o *slider) {
	s.end = o.end
	s.now = append(s.now[:0], o.now...)
	s.total = append(s.total[:0], o.total...)
}

// empty reports whether the window holds no order at all.
func (s *slider) empty() bool { return s.now[worldID].orders == 0 }

// step moves the window's end one second on. Panes before since do not count
// for the totals.
func (s *slider) step(p *panes, since second) {
	if in := p.get(s.end); in != nil {
		for id := range in.cells {
			c := &in.cells[id]
			s.now[id].sums.add(c.sums)
			if in.start >= since {
				s.total[id].add(c.sums)
			}
		}
	}
	for id, by := range p.steps.at(s.end) {
		s.now[id].shoppers += int64(by.enter)
	}
	s.end++
	if out := p.get(s.end - 1 - windowSeconds); out != nil {
		for id := range out.cells {
			c := &out.cells[id]
			s.now[id].sums.sub(c.sums)
		}
	}
	for id, by := range p.steps.at(s.end - 1 - windowSeconds) {
		s.now[id].shoppers += int64(by.leave)
	}
}

// advance moves the end to a later second, calling visit for each window on the
// way that holds an order. Stretches without any are jumped over.
func (s *slider) advance(to second, p *panes, since second, visit func(*slider)) {
	for s.end < to {
		if s.empty() {
			next, ok := p.next(s.end)
			if !ok || next >= to {
				s.end = to
				return
			}
			s.end = next
		}
		s.step(p, since)
		if !s.empty() {
			visit(s)
		}
	}
}
