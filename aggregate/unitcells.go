package aggregate

import "slices"

// unitCells counts the units of one minute by product and scope. Cells lie in the
// order in which they were first sold and keep their numbers, so that open panes
// can note units by them; a table by open addressing, four bytes a slot, finds
// them.
type unitCells struct {
	list  []unitCell
	slots []uint32 // number of a cell plus one; 0: free
}

type unitCell struct {
	key   unitKey
	n     int64
	world uint32 // number of the product's cell of the world; its own number: not known
	wire  uint32 // bytes in the checkpoint, at most
}

const firstCellSlots = 16

func newUnitCells() *unitCells { return &unitCells{slots: make([]uint32, firstCellSlots)} }

func (c *unitCells) len() int { return len(c.list) }

// home is the slot where the search for a key begins.
func (c *unitCells) home(key unitKey) int { return int(spread(uint64(key))) & (len(c.slots) - 1) }

// slot returns the slot of a key, or the free one where it belongs.
func (c *unitCells) slot(key unitKey) int {
	mask := len(c.slots) - 1
	i := c.home(key)
	for c.slots[i] != 0 && c.list[c.slots[i]-1].key != key {
		i = (i + 1) & mask
	}
	return i
}

// find returns the number of a cell.
func (c *unitCells) find(key unitKey) (cell uint32, ok bool) {
	n := c.slots[c.slot(key)]
	return n - 1, n != 0
}

// get returns the count of key, and whether there is one.
func (c *unitCells) get(key unitKey) (n int64, ok bool) {
	cell, ok := c.find(key)
	if !ok {
		return 0, false
	}
	return c.list[cell].n, true
}

// add adds to the count of key and reports whether it is new.
func (c *unitCells) add(key unitKey, n int64, wire int) (fresh bool) {
	cell, ok := c.find(key)
	if !ok {
		cell = c.insert(key, wire)
	}
	at := &c.list[cell]
	at.n += n
	if at.world == cell && key.scope() != worldID {
		if world, ok := c.find(unitKeyOf(key.product(), worldID)); ok {
			at.world = world
		}
	}
	return !ok
}

func (c *unitCells) insert(key unitKey, wire int) (cell uint32) {
	cell = uint32(len(c.list))
	if (len(c.list)+1)*4 > len(c.slots)*3 {
		c.slots = make([]uint32, 2*len(c.slots))
		for i := range c.list {
			c.slots[c.slot(c.list[i].key)] = uint32(i + 1)
		}
	}
	c.slots[c.slot(key)] = cell + 1
	c.list = append(c.list, unitCell{key: key, world: cell, wire: uint32(wire)})
	return cell
}

// again counts units in a cell and in the world's. It does nothing and reports
// false if that is not known.
func (c *unitCells) again(cell uint32, country scopeID, n int64) bool {
	at := &c.list[cell]
	if country != worldID {
		if at.world == cell {
			return false
		}
		c.list[at.world].n += n
	}
	at.n += n
	return true
}

// each calls visit for every key.
func (c *unitCells) each(visit func(key unitKey, n int64)) {
	for i := range c.list {
		visit(c.list[i].key, c.list[i].n)
	}
}

// sorted returns all keys in order.
func (c *unitCells) sorted() []unitKey {
	keys := make([]unitKey, len(c.list))
	for i := range c.list {
		keys[i] = c.list[i].key
	}
	slices.Sort(keys)
	return keys
}
