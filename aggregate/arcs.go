package aggregate

import (
	"cmp"
	"math"
	"slices"

	"livemap/feed"
	"livemap/orders"
)

const (
	// cellsPerDegree makes the cells of the map half a degree wide.
	cellsPerDegree = 2
	// maxArcCells bounds the origin-destination cells counted for one batch and
	// scope, and maxArcs those of all scopes together, so that a batch of a million
	// orders is counted within the processor's cache. Orders of further cells are
	// in Of and not among the arcs.
	maxArcCells = 4096
	maxArcs     = 1 << 14
)

// arcCells is an origin and a destination cell: latitude and longitude of each
// in half degrees. Their order as a number is the order in which equal arcs are
// listed.
type arcCells struct{ fromLat, fromLon, toLat, toLon int16 }

func cellsOf(from, to orders.Place) arcCells {
	return arcCells{halfDegrees(from.Lat), halfDegrees(from.Lon), halfDegrees(to.Lat), halfDegrees(to.Lon)}
}

func halfDegrees(degrees float64) int16 { return int16(math.Round(degrees * cellsPerDegree)) }

func (a arcCells) compare(b arcCells) int {
	return cmp.Or(cmp.Compare(a.fromLat, b.fromLat), cmp.Compare(a.fromLon, b.fromLon),
		cmp.Compare(a.toLat, b.toLat), cmp.Compare(a.toLon, b.toLon))
}

func (a arcCells) hash(id scopeID) uint64 {
	packed := uint64(uint16(a.fromLat)) | uint64(uint16(a.fromLon))<<16 | uint64(uint16(a.toLat))<<32 | uint64(uint16(a.toLon))<<48
	return spread(packed + uint64(id)*0x9e3779b97f4a7c15)
}

// arcs counts the orders between cells since the last Flush, for all scopes in
// one table. An order of a country counts for the world too: its arc there is
// found once and remembered with the country's, so that one search does for
// both.
type arcs struct {
	list  []arc
	slots []uint32 // by open addressing: see arcSlot; 0: free
	known []int32  // by scopeID: arcs in list, at most maxArcCells
	best  []arcTop // by scopeID: scratch of rank
}

type arc struct {
	cells arcCells
	scope scopeID
	world int32 // place of the world's arc in list, notListed: it had no room for it
	n     int64
}

const notListed = -1

const firstArcSlots = 256

// grow makes room for n scopes.
func (t *arcs) grow(n int) {
	if t.slots == nil {
		t.slots = make([]uint32, firstArcSlots)
	}
	for len(t.known) < n {
		t.known = append(t.known, 0)
	}
}

// add counts an order for a country and the world.
func (t *arcs) add(cells arcCells, country scopeID) {
	i := t.find(cells, country)
	if country != worldID {
		at := notListed
		if i != notListed {
			at = int(t.list[i].world)
		} else {
			at = t.find(cells, worldID)
		}
		if at != notListed {
			t.list[at].n++
		}
	}
	if i != notListed {
		t.list[i].n++
	}
}

// find returns the place of an arc in list, a new one if the scope has room.
func (t *arcs) find(cells arcCells, id scopeID) int {
	mask := len(t.slots) - 1
	hash := cells.hash(id)
	want := arcSlot(hash, 0)
	for i := int(hash) & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if s := t.slots[i]; s&^arcPlace == want {
			if at := int(s&arcPlace) - 1; t.list[at].cells == cells && t.list[at].scope == id {
				return at
			}
		}
	}
	if t.known[id] == maxArcCells || len(t.list) >= maxArcs {
		return notListed
	}
	t.known[id]++
	world := notListed
	if id != worldID {
		world = t.find(cells, worldID) // may move slots
	}
	t.list = append(t.list, arc{cells: cells, scope: id, world: int32(world)})
	t.place(len(t.list))
	return len(t.list) - 1
}

// place puts the last arc, the n-th, into the slots.
func (t *arcs) place(n int) {
	if n*2 > len(t.slots) {
		t.slots = make([]uint32, 2*len(t.slots))
		for i := range t.list[:n-1] {
			t.put(i)
		}
	}
	t.put(n - 1)
}

func (t *arcs) put(at int) {
	mask := len(t.slots) - 1
	hash := t.list[at].cells.hash(t.list[at].scope)
	i := int(hash) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = arcSlot(hash, at+1)
}

// arcPlace are the bits of a slot for a place in list plus one.
const arcPlace = 2*maxArcs - 1

// arcSlot is a place with the high bits of its hash beside it, so that arcs that
// are not there, which most are once there is no more room, are told from others
// without a look at the list.
func arcSlot(hash uint64, place int) uint32 { return uint32(hash>>32)&^arcPlace | uint32(place) }

func (t *arcs) reset() {
	clear(t.slots)
	clear(t.known)
	t.list = t.list[:0]
}

// arcTop is the arcs of one scope with most orders, in order.
type arcTop struct {
	list [feed.MaxArcs]arc
	n    int
}

// rank finds the arcs of every scope with most orders.
func (t *arcs) rank() {
	for len(t.best) < len(t.known) {
		t.best = append(t.best, arcTop{})
	}
	for i := range t.best {
		t.best[i].n = 0
	}
	for i := range t.list {
		t.best[t.list[i].scope].note(&t.list[i])
	}
}

func (a *arc) compare(b *arc) int {
	return cmp.Or(cmp.Compare(b.n, a.n), a.cells.compare(b.cells))
}

func (b *arcTop) note(a *arc) {
	if b.n == len(b.list) {
		if a.compare(&b.list[b.n-1]) > 0 {
			return
		}
		b.n--
	}
	at, _ := slices.BinarySearchFunc(b.list[:b.n], a, func(x arc, a *arc) int { return x.compare(a) })
	copy(b.list[at+1:b.n+1], b.list[at:b.n])
	b.list[at] = *a
	b.n++
}

// record returns the arcs as the topic has them.
func (b *arcTop) record() []feed.Arc {
	arcs := make([]feed.Arc, 0, b.n)
	for _, c := range b.list[:b.n] {
		arcs = append(arcs, feed.Arc{
			From: feed.Degrees{float64(c.cells.fromLat) / cellsPerDegree, float64(c.cells.fromLon) / cellsPerDegree},
			To:   feed.Degrees{float64(c.cells.toLat) / cellsPerDegree, float64(c.cells.toLon) / cellsPerDegree},
			N:    c.n,
		})
	}
	return arcs
}
