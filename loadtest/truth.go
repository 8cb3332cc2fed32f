package loadtest

import (
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Sizes of a truth: a page is 512 bytes, a block the addresses of the pages of
// about a million offsets.
const (
	pageBits   = 1 << 12
	blockPages = 1 << 8
	blockBits  = pageBits * blockPages
	blockCost  = 5 // in pages, a block and its first page together
)

// maxOffset is the highest offset that is believed. Its block ends within an
// int64.
const maxOffset = 1 << 62

type (
	page  [pageBits / 64]atomic.Uint64
	block [blockPages]atomic.Pointer[page]
)

// truth is the set of offsets of one partition that any client received. It is
// what tells a lost record from an offset that never held one: Kafka's offsets
// also count the markers of transactions and what compaction removed, so a hole
// in the numbers that one client saw means nothing by itself.
//
// A set of bits is chosen over a list because records are found in any order: a
// record that the first client lost is found when the second receives it, and
// belongs in the middle. A list would move all that comes after, and with it
// every client's position in it; a bit has its place from the beginning, is set
// without a lock, and a span of offsets is counted by its words.
//
// All methods are safe for concurrent use.
type truth struct {
	room *atomic.Int64 // pages that may still be made, shared by all partitions

	mu     sync.Mutex // held to add a block or a page
	blocks atomic.Pointer[map[int64]*block]
}

func newTruth(room *atomic.Int64) *truth {
	t := &truth{room: room}
	t.blocks.Store(&map[int64]*block{})
	return t
}

// add notes that offset o, from 0 to maxOffset, holds a record. It returns false when
// there is no room to note it.
func (t *truth) add(o int64) bool {
	p := t.page(o)
	if p == nil {
		if p = t.grow(o); p == nil {
			return false
		}
	}
	word, bit := &p[o%pageBits/64], uint64(1)<<(o%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
	return true
}

func (t *truth) page(o int64) *page {
	b := (*t.blocks.Load())[o/blockBits]
	if b == nil {
		return nil
	}
	return b[o%blockBits/pageBits].Load()
}

// grow makes the page of offset o, unless another did meanwhile.
func (t *truth) grow(o int64) *page {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.page(o); p != nil {
		return p
	}
	blocks := *t.blocks.Load()
	b, cost := blocks[o/blockBits], int64(1)
	if b == nil {
		cost = blockCost
	}
	if t.room.Add(-cost) < 0 {
		t.room.Add(cost)
		return nil
	}
	p := new(page)
	if b == nil {
		b = new(block)
		grown := maps.Clone(blocks) // readers hold the old map without a lock
		grown[o/blockBits] = b
		t.blocks.Store(&grown)
	}
	b[o%blockBits/pageBits].Store(p)
	return p
}

// count returns how many offsets of from <= o < to hold a record.
func (t *truth) count(from, to int64) int64 {
	n := int64(0)
	for k, b := range *t.blocks.Load() {
		start := k * blockBits
		if first, end := max(from, start), min(to, start+blockBits); first < end {
			n += b.count(first-start, end-start)
		}
	}
	return n
}

func (b *block) count(from, to int64) int64 {
	n := 0
	for from < to {
		end := min(to, (from/pageBits+1)*pageBits)
		if p := b[from/pageBits].Load(); p != nil {
			for ; from < end; from = from/64*64 + 64 {
				w := p[from%pageBits/64].Load() >> (from % 64)
				if left := end - from; left < 64-from%64 {
					w &= 1<<left - 1
				}
				n += bits.OnesCount64(w)
			}
		}
		from = end
	}
	return int64(n)
}
