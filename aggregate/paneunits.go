package aggregate

// paneUnits is what an open pane notes of units for the checkpoint, by the cells
// of its minute. Its keys are those of the country, whose share of the world's
// count they are. It is a list that is gathered by cell each time it has doubled:
// to append costs no wait for memory, as a table of each pane would.
type paneUnits struct {
	minute *unitMinute
	list   []cellUnits
	gather int           // the length at which list is gathered next
	wire   int           // bytes that list has in the checkpoint, at most
	_      [64 - 48]byte // a cache line, see openPane
}

type cellUnits struct {
	cell uint32
	n    int64
}

const firstGather = 1024

// add notes units and returns by how much the list has become longer. scratch is
// zeros, one for each cell of the minute, and is so again afterwards.
func (p *paneUnits) add(at unitPlace, n int64, scratch *[]int64) (longer int) {
	before := len(p.list)
	if p.minute = at.minute; before >= max(p.gather, firstGather) {
		p.coalesce(scratch)
		p.gather = 2 * len(p.list)
	}
	p.list = append(p.list, cellUnits{at.cell, n})
	p.wire += int(at.minute.units.list[at.cell].wire)
	return len(p.list) - before
}

// coalesce makes one of all entries of a cell. They keep the order in which the
// cells were first sold in the pane.
func (p *paneUnits) coalesce(scratch *[]int64) {
	if p.minute == nil {
		return
	}
	cells := p.minute.units.list
	if len(*scratch) < len(cells) {
		*scratch = make([]int64, len(cells)+len(cells)/4)
	}
	sums := *scratch
	for _, u := range p.list {
		sums[u.cell] += u.n
	}
	kept := p.list[:0]
	p.wire = 0
	for _, u := range p.list {
		if n := sums[u.cell]; n > 0 {
			sums[u.cell] = 0
			kept = append(kept, cellUnits{u.cell, n})
			p.wire += int(cells[u.cell].wire)
		}
	}
	p.list = kept
}
