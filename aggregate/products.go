package aggregate

import "github.com/cespare/xxhash/v2"

// productID numbers the products that were sold within the last hour. Numbers
// are used again; they are never written anywhere.
type productID uint32

// product is a product's id as an order has it and its hash, by which it is
// known. Among two million products, the chance that any two share a hash is
// one in nine million.
type product struct {
	hash uint64
	name []byte
}

func productOf(name string) product { return namedProduct([]byte(name)) }

func namedProduct(name []byte) product { return product{hash: xxhash.Sum64(name), name: name} }

// products numbers products.
type products struct {
	slots     []productSlot // by open addressing; at most three quarters are used
	used      int           // slots that are not free
	names     []string      // by productID, "" when free
	minutes   []second      // by productID: the last minute it was sold in
	free      []productID
	nameBytes int64 // of names
}

// productSlot holds a product's hash and its number plus one; 0: free.
type productSlot struct {
	hash uint64
	id   uint32
}

const firstProductSlots = 64

func newProducts() products { return products{slots: make([]productSlot, firstProductSlots)} }

// slot returns the slot of a hash, or the free one where it belongs.
func (p *products) slot(hash uint64) int {
	mask := len(p.slots) - 1
	i := int(hash) & mask
	for p.slots[i].id != 0 && p.slots[i].hash != hash {
		i = (i + 1) & mask
	}
	return i
}

func (p *products) find(hash uint64) (productID, bool) {
	s := p.slots[p.slot(hash)]
	return productID(s.id - 1), s.id != 0
}

// intern returns a product's number, a new one if it has none.
func (p *products) intern(o product) productID {
	i := p.slot(o.hash)
	if id := p.slots[i].id; id != 0 {
		return productID(id - 1)
	}
	if (p.used+1)*4 > len(p.slots)*3 {
		p.rehash(2 * len(p.slots))
		i = p.slot(o.hash)
	}
	name := string(o.name) // not the record it was cut from
	var id productID
	if n := len(p.free); n > 0 {
		id, p.free = p.free[n-1], p.free[:n-1]
		p.names[id] = name
	} else {
		id = productID(len(p.names))
		p.names = append(p.names, name)
		p.minutes = append(p.minutes, noSecond)
	}
	p.minutes[id] = noSecond
	p.slots[i] = productSlot{o.hash, uint32(id) + 1}
	p.used++
	p.nameBytes += int64(len(name))
	return id
}

// rehash makes the table anew with the products that still have a number.
func (p *products) rehash(slots int) {
	old := p.slots
	p.slots, p.used = make([]productSlot, slots), 0
	for _, s := range old {
		if s.id != 0 && p.names[s.id-1] != "" {
			p.slots[p.slot(s.hash)] = s
			p.used++
		}
	}
}

// forget frees the numbers of products that were last sold before start.
func (p *products) forget(start second) {
	before := len(p.free)
	for id, name := range p.names {
		if name != "" && p.minutes[id] < start {
			p.names[id] = ""
			p.nameBytes -= int64(len(name))
			p.free = append(p.free, productID(id))
		}
	}
	switch live := p.live(); {
	case live == 0:
		*p = newProducts()
	case len(p.free) > before:
		slots := firstProductSlots
		for slots*3 < live*4+4 {
			slots *= 2
		}
		p.rehash(slots)
	}
}

// live returns how many products have a number.
func (p *products) live() int { return len(p.names) - len(p.free) }
