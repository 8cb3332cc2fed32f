package aggregate

import "math/bits"

// pair is a shopper in a country. The shopper is known by the 64-bit hash of
// the id: among 4 million shoppers, the chance that any two share a hash is
// one in two million.
type pair struct {
	hash    uint64
	country scopeID // worldID: the order's country is not one
}

// shopperTable remembers in which panes each shopper was seen, by country, so
// that an order tells at once how many windows of its scopes gain a shopper.
//
// The obvious way is a set per window or a set per pane. A set per window
// touches sixty sets an order; sets per pane must be united again for each
// window, each early record and each correction, and a shopper of a busy minute
// is then kept sixty times. Here each (shopper, country) is one entry of a hash
// table with a bit per pane. When it is seen in pane s, with p and n the
// nearest panes before and after that also saw it, then exactly the windows
// that hold s but neither p nor n gain one: their ends run from
// max(s, p+60)+1 to min(s+60, n). That range is written as a step up and a step
// down (steps.enter and steps.leave), and whoever slides a window over the panes
// adds them up. It holds in any order of arrival, so early windows, final ones
// and corrections all come from the same rule.
//
// The world has no entries: a shopper's panes there are those of all the
// shopper's countries, nearly always of one. So an order touches one entry
// instead of two. Entries of a shopper begin at the same slot, and a search goes
// on to the next free one, which finds all of them; the keys lie by themselves,
// so that it seldom leaves a cache line.
//
// The data of an entry are stride words: the newest pane that saw it and the
// country, then bits of which bit i stands for the pane i seconds before the
// newest. Bits fall off the end by themselves when a newer pane shifts them.
type shopperTable struct {
	keys   []uint64 // 0: free
	data   []uint64
	stride int
	span   int    // panes that the bits cover
	base   second // panes before base are forgotten, those from base+span on must wait
	// saturated says which panes need not be remembered, from saturatedFrom on;
	// see Aggregator.saturate.
	saturated     []bool
	saturatedFrom second
	used          int      // entries, forgotten ones included
	all           []uint64 // scratch: the bits of a shopper in all countries
	touched       uint64   // see look
}

// An entry's country stands in the low bits of its first word.
const countryBits = 16

const firstShopperEntries = 1 << 10

// newShopperTable makes a table for panes from base to base+span.
func newShopperTable(span int) *shopperTable {
	words := (span + 63) / 64
	t := &shopperTable{stride: 1 + words, span: words * 64, base: noSecond, all: make([]uint64, words)}
	t.resize(firstShopperEntries)
	return t
}

func (t *shopperTable) resize(entries int) {
	t.keys, t.data = make([]uint64, entries), make([]uint64, entries*t.stride)
}

func (t *shopperTable) entries() int { return len(t.keys) }

// covers reports whether pane s can be tracked now.
func (t *shopperTable) covers(s second) bool {
	return s >= t.base && s < t.base+second(t.span)
}

// gain is the range of window ends whose scope gains a shopper; none if
// from > to. prev is the nearest pane before s within reach that saw the
// shopper, next the nearest after; noSecond if none.
type gain struct {
	from, to   second
	prev, next second
}

// sighting is what a shopper in a pane adds: to the country, and to the world.
// A fresh one had not been seen there in that pane.
type sighting struct {
	country, world           gain
	freshCountry, freshWorld bool
}

// entry is the data of slot i.
func (t *shopperTable) entry(i int) []uint64 { return t.data[i*t.stride:][:t.stride:t.stride] }

func newestOf(entry []uint64) second     { return second(int64(entry[0]) >> countryBits) }
func countryOf(entry []uint64) scopeID   { return scopeID(entry[0] & (1<<countryBits - 1)) }
func headOf(s second, id scopeID) uint64 { return uint64(s)<<countryBits | uint64(id) }

// home is the slot where the search for a key begins: its share of the range,
// so that a table can have any length.
func home(key uint64, slots int) int {
	hi, _ := bits.Mul64(key, uint64(slots))
	return int(hi)
}

// add notes that pane s saw a shopper in a country.
func (t *shopperTable) add(hash uint64, country scopeID, s second) sighting {
	t.room(1)
	return t.addFrom(home(tableKey(hash), len(t.keys)), hash, country, s)
}

// addFrom is add where there is room and the search can begin at slot i.
func (t *shopperTable) addFrom(i int, hash uint64, country scopeID, s second) sighting {
	key := tableKey(hash)
	own, others := -1, 0
	for ; t.keys[i] != 0; i = t.after(i) {
		if t.keys[i] != key {
			continue
		}
		if countryOf(t.entry(i)) == country {
			own = i
		} else {
			others++
		}
	}
	if own < 0 {
		own = i
		t.used++
		t.keys[i] = key
		t.entry(i)[0] = headOf(s, country)
	}
	entry := t.entry(own)
	newest, bitmap := newestOf(entry), entry[1:]
	if s > newest {
		shiftUp(bitmap, int(s-newest))
		newest = s
		entry[0] = headOf(s, country)
	}
	at := int(newest - s)
	if bitmap[at/64]&(1<<(at%64)) != 0 {
		return sighting{}
	}
	bitmap[at/64] |= 1 << (at % 64)
	g := neighbours(bitmap, newest, s)
	if others == 0 {
		return sighting{country: g, world: g, freshCountry: true, freshWorld: true}
	}
	world, fresh := t.addWorld(key, own, s)
	return sighting{country: g, world: world, freshCountry: true, freshWorld: fresh}
}

func (t *shopperTable) after(i int) int {
	if i++; i == len(t.keys) {
		return 0
	}
	return i
}

// addWorld says what pane s adds to the world for a shopper of several
// countries, of which slot own has just been given the pane.
func (t *shopperTable) addWorld(key uint64, own int, s second) (g gain, fresh bool) {
	newest := s
	for i := home(key, len(t.keys)); t.keys[i] != 0; i = t.after(i) {
		if t.keys[i] == key {
			newest = max(newest, newestOf(t.entry(i)))
		}
	}
	clear(t.all)
	for i := home(key, len(t.keys)); t.keys[i] != 0; i = t.after(i) {
		if t.keys[i] != key {
			continue
		}
		entry := t.entry(i)
		if i != own && bitAt(entry[1:], int(newestOf(entry)-s)) {
			return gain{}, false
		}
		orShifted(t.all, entry[1:], int(newest-newestOf(entry)))
	}
	return neighbours(t.all, newest, s), true
}

// bitAt reports whether bit i is there and set.
func bitAt(bitmap []uint64, i int) bool {
	return i >= 0 && i/64 < len(bitmap) && bitmap[i/64]&(1<<(i%64)) != 0
}

// orShifted adds the bits of from, moved n places up.
func orShifted(to, from []uint64, n int) {
	whole, part := n/64, n%64
	for i := whole; i < len(to); i++ {
		w := from[i-whole] << part
		if part > 0 && i > whole {
			w |= from[i-whole-1] >> (64 - part)
		}
		to[i] |= w
	}
}

// neighbours finds the panes around s and from them the windows that gain.
func neighbours(bitmap []uint64, newest, s second) gain {
	g := gain{from: s + 1, to: s + windowSeconds, prev: noSecond, next: noSecond}
	at := int(newest - s)
	if i := bitAbove(bitmap, at); i >= 0 && i-at <= windowSeconds {
		g.prev = newest - second(i)
		g.from = max(g.from, g.prev+windowSeconds+1)
	}
	if i := bitBelow(bitmap, at); i >= 0 && at-i <= windowSeconds {
		g.next = newest - second(i)
		g.to = min(g.to, g.next)
	}
	return g
}

// rebuild drops entries that are not needed any more, so that at most three fifths of the
// table is in use. As long as it is of the right size it stays where it is: a table
// of all shoppers is a good part of what the program holds, and two of them would be
// what decides how much memory it needs.
func (t *shopperTable) rebuild() {
	live, free := 0, 0
	for i, key := range t.keys {
		switch {
		case key == 0:
			free = i
		case t.needed(t.entry(i)):
			live++
		default:
			t.free(i)
		}
	}
	t.used = live
	if n := len(t.keys); 5*live <= 3*n && n <= max(firstShopperEntries, 8*live) {
		t.closeGaps(free)
		return
	}
	old := *t
	t.resize(max(firstShopperEntries, 2*(live+1)))
	for i, key := range old.keys {
		if key == 0 {
			continue
		}
		to := home(key, len(t.keys))
		for t.keys[to] != 0 {
			to = t.after(to)
		}
		t.keys[to] = key
		copy(t.entry(to), old.entry(i))
	}
}

func (t *shopperTable) free(i int) {
	t.keys[i] = 0
	clear(t.entry(i))
}

// closeGaps moves entries to where they are found after others have been taken out.
// It begins behind a slot that was free before, which no entry behind it can belong
// before, and takes one after the other: from the home of an entry to its slot all
// have been moved already.
func (t *shopperTable) closeGaps(free int) {
	i := free
	for range t.keys {
		i = t.after(i)
		key := t.keys[i]
		if key == 0 {
			continue
		}
		to := home(key, len(t.keys))
		for to != i && t.keys[to] != 0 {
			to = t.after(to)
		}
		if to != i {
			t.keys[to] = key
			copy(t.entry(to), t.entry(i))
			t.free(i)
		}
	}
}

// needed reports whether an entry has a pane that must be remembered.
func (t *shopperTable) needed(entry []uint64) bool {
	newest := newestOf(entry)
	if newest < t.base {
		return false
	}
	for w, rest := range entry[1:] {
		for ; rest != 0; rest &= rest - 1 {
			s := newest - second(w*64+bits.TrailingZeros64(rest))
			if s < t.base {
				return false
			}
			if i := s - t.saturatedFrom; i < 0 || int(i) >= len(t.saturated) || !t.saturated[i] {
				return true
			}
		}
	}
	return false
}

// reset forgets everything and starts at base.
func (t *shopperTable) reset(base second) {
	clear(t.keys)
	clear(t.data)
	t.used = 0
	t.base = base
	t.saturated = t.saturated[:0]
}

// shiftUp moves the bits n places up; what passes the end is gone.
func shiftUp(bitmap []uint64, n int) {
	if n < 64 { // nearly always
		for i := len(bitmap) - 1; i > 0; i-- {
			bitmap[i] = bitmap[i]<<n | bitmap[i-1]>>(64-n)
		}
		bitmap[0] <<= n
		return
	}
	whole, part := n/64, n%64
	for i := len(bitmap) - 1; i >= 0; i-- {
		var w uint64
		if j := i - whole; j >= 0 {
			w = bitmap[j] << part
			if part > 0 && j > 0 {
				w |= bitmap[j-1] >> (64 - part)
			}
		}
		bitmap[i] = w
	}
}

// bitAbove returns the lowest set bit above i, -1 if there is none.
func bitAbove(bitmap []uint64, i int) int {
	i++
	for w := i / 64; w < len(bitmap); w++ {
		rest := bitmap[w]
		if w == i/64 {
			rest &= ^uint64(0) << (i % 64)
		}
		if rest != 0 {
			return w*64 + bits.TrailingZeros64(rest)
		}
	}
	return -1
}

// bitBelow returns the highest set bit below i, -1 if there is none.
func bitBelow(bitmap []uint64, i int) int {
	for w := i / 64; w >= 0; w-- {
		rest := bitmap[w]
		if w == i/64 {
			rest &= 1<<(i%64) - 1
		}
		if rest != 0 {
			return w*64 + 63 - bits.LeadingZeros64(rest)
		}
	}
	return -1
}
