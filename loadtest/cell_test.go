package loadtest

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCellAgainstASet delivers records late by less than the window, and twice,
// and compares with what a set of all offsets says.
func TestCellAgainstASet(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		var c cell
		seen := map[int64]bool{}
		highest := int64(-1)
		for range 400 {
			o := highest + 1 + random.Int64N(3)
			switch random.IntN(4) {
			case 0:
				o = max(highest-random.Int64N(windowBits-1), 0)
			case 1:
				o += random.Int64N(2 * windowBits)
			}
			if highest < 0 {
				o += 1000
			}
			want := fresh
			switch {
			case seen[o]:
				want = duplicate
			case o < highest:
				want = late
			}
			if o < highest-windowBits+1 {
				continue // beyond the window nothing is promised
			}
			if got := c.receive(o); got != want {
				t.Fatalf("seed %d: offset %d is %d, want %d", seed, o, got, want)
			}
			seen[o] = true
			highest = max(highest, o)
			if c.seen != int64(len(seen)) || c.next != highest+1 {
				t.Fatalf("seed %d: %d seen up to %d, want %d up to %d", seed, c.seen, c.next, len(seen), highest+1)
			}
		}
	}
}

// book plays what one client receives; others receive all.
type book struct {
	*accounts
	counts Counts
	cells  []cell
}

func newBook(state ...string) *book {
	b := &book{}
	b.accounts = newAccounts(newLedger(state), &b.counts)
	return b
}

func (b *book) get(cells *[]cell, offsets ...int64) {
	for _, o := range offsets {
		b.record(cells, entry{topic: []byte("t"), offset: o})
	}
}

func (b *book) end(all ...*[]cell) Counts {
	for _, c := range all {
		b.close(c, true)
	}
	b.judge()
	return b.counts
}

func TestSpans(t *testing.T) {
	const top = 20
	var whole []int64 // offsets 7 and 13 hold no record
	for o := range int64(top) {
		if o != 7 && o != 13 {
			whole = append(whole, o)
		}
	}
	without := func(skip ...int64) []int64 {
		return slices.DeleteFunc(slices.Clone(whole), func(o int64) bool { return slices.Contains(skip, o) })
	}
	tests := []struct {
		name                            string
		play                            func(b *book)
		lost, dup, late, missed, behind int64
	}{
		{"all of it, markers are no loss", func(b *book) { b.get(&b.cells, whole...) }, 0, 0, 0, 0, 0},
		{"joined in the middle", func(b *book) { b.get(&b.cells, whole[9:]...) }, 0, 0, 0, 0, 0},
		{"two lost", func(b *book) { b.get(&b.cells, without(5, 11)...) }, 2, 0, 0, 0, 0},
		{"one twice", func(b *book) { b.get(&b.cells, 0, 1, 1, 2) }, 0, 1, 0, 0, 15},
		{"one late", func(b *book) { b.get(&b.cells, 0, 2, 1, 3) }, 0, 0, 1, 0, 14},
		{"late before the first", func(b *book) { b.get(&b.cells, 2, 0, 3) }, 1, 0, 1, 0, 14},
		{"announced", func(b *book) {
			b.get(&b.cells, 0, 1, 2)
			b.gap(&b.cells, []byte("t"), 0, 3, 10, false)
			b.get(&b.cells, whole[9:]...)
		}, 0, 0, 0, 6, 0},
		{"lost beside what was announced", func(b *book) {
			b.get(&b.cells, 0, 1, 2)
			b.gap(&b.cells, []byte("t"), 0, 4, 10, false)
			b.get(&b.cells, whole[10:]...)
		}, 2, 0, 0, 5, 0},
		{"announced and sent all the same", func(b *book) {
			b.get(&b.cells, 0, 1)
			b.gap(&b.cells, []byte("t"), 0, 2, 10, false)
			b.get(&b.cells, whole[7:]...)
		}, 0, 0, 0, 7, 0},
		{"a gap of the whole topic begins anew", func(b *book) {
			b.get(&b.cells, 0, 1, 2)
			b.gap(&b.cells, []byte("t"), -1, -1, -1, false)
			b.get(&b.cells, 1, 2, 3)
		}, 0, 0, 0, 0, 14},
		{"stopped early", func(b *book) { b.get(&b.cells, whole[:5]...) }, 0, 0, 0, 0, 13},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBook()
			var other []cell
			b.get(&other, 0) // the partition is known
			test.play(b)
			b.get(&other, whole[1:]...) // found out only later
			n := b.end(&b.cells, &other)
			got := [5]int64{n[Lost], n[Duplicated], n[Reordered], n[Missed], n[Behind]}
			if want := [5]int64{test.lost, test.dup, test.late, test.missed, test.behind}; got != want {
				t.Errorf("lost, duplicated, reordered, missed, behind: %v, want %v", got, want)
			}
		})
	}
}

func TestRecreatedTopicIsNotJudged(t *testing.T) {
	b := newBook()
	b.get(&b.cells, 5, 6, 9)
	b.gap(&b.cells, []byte("t"), -1, -1, -1, true)
	b.get(&b.cells, 0, 1, 4)
	if n := b.end(&b.cells); n[Lost]+n[Duplicated]+n[Reordered] != 0 || n[Unjudged] == 0 {
		t.Errorf("lost %d, duplicated %d, reordered %d, unjudged %d", n[Lost], n[Duplicated], n[Reordered], n[Unjudged])
	}
}

func TestStateTopicsOweTheLatest(t *testing.T) {
	type rec struct {
		offset int64
		key    string
	}
	all := []rec{{0, "a"}, {1, "b"}, {2, "a"}, {4, "c"}, {5, "a"}, {6, "b"}, {7, "d"}}
	play := func(b *book, cells *[]cell, list []rec) {
		for _, r := range list {
			b.record(cells, entry{topic: []byte("s"), offset: r.offset, key: []byte(r.key)})
		}
	}
	tests := []struct {
		name             string
		got              []rec
		lost, superseded int64
	}{
		{"all", all, 0, 0},
		{"the latest of each key, as after joining", []rec{{4, "c"}, {5, "a"}, {6, "b"}, {7, "d"}}, 0, 0},
		{"some left out and replaced", []rec{{0, "a"}, {4, "c"}, {5, "a"}, {6, "b"}, {7, "d"}}, 0, 2},
		{"the latest of c lost", []rec{{0, "a"}, {1, "b"}, {2, "a"}, {5, "a"}, {6, "b"}, {7, "d"}}, 1, 0},
		{"cut in the middle: b may be on its way", []rec{{4, "c"}, {5, "a"}}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBook("s")
			var other []cell
			play(b, &b.cells, test.got)
			play(b, &other, all)
			n := b.end(&b.cells, &other)
			if n[Lost] != test.lost || n[Superseded] != test.superseded {
				t.Errorf("lost %d, superseded %d; want %d, %d", n[Lost], n[Superseded], test.lost, test.superseded)
			}
		})
	}
	t.Run("a deleted key is owed to nobody", func(t *testing.T) {
		b := newBook("s")
		var other []cell
		play(b, &other, all)
		b.forget([]byte("s"), []byte("c"))
		play(b, &b.cells, []rec{{5, "a"}, {6, "b"}, {7, "d"}})
		if n := b.end(&b.cells, &other); n[Lost] != 0 {
			t.Errorf("lost %d", n[Lost])
		}
	})
}

func TestCutJudgesEachRecordOnce(t *testing.T) {
	b := newBook()
	var other []cell
	for o := range int64(30) {
		b.get(&other, o)
		if o != 3 && o != 20 {
			b.get(&b.cells, o)
		}
		if o%7 == 0 {
			b.cut(b.cells)
			b.cut(other)
			b.judge()
		}
	}
	if n := b.end(&b.cells, &other); n[Lost] != 2 || n[Duplicated]+n[Reordered] != 0 {
		t.Errorf("lost %d, duplicated %d, reordered %d; want 2, 0, 0", n[Lost], n[Duplicated], n[Reordered])
	}
}
