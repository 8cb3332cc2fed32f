package aggregate

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// seenIn is what a shopperTable should remember of a pair.
type seenIn map[pair]map[second]bool

// check compares the table with what was added to panes from its base on.
func (w seenIn) check(t *testing.T, table *shopperTable) {
	t.Helper()
	found := 0
	for p, panes := range w {
		i := home(tableKey(p.hash), len(table.keys))
		for table.keys[i] != 0 && (table.keys[i] != tableKey(p.hash) || countryOf(table.entry(i)) != p.country) {
			i = table.after(i)
		}
		var got, want []second
		if table.keys[i] != 0 {
			found++
			entry := table.entry(i)
			for n := range table.span {
				if s := newestOf(entry) - second(n); bitAt(entry[1:], n) && s >= table.base {
					got = append(got, s)
				}
			}
		}
		for s := range panes {
			if s >= table.base {
				want = append(want, s)
			}
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Fatalf("%v is remembered in panes %v, want %v, from base %d on", p, got, want, table.base)
		}
	}
	if found != table.used {
		t.Fatalf("%d entries are in use, %d are found", table.used, found)
	}
}

// TestShopperTableForgets: however it is rebuilt, every pair is found with all the
// panes that it was added to and that are not out of reach.
func TestShopperTableForgets(t *testing.T) {
	t.Parallel()
	inPlace, resized := 0, 0
	for seed := range seeds(t, 4) {
		r := rand.New(rand.NewPCG(seed, 1))
		table, want := newShopperTable(180), seenIn{}
		table.base = 0
		for s := range second(600) {
			shoppers := 400 + 1600*int(s/200%2) // in turn few and many
			for range 150 {
				p := pair{hash: spread(uint64(r.IntN(shoppers))), country: scopeID(1 + r.IntN(2))}
				entries, used := table.entries(), table.used
				switch table.add(p.hash, p.country, s); {
				case table.entries() != entries:
					resized++
				case table.used < used:
					inPlace++
				}
				if want[p] == nil {
					want[p] = map[second]bool{}
				}
				want[p][s] = true
			}
			if s%20 == 0 {
				table.base = max(table.base, s-second(r.IntN(120)))
			}
			if s%10 == 0 {
				want.check(t, table)
			}
		}
	}
	if inPlace == 0 || resized == 0 {
		t.Errorf("rebuilt %d times where it is and %d times elsewhere, want both", inPlace, resized)
	}
}

// TestShopperTableStays: a table of the right size forgets without a second one.
func TestShopperTableStays(t *testing.T) {
	table := newShopperTable(180)
	table.base = 0
	for i := range uint64(40_000) {
		table.add(spread(i), 1, second(i/20_000)) // half of them in the first pane
	}
	table.resize(60_000)
	for i := range uint64(40_000) {
		table.addFrom(home(tableKey(spread(i)), table.entries()), spread(i), 1, second(i/20_000))
	}
	table.base = 1
	if n := testing.AllocsPerRun(1, table.rebuild); n != 0 || table.used != 20_000 || table.entries() != 60_000 {
		t.Errorf("%v allocations, %d entries of %d are in use", n, table.used, table.entries())
	}
}
