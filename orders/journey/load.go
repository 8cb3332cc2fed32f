package journey

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sort"

	"github.com/parquet-go/parquet-go"

	"livemap/orders"
	"livemap/orders/internal/columns"
)

// maxLines bounds the rows of transactions.parquet, and with them memory: at 16
// bytes each, 320 MB. The data set has 1.5 million.
const maxLines = 20_000_000

// basket is a purchase; its lines are Source.lines[first:end].
type basket struct {
	id, store, household int64
	at                   orders.Time // the data's own
	first, end           int32
}

// line is one product of a basket, in the order of the file.
type line struct {
	product int64
	units   int32
	cents   int32
}

// readColumns opens a Parquet file, lets choose name its columns, and calls do
// for each row.
func readColumns(path string, choose func(*columns.File) ([]columns.Column, error), do func([]parquet.Value) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	file, err := columns.Open(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	chosen, err := choose(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := file.Each(chosen, do); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// load reads transactions.parquet. A basket's lines stand together in it.
func (s *Source) load(path string) error {
	var when columns.TimeColumn
	choose := func(f *columns.File) ([]columns.Column, error) {
		if f.Rows() > maxLines {
			return nil, fmt.Errorf("%d rows, at most %d are read", f.Rows(), maxLines)
		}
		var chosen []columns.Column
		for _, name := range []string{"basket_id", "store_id", "household_id", "product_id", "quantity", "sales_value"} {
			kind := parquet.Int64
			if name == "sales_value" {
				kind = parquet.Double
			}
			c, err := f.Column(name, kind)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, c)
		}
		var err error
		when, err = f.TimeColumn("transaction_timestamp")
		s.lines = make([]line, 0, f.Rows())
		return append(chosen, when.Column), err
	}
	err := readColumns(path, choose, func(row []parquet.Value) error {
		for _, v := range row {
			if v.IsNull() {
				return errors.New("a value is NULL")
			}
		}
		return s.addRow(basket{
			id: row[0].Int64(), store: row[1].Int64(), household: row[2].Int64(), at: when.Time(row[6]),
		}, row[3].Int64(), row[4].Int64(), row[5].Double())
	})
	if err != nil {
		return err
	}
	if len(s.baskets) == 0 {
		return fmt.Errorf("%s: no rows", path)
	}
	return s.sortBaskets()
}

// addRow appends a line to the last basket, or to a new one.
func (s *Source) addRow(b basket, product, quantity int64, dollars float64) error {
	cents := math.Round(dollars * 100)
	switch {
	case quantity < 0 || quantity > math.MaxInt32:
		return fmt.Errorf("quantity %d is out of range", quantity)
	case !(cents >= 0 && cents <= math.MaxInt32):
		return fmt.Errorf("sales_value %v is out of range", dollars)
	case math.Abs(dollars*100-cents) > 1e-6:
		return fmt.Errorf("sales_value %v is not in whole cents", dollars)
	}
	s.lines = append(s.lines, line{product: product, units: int32(quantity), cents: int32(cents)})
	if n := len(s.baskets); n > 0 && s.baskets[n-1].id == b.id {
		last := &s.baskets[n-1]
		if last.at != b.at || last.store != b.store || last.household != b.household {
			return fmt.Errorf("basket %d differs in time, store or household from its line before", b.id)
		}
		last.end++
		if last.end-last.first > orders.MaxLines {
			return fmt.Errorf("basket %d has more than %d lines", b.id, orders.MaxLines)
		}
		return nil
	}
	b.end = int32(len(s.lines))
	b.first = b.end - 1
	s.baskets = append(s.baskets, b)
	return nil
}

// sortBaskets brings them into the order of their time, then id.
func (s *Source) sortBaskets() error {
	seen := make(map[int64]struct{}, len(s.baskets))
	for _, b := range s.baskets {
		if _, twice := seen[b.id]; twice {
			return fmt.Errorf("lines of basket %d do not stand together", b.id)
		}
		seen[b.id] = struct{}{}
	}
	sort.Slice(s.baskets, func(i, j int) bool {
		a, b := &s.baskets[i], &s.baskets[j]
		if a.at != b.at {
			return a.at < b.at
		}
		return a.id < b.id
	})
	return nil
}
