package synthetic

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"livemap/orders"
)

//go:embed catalogue.csv
var catalogueTable string

// item is a product on sale.
type item struct {
	orders.Product
	cents      int64   // price of one unit
	massG      int64   // of one unit
	popularity float64 // share of all demand; the catalogue's sum is 1
}

// catalogue holds all products, and those of each category.
type catalogue struct {
	items      []item
	categories []category
}

type category struct {
	name  string
	items []*item
	pick  weights // over items, by popularity
}

// newCatalogue reads the embedded table, a row for each product with its
// variants, and deals out popularity: rank k of all products is wanted in
// proportion to (k+5)^-0.9, a long tail.
func newCatalogue(r *rand.Rand) (*catalogue, error) {
	c := new(catalogue)
	for i, row := range strings.Split(strings.TrimSpace(catalogueTable), "\n")[1:] {
		if err := c.addRow(row); err != nil {
			return nil, fmt.Errorf("embedded catalogue.csv: line %d: %w", i+2, err)
		}
	}
	var sum float64
	for rank, i := range r.Perm(len(c.items)) {
		c.items[i].popularity = math.Pow(float64(rank+5), -0.9)
		sum += c.items[i].popularity
	}
	byName := make(map[string]int)
	for i := range c.items {
		it := &c.items[i]
		it.popularity /= sum
		k, ok := byName[it.Category]
		if !ok {
			k = len(c.categories)
			byName[it.Category] = k
			c.categories = append(c.categories, category{name: it.Category})
		}
		c.categories[k].items = append(c.categories[k].items, it)
	}
	for i := range c.categories {
		cat := &c.categories[i]
		for _, it := range cat.items {
			cat.pick.add(it.popularity)
		}
	}
	return c, nil
}

// addRow reads category;title;cents;grams;variant|variant…. Each variant is a
// product and costs a tenth more than the one before.
func (c *catalogue) addRow(row string) error {
	cells := strings.Split(row, ";")
	if len(cells) != 5 {
		return fmt.Errorf("has %d columns, wants 5", len(cells))
	}
	cents, err := strconv.ParseInt(cells[2], 10, 64)
	if err != nil {
		return fmt.Errorf("cents: %w", err)
	}
	grams, err := strconv.ParseInt(cells[3], 10, 64)
	if err != nil {
		return fmt.Errorf("grams: %w", err)
	}
	for i, variant := range strings.Split(cells[4], "|") {
		c.items = append(c.items, item{
			Product: orders.Product{
				ID:       fmt.Sprintf("p%03d", len(c.items)),
				Title:    cells[1] + ", " + variant,
				Category: cells[0],
			},
			cents: cents + cents*int64(i)/1000*100,
			massG: grams,
		})
	}
	return nil
}
