package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// tokenHash stands for a whole token, signature included: a type of its own, so
// that nothing else can become a key of the cache.
type tokenHash [sha256.Size]byte

// place is where an entry is looked for: a few bytes of the hash, for those of
// all would take more room in the map than all else. Of two tokens with the same
// place the later one is remembered.
func (t *tokenHash) place() uint64 { return binary.LittleEndian.Uint64(t[:]) }

// entryBytes is about what an entry occupies besides what its permit refers to:
// itself, and its place in a map that is half full.
const entryBytes = 128 + 32

// cache remembers the permits of verified tokens: least recently used out first,
// bounded in bytes. Refusals are not remembered, for anybody can cause them.
type cache struct {
	most int // bytes; immutable

	mu         sync.Mutex // guards what follows
	generation uint64     // of keys and revocations, under which all were verified
	byKey      map[uint64]*cached
	ends       cached // next: the most recently used; previous: the least
	bytes      int
}

// cached is an entry. A pod keeps one for each token of its streams, and with
// the permit in it, which streams hold longer than the cache may, it is one
// object of 128 bytes. Entries are a ring through cache.ends: a list of the
// standard library would take a third as much again.
type cached struct {
	token          tokenHash
	previous, next *cached // nil: not in the cache
	permit         Permit
}

func newCache(most int) *cache {
	c := &cache{most: most, byKey: map[uint64]*cached{}}
	c.ends.previous, c.ends.next = &c.ends, &c.ends
	return c
}

// get returns the permit of a token if it was verified under this generation of
// keys and revocations and has not ended. Anything else it forgets.
func (c *cache) get(t tokenHash, generation uint64, now time.Time) *Permit {
	if c.most <= 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[t.place()]
	if e == nil || e.token != t || generation != c.generation {
		return nil
	}
	if e.permit.Ended(now) {
		c.dropLocked(e)
		return nil
	}
	e.unlink()
	c.frontLocked(e)
	return &e.permit
}

// put remembers a permit that was verified under this generation, in an entry
// that is nobody else's. The caller read the generation before it verified: where
// keys changed meanwhile, the permit is not remembered.
func (c *cache) put(e *cached, generation uint64) {
	if c.most <= 0 || e.size() > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation < c.generation {
		return
	}
	c.beginLocked(generation)
	if old := c.byKey[e.token.place()]; old != nil {
		c.dropLocked(old)
	}
	c.byKey[e.token.place()] = e
	c.frontLocked(e)
	c.bytes += e.size()
	for c.bytes > c.most {
		c.dropLocked(c.ends.previous)
	}
}

// size returns about how many bytes an entry occupies.
func (e *cached) size() int { return entryBytes + e.permit.bytes() }

func (c *cache) frontLocked(e *cached) {
	e.previous, e.next = &c.ends, c.ends.next
	e.previous.next, e.next.previous = e, e
}

// unlink takes an entry out of the ring. It refers to no other from then on, or
// a stream that holds its permit would keep those, too.
func (e *cached) unlink() {
	e.previous.next, e.next.previous = e.next, e.previous
	e.previous, e.next = nil, nil
}

func (c *cache) dropLocked(e *cached) {
	e.unlink()
	delete(c.byKey, e.token.place())
	c.bytes -= e.size()
}

// begin forgets everything: after a change of keys or revocations nothing in it
// would be used again, and it need not occupy memory until it is pushed out.
func (c *cache) begin(generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beginLocked(generation)
}

func (c *cache) beginLocked(generation uint64) {
	if generation <= c.generation {
		return
	}
	for c.ends.next != &c.ends {
		c.ends.next.unlink()
	}
	c.generation, c.byKey, c.bytes = generation, map[uint64]*cached{}, 0
}

// size returns the entries and about how many bytes they occupy.
func (c *cache) size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.bytes
}
