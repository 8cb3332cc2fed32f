// Package classification reads and writes what is known of products as Parquet:
// the file that livemap orders writes with --classification-out and that
// livemap aggregate reads with --classification. Start at [Scan] and [Write].
//
// The columns are product, title, category and, where a classification changes
// over time, valid_from. Which entry is true of a product at which time is for
// the reader of the entries to say, as is what becomes of products without one.
//
// Files are to come from a place that the operator controls. Damage is answered
// with an error, but the Parquet library believes lengths that a page names for
// itself: a file made with ill intent can have it allocate gigabytes. That is
// also why there is no fuzz target here.
package classification

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"livemap/orders"
	"livemap/orders/internal/columns"
)

// Limits of a file. A file beyond MaxRows is refused; longer titles and
// categories are cut at a character.
const (
	MaxRows          = 4_000_000
	MaxTitleBytes    = 256
	MaxCategoryBytes = 128
)

// Entry is what holds of a product from a point in time on.
type Entry struct {
	Product   string
	Title     string      // empty where the file says NULL
	Category  string      // empty where the file says NULL
	ValidFrom orders.Time // 0, which is before all orders, where the file says NULL or does not say
}

// Read returns the entries of a file, see [Scan].
func Read(r io.ReaderAt, size int64) ([]Entry, error) {
	var entries []Entry // not sized by what the footer promises, which may be a lie
	if err := Scan(r, size, func(e Entry) { entries = append(entries, e) }); err != nil {
		return nil, err
	}
	return entries, nil
}

// Scan reads a file of size bytes, in batches, and calls yield for each entry in
// the order of the file. Products may be text or whole numbers. Rows whose product
// is NULL or no id of an order's product are left out. Control characters in
// texts become spaces.
//
// A file of another schema, with more than MaxRows rows, without rows, cut short
// or otherwise damaged is an error; entries before the damage have been yielded
// then.
func Scan(r io.ReaderAt, size int64, yield func(Entry)) error {
	if err := scan(r, size, MaxRows, yield); err != nil {
		return fmt.Errorf("classification: %w", err)
	}
	return nil
}

func scan(r io.ReaderAt, size, maxRows int64, yield func(Entry)) error {
	f, err := columns.Open(r, size)
	if err != nil {
		return err
	}
	if f.Rows() == 0 {
		return errors.New("file has no rows")
	}
	if f.Rows() > maxRows {
		return fmt.Errorf("file has %d rows, at most %d are read", f.Rows(), maxRows)
	}
	c, err := choose(f)
	if err != nil {
		return err
	}
	b := batch{yield: yield}
	categories := interned{}
	err = f.Each(c.all, func(row []parquet.Value) error {
		e := Entry{Category: categories.of(row[2], MaxCategoryBytes)}
		if c.dated && !row[3].IsNull() {
			e.ValidFrom = c.validFrom.Time(row[3])
		}
		b.add(e, row[0], row[1])
		return nil
	})
	b.flush()
	return err
}

// batch gathers entries, so that the texts of many are allocated at once: a file
// of two million products would otherwise be four million allocations.
type batch struct {
	yield   func(Entry)
	entries []Entry // without product and title
	ends    []int   // of product and title in text, by turns
	text    []byte
}

const batchEntries = 512

// add adds an entry, unless its product is no id.
func (b *batch) add(e Entry, product, title parquet.Value) {
	start := len(b.text)
	b.text = appendProduct(b.text, product)
	end := len(b.text)
	if end == start || end-start > orders.MaxIDBytes {
		b.text = b.text[:start]
		return
	}
	if !title.IsNull() {
		if raw := title.ByteArray(); plain(raw) && len(raw) <= MaxTitleBytes {
			b.text = append(b.text, raw...)
		} else {
			b.text = append(b.text, tidy(string(raw), MaxTitleBytes)...)
		}
	}
	b.entries, b.ends = append(b.entries, e), append(b.ends, end, len(b.text))
	if len(b.entries) == batchEntries {
		b.flush()
	}
}

func (b *batch) flush() {
	text, start := string(b.text), 0
	for i, e := range b.entries {
		product, title := b.ends[2*i], b.ends[2*i+1]
		e.Product, e.Title = text[start:product], text[product:title]
		start = title
		b.yield(e)
	}
	b.entries, b.ends, b.text = b.entries[:0], b.ends[:0], b.text[:0]
}

// chosen are the columns of a file that hold a classification.
type chosen struct {
	all       []columns.Column // product, title, category and perhaps valid_from
	validFrom columns.TimeColumn
	dated     bool // valid_from is there
}

func choose(f *columns.File) (c chosen, err error) {
	var errs []error
	column := func(name string, kinds ...parquet.Kind) {
		col, err := f.Column(name, kinds...)
		errs = append(errs, err)
		c.all = append(c.all, col)
	}
	column("product", parquet.ByteArray, parquet.Int64, parquet.Int32)
	column("title", parquet.ByteArray)
	column("category", parquet.ByteArray)
	if c.dated = f.Has("valid_from"); c.dated {
		c.validFrom, err = f.TimeColumn("valid_from")
		errs = append(errs, err)
		c.all = append(c.all, c.validFrom.Column)
	}
	return c, errors.Join(errs...)
}

// appendProduct appends the id of a product, nothing for NULL.
func appendProduct(b []byte, v parquet.Value) []byte {
	switch {
	case v.IsNull():
		return b
	case v.Kind() == parquet.Int32:
		return strconv.AppendInt(b, int64(v.Int32()), 10)
	case v.Kind() == parquet.Int64:
		return strconv.AppendInt(b, v.Int64(), 10)
	}
	return append(b, v.ByteArray()...)
}

// interned shares the equal texts of one column: categories are few. Beyond
// maxInterned it shares no more.
type interned map[string]string

const maxInterned = 1 << 16

func (in interned) of(v parquet.Value, most int) string {
	if v.IsNull() {
		return ""
	}
	if s, ok := in[string(v.ByteArray())]; ok {
		return s
	}
	raw := string(v.ByteArray())
	s := tidy(raw, most)
	if len(in) < maxInterned {
		in[raw] = s
	}
	return s
}

// tidy makes s fit for a line of the page: UTF-8, no control characters, at most
// most bytes.
func tidy(s string, most int) string {
	if plain(s) && len(s) <= most {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r <= 0x9f) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xC0 == 0x80 { // within a character
		end--
	}
	return s[:end]
}

// plain reports whether s is printable ASCII.
func plain[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// row is a row of the files that Write makes.
type row struct {
	Product  string  `parquet:"product"`
	Title    *string `parquet:"title,optional,dict"`
	Category *string `parquet:"category,optional,dict"`
}

// writeBatch is how many rows are handed to the Parquet writer at once.
const writeBatch = 1024

// Write writes the products as a file that [Read] reads: the same products give
// the same bytes. Empty titles and categories become NULL.
func Write(w io.Writer, products []orders.Product) error {
	if len(products) > MaxRows {
		return fmt.Errorf("classification: %d products, at most %d can be read back", len(products), MaxRows)
	}
	out := parquet.NewGenericWriter[row](w, parquet.Compression(&parquet.Snappy))
	rows := make([]row, 0, writeBatch)
	for len(products) > 0 {
		n := min(writeBatch, len(products))
		rows = rows[:0]
		for i := range products[:n] {
			p := &products[i]
			rows = append(rows, row{Product: p.ID, Title: orNull(&p.Title), Category: orNull(&p.Category)})
		}
		if _, err := out.Write(rows); err != nil {
			return fmt.Errorf("classification: write: %w", err)
		}
		products = products[n:]
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("classification: write: %w", err)
	}
	return nil
}

func orNull(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}
