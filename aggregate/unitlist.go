package aggregate

import (
	"cmp"
	"slices"
)

// unitList is what an open pane notes of units for the checkpoint. It is a list
// and not a map because most panes are short, and those are only appended to;
// entries of the same product and country are merged whenever it has doubled,
// so that it stays within twice what is distinct.
type unitList struct {
	list  []unitEntry
	limit int // length at which to merge
	wire  int // bytes that list has in the checkpoint, at most
}

// firstMerge is the length of a list that is merged for the first time.
const firstMerge = 1024

// add appends an entry and returns by how much the list has grown.
func (l *unitList) add(e unitEntry, names []string) int {
	l.list = append(l.list, e)
	l.wire += unitWireBytes(names[e.product])
	if len(l.list) < max(l.limit, firstMerge) {
		return 1
	}
	grown := 1 + l.merge(names)
	l.limit = 2 * len(l.list)
	return grown
}

// merge sorts the list, adds up equal entries, and returns by how much the list
// has grown: zero or less.
func (l *unitList) merge(names []string) int {
	before := len(l.list)
	slices.SortFunc(l.list, func(x, y unitEntry) int {
		return cmp.Compare(unitKeyOf(x.product, x.country), unitKeyOf(y.product, y.country))
	})
	merged := l.list[:0]
	l.wire = 0
	for _, e := range l.list {
		if n := len(merged); n > 0 && merged[n-1].product == e.product && merged[n-1].country == e.country {
			merged[n-1].units += e.units
			continue
		}
		merged = append(merged, e)
		l.wire += unitWireBytes(names[e.product])
	}
	l.list = merged
	return len(merged) - before
}
