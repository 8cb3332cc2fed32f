package aggregate

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"livemap/orders"
)

// Unclassified is the category of products without a classification.
const Unclassified = "unclassified"

// unclassifiedTitle is what the list of latest orders shows for them: a product
// id is for trending only.
const unclassifiedTitle = "Unclassified product"

// MaxLabelBytes bounds a title and a category; the rest is cut off.
const MaxLabelBytes = 256

// ClassificationEntry says how a product is called from a time on.
type ClassificationEntry struct {
	Product   string
	Title     string
	Category  string
	ValidFrom orders.Time // zero: always
}

// Classification maps products to titles and categories. It is immutable and
// safe for concurrent use.
//
// Two million products must leave room for the figures, and be read in a second.
// So a row is 32 bytes and its title, without a pointer; products are known by
// the hash of their id; and rows stay in the order of the entries, each with the
// number of the one that was in force before it, so that nothing needs sorting.
type Classification struct {
	rows       [][]classRow // in blocks, which need not be moved to grow
	slots      []uint32     // by open addressing: the latest row of a product plus one; 0: free
	titles     []byte
	categories []string
	products   int
}

type classRow struct {
	hash       uint64
	from       orders.Time
	title      uint32 // where it begins in titles
	category   uint32
	before     uint32 // the row in force before from, plus one; 0: none
	titleBytes uint16
}

const classBlock = 1 << 14 // rows

func (c *Classification) row(i uint32) *classRow { return &c.rows[i/classBlock][i%classBlock] }

type label struct{ title, category string }

// NewClassification builds a Classification. Of entries for the same product
// and time the last counts; an entry without a product is ignored, one without
// a category is unclassified, one without a title is called by its product.
func NewClassification(entries []ClassificationEntry) *Classification {
	b := NewClassificationBuilder()
	for _, e := range entries {
		b.Add(e)
	}
	return b.Build()
}

// ClassificationBuilder makes a Classification of entries that need not be in
// memory together.
type ClassificationBuilder struct {
	c          Classification
	n          uint32 // rows
	categories map[string]uint32
}

// NewClassificationBuilder returns a builder without entries.
func NewClassificationBuilder() *ClassificationBuilder {
	return &ClassificationBuilder{categories: map[string]uint32{}}
}

// Add adds an entry and keeps nothing of it. See [NewClassification].
func (b *ClassificationBuilder) Add(e ClassificationEntry) {
	if e.Product == "" {
		return
	}
	title, number := cut(cmp.Or(e.Title, e.Product)), b.category(cut(cmp.Or(e.Category, Unclassified)))
	if b.n%classBlock == 0 {
		b.c.rows = append(b.c.rows, make([]classRow, 0, classBlock))
	}
	block := &b.c.rows[b.n/classBlock]
	*block = append(*block, classRow{
		hash: xxhash.Sum64String(e.Product), from: e.ValidFrom, title: uint32(len(b.c.titles)), titleBytes: uint16(len(title)), category: number,
	})
	b.n++
	b.c.titles = append(b.c.titles, title...)
}

// category returns the number of a category.
func (b *ClassificationBuilder) category(name string) uint32 {
	number, known := b.categories[name]
	if !known {
		number = uint32(len(b.c.categories))
		name = strings.Clone(name)
		b.c.categories = append(b.c.categories, name)
		b.categories[name] = number
	}
	return number
}

// Build returns the Classification of all entries. The builder is of no use after
// it.
func (b *ClassificationBuilder) Build() *Classification {
	c := b.c
	c.slots = make([]uint32, 2*int(b.n)+1)
	for i := range b.n {
		if !c.link(i) {
			b.linkByTime(&c)
			break
		}
	}
	return &c
}

// link takes a row in as the latest of its product, in place of one of the same
// time. It reports false if the product has a later one.
func (c *Classification) link(i uint32) bool {
	row := c.row(i)
	slot := &c.slots[c.slot(row.hash)]
	if *slot == 0 {
		c.products++
	} else if latest := c.row(*slot - 1); row.from > latest.from {
		row.before = *slot
	} else if row.from == latest.from {
		row.before = latest.before
	} else {
		return false
	}
	*slot = i + 1
	return true
}

// linkByTime links all rows, in the order of their times.
func (b *ClassificationBuilder) linkByTime(c *Classification) {
	order := make([]uint32, b.n)
	for i := range order {
		order[i] = uint32(i)
		c.row(uint32(i)).before = 0
	}
	slices.SortFunc(order, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(c.row(x).from, c.row(y).from), cmp.Compare(x, y))
	})
	clear(c.slots)
	c.products = 0
	for _, i := range order {
		c.link(i)
	}
}

// slot returns where the table has a product, or where it belongs.
func (c *Classification) slot(hash uint64) int {
	i := home(hash, len(c.slots))
	for c.slots[i] != 0 && c.row(c.slots[i]-1).hash != hash {
		if i++; i == len(c.slots) {
			i = 0
		}
	}
	return i
}

// Len returns how many products are classified.
func (c *Classification) Len() int {
	if c == nil {
		return 0
	}
	return c.products
}

// Title returns what a product is called at the given time, if that is known.
func (c *Classification) Title(product string, at orders.Time) (string, bool) {
	l, ok := c.find(product, at)
	return l.title, ok
}

// find returns what is in force at the given time. A nil Classification knows
// nothing.
func (c *Classification) find(product string, at orders.Time) (label, bool) {
	if c == nil {
		return label{}, false
	}
	next := c.slots[c.slot(xxhash.Sum64String(product))]
	for ; next != 0; next = c.row(next - 1).before {
		row := c.row(next - 1)
		if row.from <= at {
			return label{title: string(c.titles[row.title:][:row.titleBytes]), category: c.categories[row.category]}, true
		}
	}
	return label{}, false
}

// cut shortens s to MaxLabelBytes without splitting a character.
func cut(s string) string {
	if len(s) <= MaxLabelBytes {
		return s
	}
	n := MaxLabelBytes
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n])
}
