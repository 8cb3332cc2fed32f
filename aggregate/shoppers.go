package aggregate

import "math/bits"

// pair is a shopper in a country. The shopper is known by the 64-bit hash of
// the id: among 4 million shoppers, the chance that any two share a hash is
// one in two million.
type pair struct {
	hash    uint64
	country scopeID // worldID: the order's country is not one
}

// shopperTable remembers in which panes each (shopper, scope) was seen, so that
// an order tells at once how many windows of its scope gain a shopper.
//
// The obvious way is a set per window or a set per pane. A set per window
// touches sixty sets an order; sets per pane must be united again for each
// window, each early record and each correction, and a shopper of a busy minute
// is then kept sixty times. Here each (shopper, scope) is one entry of a hash
// table with a bit per pane. When it is seen in pane s, with p and n the
// nearest panes before and after that also saw it, then exactly the windows
// that hold s but neither p nor n gain one: their ends run from
// max(s, p+60)+1 to min(s+60, n). That range is written as a step up and a step
// down (cell.enter and cell.leave), and whoever slides a window over the panes
// adds them up. It holds in any order of arrival, so early windows, final ones
// and corrections all come from the same rule.
//
// An entry is stride words: the key, the newest pane that saw it, and bits of
// which bit i stands for the pane i seconds before the newest. Bits fall off
// the end by themselves when a newer pane shifts them.
type shopperTable struct {
	words  []uint64
	stride int
	span   int    // panes that the bits cover
	base   second // panes before base are forgotten, those from base+span on must wait
	// saturated says which panes need not be remembered, from saturatedFrom on;
	// see Aggregator.saturate.
	saturated     []bool
	saturatedFrom second
	used          int // entries, forgotten ones included
}

const firstShopperEntries = 1 << 10

// newShopperTable makes a table for panes from base to base+span.
func newShopperTable(span int) *shopperTable {
	words := (span + 63) / 64
	t := &shopperTable{stride: 2 + words, span: words * 64, base: noSecond}
	t.words = make([]uint64, firstShopperEntries*t.stride)
	return t
}

func (t *shopperTable) entries() int { return len(t.words) / t.stride }

// covers reports whether pane s can be tracked now.
func (t *shopperTable) covers(s second) bool {
	return s >= t.base && s < t.base+second(t.span)
}

// pairKey spreads a shopper's hash over scopes.
func pairKey(hash uint64, id scopeID, code string) uint64 {
	if id == worldID {
		return max(hash, 1)
	}
	h := hash ^ (uint64(code[0])<<8|uint64(code[1]))*0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return max(h, 1)
}

// gain is the range of window ends whose scope gains a shopper; none if
// from > to. prev is the nearest pane before s within reach that saw the
// shopper, next the nearest after; noSecond if none.
type gain struct {
	from, to   second
	prev, next second
}

// add notes that pane s saw key. fresh is false if it had seen it before.
func (t *shopperTable) add(key uint64, s second) (g gain, fresh bool) {
	if (t.used+1)*4 > t.entries()*3 {
		t.rebuild()
	}
	entry := t.find(key)
	if entry[0] == 0 {
		t.used++
		entry[0] = key
		entry[1] = uint64(s)
		entry[2] = 1
		return gain{from: s + 1, to: s + windowSeconds, prev: noSecond, next: noSecond}, true
	}
	bitmap := entry[2:]
	newest := second(entry[1])
	if s > newest {
		shiftUp(bitmap, int(s-newest))
		newest = s
		entry[1] = uint64(s)
	}
	i := int(newest - s)
	if bitmap[i/64]&(1<<(i%64)) != 0 {
		return gain{}, false
	}
	bitmap[i/64] |= 1 << (i % 64)
	return neighbours(bitmap, newest, s), true
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

// find returns the entry of key, or the free entry where it belongs.
func (t *shopperTable) find(key uint64) []uint64 {
	mask := uint64(t.entries() - 1)
	i := key & mask
	for {
		entry := t.words[int(i)*t.stride:][:t.stride]
		if entry[0] == 0 || entry[0] == key {
			return entry
		}
		i = (i + 1) & mask
	}
}

// rebuild drops entries that are not needed any more and resizes the table so
// that at most half of it is in use.
func (t *shopperTable) rebuild() {
	old, live := t.words, 0
	for i := 0; i < len(old); i += t.stride {
		if entry := old[i : i+t.stride]; t.needed(entry) {
			live++
		} else {
			entry[0] = 0
		}
	}
	size := firstShopperEntries
	for size < 2*(live+1) {
		size *= 2
	}
	t.words = make([]uint64, size*t.stride)
	t.used = live
	for i := 0; i < len(old); i += t.stride {
		if old[i] != 0 {
			copy(t.find(old[i]), old[i:i+t.stride])
		}
	}
}

// needed reports whether an entry has a pane that must be remembered.
func (t *shopperTable) needed(entry []uint64) bool {
	newest := second(entry[1])
	if entry[0] == 0 || newest < t.base {
		return false
	}
	for w, rest := range entry[2:] {
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
	clear(t.words)
	t.used = 0
	t.base = base
	t.saturated = t.saturated[:0]
}

// shiftUp moves the bits n places up; what passes the end is gone.
func shiftUp(bitmap []uint64, n int) {
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
