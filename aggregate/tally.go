package aggregate

// tally counts by unitKey. It is a Go map by open addressing, with what the
// counting of millions needs of it: a key and its count share a cache line, a
// slot can be looked up once and then added to, and 16 bytes of it are 16 bytes.
// Its order depends on nothing but what was done with it.
type tally struct {
	slots []tallySlot
	used  int
}

type tallySlot struct {
	key uint64 // unitKey plus one; 0: free
	n   int64
}

const firstTallySlots = 16

func newTally() *tally { return &tally{slots: make([]tallySlot, firstTallySlots)} }

func (t *tally) len() int { return t.used }

// spread makes all bits of a key count for its place in a table: the finalizer
// of MurmurHash3.
func spread(key uint64) uint64 {
	key ^= key >> 33
	key *= 0xff51afd7ed558ccd
	key ^= key >> 33
	key *= 0xc4ceb9fe1a85ec53
	return key ^ key>>33
}

// slot returns the slot of key, or the free one where it belongs.
func (t *tally) slot(key unitKey) *tallySlot {
	want, mask := uint64(key)+1, uint64(len(t.slots)-1)
	for i := spread(want) & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.key == want || s.key == 0 {
			return s
		}
	}
}

// get returns the count of key, and whether there is one.
func (t *tally) get(key unitKey) (n int64, ok bool) {
	s := t.slot(key)
	return s.n, s.key != 0
}

// add adds to the count of key and reports whether it is new.
func (t *tally) add(key unitKey, n int64) (fresh bool) {
	s := t.slot(key)
	if s.key != 0 {
		s.n += n
		return false
	}
	if t.used*4 >= len(t.slots)*3 {
		t.grow()
		s = t.slot(key)
	}
	t.used++
	s.key, s.n = uint64(key)+1, n
	return true
}

func (t *tally) grow() {
	old := t.slots
	t.slots = make([]tallySlot, 2*len(old))
	for _, s := range old {
		if s.key != 0 {
			*t.slot(unitKey(s.key - 1)) = s
		}
	}
}

// remove takes key out, if it is there. What stands after it moves up where
// that shortens its search, so that no search ends too early.
func (t *tally) remove(key unitKey) {
	mask := len(t.slots) - 1
	want := uint64(key) + 1
	i := int(spread(want)) & mask
	for t.slots[i].key != want {
		if t.slots[i].key == 0 {
			return
		}
		i = (i + 1) & mask
	}
	t.used--
	for j := (i + 1) & mask; t.slots[j].key != 0; j = (j + 1) & mask {
		begins := int(spread(t.slots[j].key)) & mask
		if (j-begins)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = tallySlot{}
}

// each calls visit for every key.
func (t *tally) each(visit func(key unitKey, n int64)) {
	for _, s := range t.slots {
		if s.key != 0 {
			visit(unitKey(s.key-1), s.n)
		}
	}
}
