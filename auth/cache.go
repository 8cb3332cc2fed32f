package auth

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// tokenHash stands for a whole token, signature included: a type of its own, so
// that nothing else can become a key of the cache.
type tokenHash [sha256.Size]byte

// entryBytes is about what an entry occupies besides its permit.
const entryBytes = 224

// cache remembers the permits of verified tokens: least recently used out first,
// bounded in bytes. Refusals are not remembered, for anybody can cause them.
type cache struct {
	most int // bytes; immutable

	mu    sync.Mutex // guards what follows
	byKey map[tokenHash]*list.Element
	order *list.List // of *cached, most recently used first
	bytes int
}

type cached struct {
	token      tokenHash
	permit     *Permit
	generation uint64
	bytes      int
}

func newCache(most int) *cache {
	return &cache{most: most, byKey: map[tokenHash]*list.Element{}, order: list.New()}
}

// get returns the permit of a token if it was verified under this generation of
// keys and revocations and has not ended. Anything else it forgets.
func (c *cache) get(t tokenHash, generation uint64, now time.Time) *Permit {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[t]
	if e == nil {
		return nil
	}
	have := e.Value.(*cached)
	if have.generation != generation || have.permit.Ended(now) {
		c.dropLocked(e)
		return nil
	}
	c.order.MoveToFront(e)
	return have.permit
}

// put remembers a permit that was verified under this generation. The caller
// read the generation before it verified: keys that changed meanwhile make the
// entry worthless, not wrong.
func (c *cache) put(t tokenHash, generation uint64, p *Permit) {
	size := entryBytes + p.bytes()
	if size > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[t]; e != nil {
		c.dropLocked(e)
	}
	c.byKey[t] = c.order.PushFront(&cached{t, p, generation, size})
	c.bytes += size
	for c.bytes > c.most {
		c.dropLocked(c.order.Back())
	}
}

func (c *cache) dropLocked(e *list.Element) {
	have := c.order.Remove(e).(*cached)
	delete(c.byKey, have.token)
	c.bytes -= have.bytes
}

// clear forgets everything: after a change of keys or revocations nothing in it
// would be used again, and it need not occupy memory until it is pushed out.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byKey)
	c.order.Init()
	c.bytes = 0
}

// size returns the entries and about how many bytes they occupy.
func (c *cache) size() (entries, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.bytes
}
