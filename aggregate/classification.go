package aggregate

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

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
type Classification struct {
	current  map[string]label          // products with a single entry
	versions map[string][]versionLabel // the others, by time
}

type label struct{ title, category string }

type versionLabel struct {
	label
	from orders.Time
}

// NewClassification builds a Classification. Of entries for the same product
// and time the last counts; an entry without a product is ignored, one without
// a category is unclassified, one without a title is called by its product.
func NewClassification(entries []ClassificationEntry) *Classification {
	c := &Classification{current: make(map[string]label, len(entries)), versions: map[string][]versionLabel{}}
	categories := map[string]string{} // one string per category
	first := make(map[string]orders.Time, len(entries))
	for _, e := range entries {
		if e.Product == "" {
			continue
		}
		category := cut(cmp.Or(e.Category, Unclassified))
		if known, ok := categories[category]; ok {
			category = known
		} else {
			categories[category] = category
		}
		l := label{title: cut(cmp.Or(e.Title, e.Product)), category: category}
		from, known := first[e.Product]
		if !known || from == e.ValidFrom && c.versions[e.Product] == nil {
			first[e.Product], c.current[e.Product] = e.ValidFrom, l
			continue
		}
		if c.versions[e.Product] == nil {
			c.versions[e.Product] = []versionLabel{{c.current[e.Product], from}}
		}
		c.versions[e.Product] = append(c.versions[e.Product], versionLabel{l, e.ValidFrom})
	}
	for product, from := range first {
		if from > 0 && c.versions[product] == nil {
			c.versions[product] = []versionLabel{{c.current[product], from}}
		}
	}
	for product, list := range c.versions {
		delete(c.current, product)
		slices.SortStableFunc(list, func(x, y versionLabel) int { return cmp.Compare(x.from, y.from) })
	}
	return c
}

// Len returns how many products are classified.
func (c *Classification) Len() int {
	if c == nil {
		return 0
	}
	return len(c.current) + len(c.versions)
}

// find returns what is in force at the given time. A nil Classification knows
// nothing.
func (c *Classification) find(product string, at orders.Time) (label, bool) {
	if c == nil {
		return label{}, false
	}
	if l, ok := c.current[product]; ok {
		return l, true
	}
	list := c.versions[product]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= at {
			return list[i].label, true
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
