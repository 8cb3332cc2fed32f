package classification

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"livemap/orders"
)

func readBytes(b []byte) ([]Entry, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// file makes a Parquet file of rows of any struct.
func file[T any](t testing.TB, rows ...T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func products(n int) []orders.Product {
	out := make([]orders.Product, n)
	for i := range out {
		out[i] = orders.Product{ID: fmt.Sprintf("p%d", i), Title: fmt.Sprintf("Produkt №%d", i%100), Category: fmt.Sprintf("c%d", i%7)}
		if i%5 == 0 {
			out[i].Category = ""
		}
		if i%11 == 0 {
			out[i].Title = ""
		}
	}
	return out
}

func written(t testing.TB, p []orders.Product) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	in := products(10_000)
	b := written(t, in)
	got, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]Entry, len(in))
	for i, p := range in {
		want[i] = Entry{Product: p.ID, Title: p.Title, Category: p.Category}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !bytes.Equal(b, written(t, in)) {
		t.Error("the same products give different bytes")
	}
}

func TestIntegersNullsAndTimes(t *testing.T) {
	title, category := "Title", "cat"
	id := func(n int64) *int64 { return &n }
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.UTC)
	want := orders.TimeOf(at)

	type micros struct {
		Category  *string    `parquet:"category,optional"`
		Product   *int64     `parquet:"product,optional"`
		Extra     string     `parquet:"extra"`
		Title     *string    `parquet:"title,optional"`
		ValidFrom *time.Time `parquet:"valid_from,optional,timestamp(microsecond)"`
	}
	got, err := readBytes(file(t,
		micros{Product: id(12), Title: &title, Category: &category, ValidFrom: &at},
		micros{Product: nil, Title: &title, Category: &category},
		micros{Product: id(-3)},
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Entry{{"12", "Title", "cat", want}, {Product: "-3"}}, got); diff != "" {
		t.Errorf("integers (-want +got):\n%s", diff)
	}

	type int96 struct {
		Product   int32            `parquet:"product"`
		Title     string           `parquet:"title"`
		Category  string           `parquet:"category"`
		ValidFrom deprecated.Int96 `parquet:"valid_from"`
	}
	nanos := uint64(3*3600+4*60+5)*1e9 + 678_999_999
	got, err = readBytes(file(t, int96{7, "a", "b", deprecated.Int96{uint32(nanos), uint32(nanos >> 32), 2_461_043}}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Entry{{"7", "a", "b", want}}, got); diff != "" {
		t.Errorf("INT96 (-want +got):\n%s", diff)
	}

	type date struct {
		Product   string `parquet:"product"`
		Title     string `parquet:"title"`
		Category  string `parquet:"category"`
		ValidFrom int32  `parquet:"valid_from,date"`
	}
	got, err = readBytes(file(t, date{"x", "a", "b", 365}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Entry{{"x", "a", "b", 365 * 86_400_000}}, got); diff != "" {
		t.Errorf("DATE (-want +got):\n%s", diff)
	}
}

func TestTextsAreTidied(t *testing.T) {
	long := strings.Repeat("é", MaxTitleBytes)
	got, err := readBytes(written(t, []orders.Product{
		{ID: "1", Title: "a\r\nb\x00c\u0085d", Category: "ok"},
		{ID: "2", Title: "x\xffy", Category: long},
		{ID: "3", Title: long},
		{ID: strings.Repeat("i", orders.MaxIDBytes+1)},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Title != "a  b c d" || got[1].Title != "x\uFFFDy" {
		t.Fatalf("got %+v", got)
	}
	if n := len(got[1].Category); n != MaxCategoryBytes || !utf8.ValidString(got[1].Category) {
		t.Errorf("category of %d bytes", n)
	}
	if n := len(got[2].Title); n != MaxTitleBytes || !utf8.ValidString(got[2].Title) {
		t.Errorf("title of %d bytes", n)
	}
}

func TestReadRefuses(t *testing.T) {
	type noTitle struct {
		Product  string `parquet:"product"`
		Category int64  `parquet:"category"`
	}
	type list struct {
		Product  []string `parquet:"product"`
		Title    string   `parquet:"title"`
		Category string   `parquet:"category"`
	}
	type number struct {
		Product   string `parquet:"product"`
		Title     string `parquet:"title"`
		Category  string `parquet:"category"`
		ValidFrom int64  `parquet:"valid_from"`
	}
	good := written(t, products(3000))
	for _, tt := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"empty file", nil, []string{"empty"}},
		{"few bytes", []byte("PAR1"), []string{"no Parquet"}},
		{"text", []byte("product,title,category\n1,a,b\n"), []string{"another kind"}},
		{"cut short", good[:len(good)-20], []string{"cut short"}},
		{"without its beginning", good[len(good)-200:], []string{"cut short"}},
		{"no rows", written(t, nil), []string{"no rows"}},
		{"wrong schema", file(t, noTitle{}), []string{"title is missing", "category is of type", "the file has product, category"}},
		{"list", file(t, list{}), []string{"product is a list"}},
		{"time as number", file(t, number{}), []string{"valid_from", "TIMESTAMP"}},
	} {
		_, err := readBytes(tt.in)
		for _, want := range append(tt.want, "classification") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v does not say %q", tt.name, err, want)
			}
		}
	}
	if err := scan(bytes.NewReader(good), int64(len(good)), 2999, func(Entry) {}); err == nil || !strings.Contains(err.Error(), "at most 2999") {
		t.Errorf("too many rows: %v", err)
	}
}

// TestTornFiles cuts and damages a file in many places: Read must answer with
// entries or an error and never panic.
func TestTornFiles(t *testing.T) {
	good := written(t, products(3000))
	for n := 0; n < len(good); n += 1 + len(good)/500 {
		if _, err := readBytes(good[:n]); err == nil {
			t.Errorf("file cut at byte %d of %d was read", n, len(good))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 3000 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		if _, err := readBytes(b); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}
