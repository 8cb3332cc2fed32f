package journey

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"livemap/orders"
	"livemap/orders/internal/columns"
)

// maxProducts bounds the rows of products.parquet; the data set has 92,331.
const maxProducts = 2_000_000

// Products reads products.parquet: the title is the product's type or, where
// that is NULL, its category or else its number; the category is the data's,
// empty where it is NULL. It does not know every product that was sold.
func (s *Source) Products() ([]orders.Product, error) {
	var products []orders.Product
	choose := func(f *columns.File) ([]columns.Column, error) {
		if f.Rows() > maxProducts {
			return nil, fmt.Errorf("%d rows, at most %d are read", f.Rows(), maxProducts)
		}
		id, err := f.Column("product_id", parquet.Int64)
		if err != nil {
			return nil, err
		}
		kind, err := f.Column("product_type", parquet.ByteArray)
		if err != nil {
			return nil, err
		}
		category, err := f.Column("product_category", parquet.ByteArray)
		return []columns.Column{id, kind, category}, err
	}
	// Types and categories repeat: a few thousand strings serve all products.
	shared := make(map[string]string)
	text := func(v parquet.Value) string {
		if v.IsNull() {
			return ""
		}
		s, ok := shared[string(v.ByteArray())]
		if !ok {
			s = string(v.ByteArray())
			shared[s] = s
		}
		return s
	}
	err := readColumns(filepath.Join(s.dir, "products.parquet"), choose, func(row []parquet.Value) error {
		if row[0].IsNull() {
			return errors.New("product_id is NULL")
		}
		p := orders.Product{ID: strconv.FormatInt(row[0].Int64(), 10), Title: text(row[1]), Category: text(row[2])}
		if p.Title == "" {
			p.Title = p.Category
		}
		if p.Title == "" {
			p.Title = p.ID
		}
		products = append(products, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("journey: %w", err)
	}
	return products, nil
}
