package aggregate

// paneUnits is what an open pane notes of units for the checkpoint, by product
// and country. Its keys are those of the country, whose share of the world's
// count they are.
type paneUnits struct {
	counts *tally // nil: none
	wire   int    // bytes that counts have in the checkpoint, at most
}

// add notes units and reports whether the product is new to the country.
func (p *paneUnits) add(product productID, country scopeID, n int64, names []string) (fresh bool) {
	if p.counts == nil {
		p.counts = newTally()
	}
	if fresh = p.counts.add(unitKeyOf(product, country), n); fresh {
		p.wire += unitWireBytes(names[product])
	}
	return fresh
}

// len returns how many counts there are.
func (p *paneUnits) len() int {
	if p.counts == nil {
		return 0
	}
	return p.counts.len()
}
