package aggregate

import (
	"math/rand/v2"
	"testing"
)

// TestArcsModel holds the table of arcs against a map, with cells that are nearly the
// same, up to its limits and beyond: what has no room is left out, and nothing else.
func TestArcsModel(t *testing.T) {
	t.Parallel()
	type key struct {
		cells arcCells
		scope scopeID
	}
	var table arcs
	table.grow(9)
	r := rand.New(rand.NewPCG(3, 3))
	want, known := map[key]int64{}, map[scopeID]int{}
	room := func(k key) bool {
		if _, ok := want[k]; ok {
			return true
		}
		return known[k.scope] < maxArcCells && len(want) < maxArcs
	}
	for range 100_000 {
		cells := arcCells{int16(r.IntN(12)), int16(r.IntN(12)), int16(r.IntN(12)), int16(r.IntN(2))}
		country := key{cells, scopeID(r.IntN(9))}
		table.add(cells, country.scope)
		for _, k := range []key{country, {cells, worldID}} {
			if !room(k) {
				continue
			}
			if _, ok := want[k]; !ok {
				known[k.scope]++
			}
			if want[k]++; country.scope == worldID {
				break
			}
		}
	}
	if len(table.list) != len(want) || len(want) != maxArcs {
		t.Errorf("%d arcs, want %d, of at most %d", len(table.list), len(want), maxArcs)
	}
	var counted, truth int64
	for _, a := range table.list {
		counted += a.n
		truth += want[key{a.cells, a.scope}]
	}
	for k := range want {
		if i := table.find(k.cells, k.scope); i == notListed || table.list[i].n != want[k] {
			t.Fatalf("%v: at %d, want %d orders", k, i, want[k])
		}
	}
	if counted != truth {
		t.Errorf("%d orders counted, want %d", counted, truth)
	}
}
