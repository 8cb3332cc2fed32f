package columns

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"livemap/orders"
)

type row struct {
	N    int64   `parquet:"n"`
	Text *string `parquet:"text,optional,dict"`
	More []byte  `parquet:"more"`
}

// written makes a file of n rows in row groups and pages of a few rows each.
func written(t *testing.T, n int, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, append(options, parquet.MaxRowsPerRowGroup(2500), parquet.PageBufferSize(512))...)
	for i := range n {
		r := row{N: int64(i), More: []byte("more")}
		if i%3 != 0 {
			s := fmt.Sprint("text ", i)
			r.Text = &s
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t *testing.T, b []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func column(t *testing.T, f *File, name string, kind parquet.Kind) Column {
	t.Helper()
	c, err := f.Column(name, kind)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEach(t *testing.T) {
	const n = 6000
	f := open(t, written(t, n))
	cols := []Column{column(t, f, "text", parquet.ByteArray), column(t, f, "n", parquet.Int64)}
	if f.Rows() != n || !f.Has("more") || f.Has("less") {
		t.Errorf("%d rows", f.Rows())
	}
	i := 0
	if err := f.Each(cols, func(row []parquet.Value) error {
		want := ""
		if i%3 != 0 {
			want = fmt.Sprint("text ", i)
		}
		if row[1].Int64() != int64(i) || row[0].IsNull() != (want == "") || string(row[0].ByteArray()) != want {
			t.Fatalf("row %d is %v", i, row)
		}
		i++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if i != n {
		t.Errorf("%d rows read", i)
	}
	stop := errors.New("stop")
	err := f.Each(cols, func(row []parquet.Value) error {
		if row[1].Int64() == 3000 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || !strings.HasPrefix(err.Error(), "row 3001:") {
		t.Errorf("error of a row: %v", err)
	}
}

func TestCompressions(t *testing.T) {
	b := written(t, 100, parquet.Compression(&parquet.Zstd))
	f := open(t, b)
	if err := f.Each([]Column{column(t, f, "n", parquet.Int64)}, func([]parquet.Value) error { return nil }); err != nil {
		t.Error(err)
	}
	b = written(t, 100, parquet.Compression(&parquet.Lz4Raw))
	if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), "LZ4") {
		t.Errorf("LZ4: %v", err)
	}
}

func TestTimes(t *testing.T) {
	type times struct {
		Milli int64            `parquet:"milli,timestamp(millisecond)"`
		Micro int64            `parquet:"micro,timestamp(microsecond)"`
		Nano  int64            `parquet:"nano,timestamp(nanosecond)"`
		Date  int32            `parquet:"date,date"`
		Old   deprecated.Int96 `parquet:"old"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[times](&b)
	// The last nanosecond of 1969-12-30, but for the date.
	const day = 86_400_000
	last := uint64(day*1_000_000 - 1)
	if _, err := w.Write([]times{{-day - 1, -day*1000 - 1, -day*1_000_000 - 1, -2, deprecated.Int96{uint32(last), uint32(last >> 32), 2_440_586}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := open(t, b.Bytes())
	for name, want := range map[string]orders.Time{
		"milli": -day - 1, "micro": -day - 1, "nano": -day - 1, "date": -2 * day, "old": -day - 1,
	} {
		c, err := f.TimeColumn(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := f.Each([]Column{c.Column}, func(row []parquet.Value) error {
			if got := c.Time(row[0]); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for old, unit := range map[deprecated.ConvertedType]int64{
		deprecated.TimestampMillis: 1_000_000, deprecated.TimestampMicros: 1000, deprecated.Date: day * 1_000_000, deprecated.UTF8: 0,
	} {
		if got := unitOf(converted{kind: old}); int64(got) != unit {
			t.Errorf("converted type %v: unit %v", old, got)
		}
	}
}

// converted is the type of a column in a file of an older writer.
type converted struct {
	parquet.Type
	kind deprecated.ConvertedType
}

func (c converted) LogicalType() *format.LogicalType { return nil }

func (c converted) ConvertedType() *deprecated.ConvertedType { return &c.kind }

func TestOpenRefuses(t *testing.T) {
	good := written(t, 10)
	huge := bytes.Clone(good)
	copy(huge[len(huge)-8:], "\xff\xff\xff\x7f")
	for name, b := range map[string][]byte{
		"nothing": nil, "a byte": {1}, "magic only": []byte("PAR1PAR1PAR1"), "huge footer": huge,
		"cut": good[:len(good)-1], "without beginning": good[1:],
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if _, err := Open(bytes.NewReader(good[:20]), int64(len(good))); err == nil {
		t.Error("file shorter than its size was opened")
	}
}
