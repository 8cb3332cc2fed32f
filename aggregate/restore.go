package aggregate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"livemap/orders"
)

// Restore returns an Aggregator that goes on from a checkpoint; reading must
// begin at its Positions. Without any record it is New. A record that is cut
// short, altered, missing, foreign or of another version is an error, and so
// are settings that the figures in the checkpoint do not allow to change; then
// nothing is restored.
func Restore(cfg Config, s *State) (*Aggregator, error) {
	a, err := New(cfg)
	if err != nil || s.Len() == 0 {
		return a, err
	}
	r := &restorer{a: a, parts: map[string]map[int][]byte{}}
	if err := r.split(s); err != nil {
		return nil, fmt.Errorf("aggregate: checkpoint: %w", err)
	}
	for _, step := range []func() error{
		r.readHead, r.readPanes, r.readLate, r.slide, r.readMinutes, r.readTrending,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("aggregate: checkpoint: %w", err)
		}
	}
	a.paceWatermark()
	return a, nil
}

// restorer builds an Aggregator from a State.
type restorer struct {
	a     *Aggregator
	head  []byte
	parts map[string]map[int][]byte // bodies by prefix and number

	end       second // of the closed windows
	closed    second // minutes that trending has closed
	revisions []revision
}

// split checks every record and sorts out the parts.
func (r *restorer) split(s *State) error {
	var errs []error
	for key, value := range s.latest {
		b, err := unseal(key, value)
		if err != nil {
			errs = append(errs, fmt.Errorf("record %q: %w", key, err))
			continue
		}
		if key == keyHead {
			r.head, r.a.changes.head = b, value
			continue
		}
		prefix, n, err := splitPart(key)
		if err != nil {
			errs = append(errs, fmt.Errorf("record %q: %w", key, err))
			continue
		}
		if r.parts[prefix] == nil {
			r.parts[prefix] = map[int][]byte{}
		}
		r.parts[prefix][n] = b
	}
	if r.head == nil && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("record %q is missing", keyHead))
	}
	slices.SortFunc(errs, func(x, y error) int { return cmp.Compare(x.Error(), y.Error()) })
	const shown = 5
	if len(errs) > shown {
		errs = append(errs[:shown], fmt.Errorf("and %d more", len(errs)-shown))
	}
	return errors.Join(errs...)
}

// numbered is a record in parts whose prefix holds a number.
type numbered struct {
	prefix string
	n      int64
}

// take lists the records of one kind by number and takes them off the rest.
func (r *restorer) take(kind string) ([]numbered, error) {
	var list []numbered
	for prefix := range r.parts {
		rest, ok := strings.CutPrefix(prefix, kind+"/")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("record %q: not a number", prefix)
		}
		list = append(list, numbered{prefix, n})
	}
	slices.SortFunc(list, func(x, y numbered) int { return cmp.Compare(x.n, y.n) })
	return list, nil
}

// read calls entry for every entry of a record in parts.
func (r *restorer) read(prefix string, entry func(tag, *body)) error {
	bodies := r.parts[prefix]
	delete(r.parts, prefix)
	return readParts(prefix, bodies, entry)
}

// readParts calls entry for every entry of a record whose parts are given.
func readParts(prefix string, bodies map[int][]byte, entry func(tag, *body)) error {
	for n := range len(bodies) {
		b, ok := bodies[n]
		if !ok {
			return fmt.Errorf("record %q: part %d of %d is missing", prefix, n, len(bodies))
		}
		in := &body{b: b}
		if last := in.byte() == 1; last != (n == len(bodies)-1) {
			return fmt.Errorf("record %q: part %d says that it is the last: %t, of %d", prefix, n, last, len(bodies))
		}
		for len(in.b) > 0 {
			entry(tag(in.byte()), in)
		}
		if in.err != nil {
			return fmt.Errorf("record %q: part %d: %w", prefix, n, in.err)
		}
	}
	return nil
}

// unexpected is the entry of a record that must not have one of this tag.
func (t tag) unexpected(in *body) {
	in.fail()
	in.err = fmt.Errorf("entry of kind %d does not belong here", t)
}

func (r *restorer) readHead() error {
	a, in := r.a, &body{b: r.head}
	currency, since, lateness := in.string(), in.time(), in.time()
	if in.err == nil {
		if err := r.checkSettings(currency, since, lateness); err != nil {
			return err
		}
	}
	a.marks.now, a.highest = in.time(), in.time()
	r.end, r.closed = in.second(), in.second()
	a.changes.sealed, a.changes.flush = in.second(), in.varint()
	a.history.newest = r.end.minute()
	r.readPartitions(in)
	for range in.varint() {
		r.readScope(in)
		if in.err != nil {
			break
		}
	}
	if in.err != nil {
		return fmt.Errorf("record %q: %w", keyHead, in.err)
	}
	if len(in.b) > 0 {
		return fmt.Errorf("record %q: %d bytes too many", keyHead, len(in.b))
	}
	return nil
}

// checkSettings refuses settings under which the state would be wrong.
func (r *restorer) checkSettings(currency string, since, lateness orders.Time) error {
	var errs []error
	differs := func(setting string, has, wants any) {
		errs = append(errs, fmt.Errorf("%s is %v, but the checkpoint was written with %v: go back to that",
			setting, wants, has))
	}
	if currency != r.a.currency {
		differs("currency", currency, r.a.currency)
	}
	if since != r.a.cfg.TotalSince {
		differs("total-since", since, r.a.cfg.TotalSince)
	}
	if lateness != r.a.lateness {
		differs("lateness", duration(lateness), duration(r.a.lateness))
	}
	return errors.Join(errs...)
}

func (r *restorer) readPartitions(in *body) {
	n := in.varint()
	if n < 0 || n > MaxPartitions {
		in.err = fmt.Errorf("%d partitions: at most %d are supported", n, MaxPartitions)
		return
	}
	r.a.marks.grow(int(n))
	for _, p := range r.a.marks.parts {
		p.next, p.replay, p.highest = in.varint(), in.varint(), in.time()
		p.position = p.replay
		if p.replay < p.next {
			p.replayUntil = p.next
			r.a.marks.replaying++
		}
	}
}

func (r *restorer) readScope(in *body) {
	a := r.a
	id := a.country(in.country())
	a.slide.total[id] = in.sums()
	atRest := in.byte() == 1
	state, h := &a.running[id], &a.history.scopes[id]
	state.end, h.active, h.written = in.second(), in.second(), in.second()
	state.final, state.total = true, a.slide.total[id]
	if !atRest {
		// What was shown last is not known: it differs from whatever comes.
		state.final, state.figures.orders = false, -1
	}
	for _, p := range h.settled.all() {
		p.value, p.end = in.varint(), in.second()
	}
}

// slide moves the window over the closed panes to where it was, and so builds
// the closed windows again.
func (r *restorer) slide() error {
	a := r.a
	for _, q := range a.panes.ordered {
		for id := range q.cells {
			if q.start >= a.since {
				a.slide.total[id].sub(q.cells[id].sums)
			}
		}
	}
	written := secondOf(a.marks.now - a.lateness)
	a.slide.advance(r.end, a.panes, a.since, func(s *slider) {
		if s.end > written {
			r.closeWindow(s)
		}
	})
	for _, rev := range r.revisions {
		if i, ok := a.closed.index(rev.end); ok {
			c := a.cellOf(a.closed.ordered[i], rev.scope)
			c.revision = max(c.revision, rev.revision)
		}
	}
	return nil
}

// closeWindow keeps a window that was written before the restart.
func (r *restorer) closeWindow(s *slider) {
	a := r.a
	a.closeWindow(s)
	w := a.closed.ordered[len(a.closed.ordered)-1]
	w.estimated = w.pairs() > a.cfg.MaxShopperPairs
	estimates := a.estimates(w)
	w.dirty = false
	for id := range w.cells {
		c := &w.cells[id]
		if c.dirty = false; c.orders == 0 {
			continue
		}
		c.revision = 0
		if shown := w.show(scopeID(id), estimates); w.end == w.end.minute() {
			a.history.set(w.end, scopeID(id), shown)
		}
	}
}
