// Package columns reads chosen columns of a flat Parquet file, row by row and in
// bounded memory. It exists because the two readers of Parquet here,
// orders/journey and orders/classification, want few columns of many, must tell
// NULL from zero, and must answer a damaged file with an error. Start at [Open].
package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// File is an open Parquet file. Reads from several goroutines must not overlap.
type File struct {
	file *parquet.File
}

// Open reads the footer of a file of size bytes.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer recovered(&err)
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	// Neither index is of use to who reads everything.
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("file is no Parquet or is cut short: %w", err)
	}
	if err := checkCodecs(file); err != nil {
		return nil, err
	}
	return &File{file: file}, nil
}

// checkCodecs refuses the compressions whose decoder in the library does not
// end on damaged input: LZ4 doubles its buffer for ever.
func checkCodecs(file *parquet.File) error {
	for _, group := range file.Metadata().RowGroups {
		for i := range group.Columns {
			switch codec := group.Columns[i].MetaData.Codec; codec {
			case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
			default:
				return fmt.Errorf("compression %v is not read; none, snappy, gzip, brotli and zstd are", codec)
			}
		}
	}
	return nil
}

// checkFooter refuses what the library would believe: it allocates whatever
// length the last bytes of a file name.
func checkFooter(r io.ReaderAt, size int64) error {
	const shortest = 4 + 4 + 4 // magic, length of the footer, magic
	if size == 0 {
		return errors.New("file is empty")
	}
	var tail [8]byte
	if size < shortest {
		return fmt.Errorf("file of %d bytes is no Parquet", size)
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil && err != io.EOF {
		return fmt.Errorf("end of the file: %w", err)
	}
	if string(tail[4:]) != "PAR1" {
		return errors.New("file does not end as Parquet does: it is of another kind or cut short")
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:4])); n > size-shortest {
		return fmt.Errorf("file of %d bytes has a footer of %d: it is cut short", size, n)
	}
	return nil
}

// recovered turns a panic of the Parquet library into an error: it trusts
// schemas and pages that may be damaged.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("file is damaged: %v", p)
	}
}

// Rows returns the number of rows that the footer promises.
func (f *File) Rows() int64 { return f.file.NumRows() }

// Column is one column of a file.
type Column struct {
	name string
	leaf parquet.LeafColumn
}

// Kind is the physical type of a column, such as parquet.Int64.
func (c Column) Kind() parquet.Kind { return c.leaf.Node.Type().Kind() }

// Has says whether the file has a column of that name.
func (f *File) Has(name string) bool {
	_, ok := f.file.Schema().Lookup(name)
	return ok
}

// Column finds a column that holds one value, or NULL, per row and is of one of
// the kinds.
func (f *File) Column(name string, kinds ...parquet.Kind) (c Column, err error) {
	defer recovered(&err)
	leaf, ok := f.file.Schema().Lookup(name)
	if !ok {
		return Column{}, fmt.Errorf("column %s is missing; the file has %s", name, f.names())
	}
	if leaf.MaxRepetitionLevel > 0 {
		return Column{}, fmt.Errorf("column %s is a list", name)
	}
	c = Column{name: name, leaf: leaf}
	if !slices.Contains(kinds, c.Kind()) {
		return Column{}, fmt.Errorf("column %s is of type %v, wants one of %v", name, leaf.Node.Type(), kinds)
	}
	return c, nil
}

// names lists the file's columns, as many as a message can bear.
func (f *File) names() string {
	const most = 20
	var names []string
	for _, path := range f.file.Schema().Columns() {
		names = append(names, strings.Join(path, "."))
	}
	if len(names) > most {
		names = append(names[:most], "…")
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// batchRows is how many values of each column are in memory at once, beside the
// page they come from.
const batchRows = 1024

// Each calls do with the values of the columns for every row, in the order of
// the file. The slice and the bytes of its values are valid during the call. An
// error of do ends the reading and is returned with the row's number, from 1.
func (f *File) Each(columns []Column, do func(row []parquet.Value) error) (err error) {
	defer recovered(&err)
	done := int64(0)
	for _, group := range f.file.RowGroups() {
		n, err := eachOfGroup(group, columns, done, do)
		done += n
		if err != nil {
			return err
		}
	}
	if done != f.Rows() {
		return fmt.Errorf("file has %d rows, its footer says %d", done, f.Rows())
	}
	return nil
}

func eachOfGroup(group parquet.RowGroup, columns []Column, before int64, do func([]parquet.Value) error) (done int64, err error) {
	chunks := group.ColumnChunks()
	cursors := make([]cursor, len(columns))
	for i, c := range columns {
		cursors[i].name = c.name
		cursors[i].values = parquet.NewColumnChunkValueReader(chunks[c.leaf.ColumnIndex])
		defer cursors[i].values.Close()
	}
	row := make([]parquet.Value, len(columns))
	for done < group.NumRows() {
		for i := range cursors {
			if row[i], err = cursors[i].value(); err != nil {
				return done, fmt.Errorf("row %d: column %s: %w", before+done+1, cursors[i].name, err)
			}
		}
		if err := do(row); err != nil {
			return done, fmt.Errorf("row %d: %w", before+done+1, err)
		}
		done++
	}
	return done, nil
}

// cursor yields the values of one column of a row group. Their bytes lie in the
// column's current page: they may be used until the cursor is asked for the next
// value, and no longer.
type cursor struct {
	name   string
	values parquet.ColumnChunkValueReader
	next   int
	end    int
	batch  [batchRows]parquet.Value
}

func (c *cursor) value() (parquet.Value, error) {
	if c.next == c.end {
		n, err := c.values.ReadValues(c.batch[:])
		if n == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return parquet.Value{}, err
		}
		c.next, c.end = 0, n
	}
	c.next++
	return c.batch[c.next-1], nil
}
