package aggregate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestPaneUnits notes units of products that are sold again and again, many more
// times than there are cells.
func TestPaneUnits(t *testing.T) {
	t.Parallel()
	u, r, p := newUnits(DefaultMaxProductBytes), rand.New(rand.NewPCG(1, 1)), &paneUnits{}
	want, longer := map[unitKey]int64{}, 0
	for range 20_000 {
		x := r.Float64()
		product, country, n := productOf(fmt.Sprint("p", int(x*x*1000))), scopeID(r.IntN(4)), 1+r.Int64N(3)
		at, ok := u.add(7, product, country, n)
		if !ok {
			t.Fatal("no room")
		}
		want[unitKeyOf(at.product(), country)] += n
		longer += p.add(at, n, &u.scratch)
		if len(p.list) > max(firstGather, 2*len(want))+1 {
			t.Fatalf("%d entries for %d cells", len(p.list), len(want))
		}
	}
	if longer != len(p.list) {
		t.Errorf("the list is said to have become longer by %d, and has %d entries", longer, len(p.list))
	}
	p.coalesce(&u.scratch)
	got, wire := map[unitKey]int64{}, 0
	for _, e := range p.list {
		key := p.minute.units.list[e.cell].key
		got[key] += e.n
		wire += unitWireBytes(u.names[key.product()])
	}
	if len(p.list) != len(want) || !maps.Equal(got, want) || wire != p.wire {
		t.Errorf("%d entries of %d cells, %d bytes of %d", len(p.list), len(want), p.wire, wire)
	}
	if slices.ContainsFunc(u.scratch, func(n int64) bool { return n != 0 }) {
		t.Error("the scratch is not left as zeros")
	}
	var world, minute int64
	for key, n := range want {
		world += n
		if got, _ := u.buckets[0].units.get(key); key.scope() != worldID && got != n {
			t.Errorf("%v: %d in the minute, %d in its only pane", key, got, n)
		}
	}
	for id := range u.live() {
		n, _ := u.buckets[0].units.get(unitKeyOf(productID(id), worldID))
		minute += n
	}
	if minute != world {
		t.Errorf("the world has %d units of %d", minute, world)
	}
}

// TestUnitCellsKnowTheWorld: a cell of a country that came first finds the world's
// once there is one.
func TestUnitCellsKnowTheWorld(t *testing.T) {
	t.Parallel()
	c, own, world := newUnitCells(), unitKeyOf(7, 3), unitKeyOf(7, worldID)
	c.add(own, 1, 10)
	cell, _ := c.find(own)
	if c.again(cell, 3, 1) {
		t.Error("counted in a world that is not there")
	}
	c.add(world, 1, 10)
	c.add(own, 1, 10)
	if !c.again(cell, 3, 5) {
		t.Error("the world is not found")
	}
	a, _ := c.get(own)
	b, _ := c.get(world)
	if a != 7 || b != 6 {
		t.Errorf("%d in the country and %d in the world, want 7 and 6", a, b)
	}
}

// TestIDTableModel holds the table against a map, with hashes that share groups
// and marks, and from tables that are too small by much and by little.
func TestIDTableModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	hash := func() uint64 { // the highest bits follow from the others, as only those are compared
		low := r.Uint64N(4) | r.Uint64N(10_000)<<30
		return low | low*0x9e3779b97f4a7c15>>58<<57
	}
	for _, expected := range []int{0, 30_000, 100_000} {
		table, want := newIDTable(expected), map[uint64]uint16{}
		for i := range 60_000 {
			h, offset := hash(), uint16(i/6)
			table.put(h, offset)
			want[h] = offset
			other := hash()
			got, ok := table.get(other)
			if w, known := want[other]; ok != known || got != w {
				t.Fatalf("%x: %d %t, want %d %t", other, got, ok, w, known)
			}
		}
		if table.used != len(want) {
			t.Errorf("%d ids, want %d", table.used, len(want))
		}
		if expected > len(want) && len(table.parts) > 1 || expected == 0 && (len(table.parts) < 3 || len(table.parts) > 6) {
			t.Errorf("%d parts for %d ids, of which %d were expected", len(table.parts), len(want), expected)
		}
		if n := unsafe.Sizeof(idGroup{}); n != 64 {
			t.Errorf("a group has %d bytes, want a cache line", n)
		}
	}
}
