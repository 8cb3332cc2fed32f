package aggregate

// Change is one record of the aggregator's own state for a compacted topic; a
// nil Value removes its key.
type Change struct {
	Key   string
	Value []byte
}

// changes collects what the next Flush writes to the checkpoint.
type changes struct {
	list []Change
}

func (c *changes) late(e entry) {}

func (c *changes) pane(a *Aggregator, p *pane) {}

func (a *Aggregator) takeChanges() []Change {
	list := a.changes.list
	a.changes.list = nil
	return list
}
