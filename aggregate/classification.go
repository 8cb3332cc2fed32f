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
// Two million products must leave room for the figures. So an entry is 32 bytes
// and its title, without a pointer, and products are known by the hash of their
// id. The entries of a product stand together, by time; a table says where.
type Classification struct {
	rows       []classRow // by hash, then by time
	slots      []uint32   // by open addressing: the last row of a product plus one; 0: free
	titles     []byte
	categories []string
	products   int
}

type classRow struct {
	hash       uint64
	from       orders.Time
	title      uint32 // where it begins in titles
	category   uint32
	titleBytes uint16
}

func (x classRow) compare(y classRow) int {
	return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.from, y.from), cmp.Compare(x.title, y.title))
}

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
	title, category := cut(cmp.Or(e.Title, e.Product)), cut(cmp.Or(e.Category, Unclassified))
	number, known := b.categories[category]
	if !known {
		number = uint32(len(b.c.categories))
		category = strings.Clone(category)
		b.c.categories = append(b.c.categories, category)
		b.categories[category] = number
	}
	b.c.rows = append(b.c.rows, classRow{
		hash: xxhash.Sum64String(e.Product), from: e.ValidFrom, title: uint32(len(b.c.titles)), titleBytes: uint16(len(title)), category: number,
	})
	b.c.titles = append(b.c.titles, title...)
}

// Build returns the Classification of all entries. The builder is of no use after
// it.
func (b *ClassificationBuilder) Build() *Classification {
	c := b.c
	slices.SortFunc(c.rows, classRow.compare) // titles lie in the order of the entries
	kept := c.rows[:0]
	for i, row := range c.rows {
		if n := len(kept); n > 0 && kept[n-1].hash == row.hash && kept[n-1].from == row.from {
			kept[n-1] = row
			continue
		}
		if i == 0 || c.rows[i].hash != kept[len(kept)-1].hash {
			c.products++
		}
		kept = append(kept, row)
	}
	c.rows = kept
	c.slots = make([]uint32, 2*c.products+1)
	for i, row := range c.rows {
		if i+1 == len(c.rows) || c.rows[i+1].hash != row.hash {
			c.slots[c.slot(row.hash)] = uint32(i + 1)
		}
	}
	return &c
}

// slot returns where the table has a product, or where it belongs.
func (c *Classification) slot(hash uint64) int {
	i := home(hash, len(c.slots))
	for c.slots[i] != 0 && c.rows[c.slots[i]-1].hash != hash {
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
	hash := xxhash.Sum64String(product)
	i := int(c.slots[c.slot(hash)]) - 1
	for i >= 0 && c.rows[i].hash == hash && c.rows[i].from > at {
		i--
	}
	if i < 0 || c.rows[i].hash != hash {
		return label{}, false
	}
	row := &c.rows[i]
	return label{title: string(c.titles[row.title:][:row.titleBytes]), category: c.categories[row.category]}, true
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
