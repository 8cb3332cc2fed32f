package journey

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"livemap/orders"
)

// dir is the folder with the real purchases.
func dir() string {
	if dir := os.Getenv("LIVEMAP_JOURNEY_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", ".cache", "journey")
}

func dataDir(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir(), "transactions.parquet")); err != nil {
		t.Fatalf("the real purchases are missing, run make setup: %v", err)
	}
	return dir()
}

// loaded is the real data, read once for all tests.
var loaded = sync.OnceValues(func() (*Source, error) { return Open(Config{Dir: dir()}) })

// open returns a replay of the real data.
func open(t testing.TB, c Config) *Source {
	t.Helper()
	s, err := arranged(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func arranged(t testing.TB, c Config) (*Source, error) {
	t.Helper()
	dataDir(t)
	all, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	c.Dir = all.dir
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := *all
	return &s, s.arrange(c)
}

func each(t *testing.T, s *Source, f func(arrive orders.Time, o *orders.Order)) {
	t.Helper()
	var o orders.Order
	for {
		arrive, err := s.Next(&o)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f(arrive, &o)
	}
}

func at(t testing.TB, s string) orders.Time {
	t.Helper()
	p, err := orders.ParseTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFigures compares with what the data set is known to hold; the figures were
// computed with DuckDB.
func TestFigures(t *testing.T) {
	s := open(t, Config{})
	products, err := s.Products()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	uncategorised := 0
	for _, p := range products {
		known[p.ID] = true
		if p.Title == "" {
			t.Errorf("product %s has no title", p.ID)
		}
		if p.Category == "" {
			uncategorised++
		}
	}
	got := make(map[string]int64)
	shops, shoppers := make(map[string]bool), make(map[string]bool)
	last := orders.Time(0)
	each(t, s, func(arrive orders.Time, o *orders.Order) {
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		if arrive != o.At || o.At < last {
			t.Fatalf("basket %s of %v arrives at %v, after one of %v", o.ID, o.At, arrive, last)
		}
		last = o.At
		shops[o.Shop], shoppers[o.Shopper] = true, true
		got["baskets"]++
		got["cents"] += o.Amount
		if o.Amount == 0 {
			got["baskets of 0.00"]++
		}
		var sum int64
		for _, l := range o.Lines {
			got["lines"]++
			got["units"] += l.Units
			got["most units"] = max(got["most units"], l.Units)
			sum += l.Amount
			if l.Units == 0 {
				got["lines of 0 units"]++
			}
			if !known[l.Product] {
				got["lines of unknown products"]++
			}
		}
		if sum != o.Amount || o.MassG != 2*sum || o.Currency != "USD" {
			t.Fatalf("basket %s: amount %d %s, lines %d, mass %d", o.ID, o.Amount, o.Currency, sum, o.MassG)
		}
	})
	got["stores"], got["households"] = int64(len(shops)), int64(len(shoppers))
	got["products"], got["products without category"] = int64(len(products)), int64(uncategorised)
	for name, want := range map[string]int64{
		"baskets": 155_848, "lines": 1_469_307, "cents": 459_603_958, "units": 152_923_108,
		"baskets of 0.00": 478, "lines of 0 units": 8869, "most units": 89_638, "lines of unknown products": 4836,
		"stores": 457, "households": 2469, "products": 92_331, "products without category": 540,
	} {
		if got[name] != want {
			t.Errorf("%s: %d, want %d", name, got[name], want)
		}
	}
	if s.Len() != 155_848 || s.Begin() != at(t, "2017-01-01T11:53:26Z") || s.End() != at(t, "2018-01-01T04:01:20Z") {
		t.Errorf("%d orders from %v to %v", s.Len(), s.Begin(), s.End())
	}
}

func TestReplayTimes(t *testing.T) {
	start := at(t, "2026-01-05T00:00:00Z")
	s := open(t, Config{Speed: 1440, Start: start})
	if s.Begin() != start {
		t.Errorf("begins at %v", s.Begin())
	}
	// 31,507,674 s in 1440ths are 21,880,329.1666 ms, rounded down.
	if want := start + 21_880_329; s.End() != want {
		t.Errorf("ends at %v, want %v", s.End(), want)
	}
	s.speed = 0.5
	if want := start + 2*31_507_674_000; s.End() != want {
		t.Errorf("at half speed ends at %v, want %v", s.End(), want)
	}
}

func TestReplayMustNotEndInTheFuture(t *testing.T) {
	start := at(t, "2026-01-05T00:00:00Z")
	end := start + 21_880_329
	if _, err := arranged(t, Config{Speed: 1440, Start: start, NotAfter: end}); err != nil {
		t.Errorf("replay that ends at the bound: %v", err)
	}
	_, err := arranged(t, Config{Speed: 1440, Start: start, NotAfter: end - 1})
	if err == nil || !strings.Contains(err.Error(), end.String()) {
		t.Errorf("replay beyond the bound: %v", err)
	}
}

func TestShuffle(t *testing.T) {
	start := at(t, "2026-01-05T00:00:00Z")
	const within = 2 * time.Second
	c := Config{Speed: 1440, Start: start, Shuffle: &Shuffle{Within: within, Seed: 5}}
	ids := make(map[string]bool)
	behind := 0
	var order []string
	var youngest, last orders.Time
	each(t, open(t, c), func(arrive orders.Time, o *orders.Order) {
		ids[o.ID] = true
		if len(order) < 1000 {
			order = append(order, o.ID)
		}
		if arrive < last {
			t.Fatalf("arrivals go back from %v to %v", last, arrive)
		}
		last = arrive
		if d := youngest.Sub(o.At); d >= within {
			t.Fatalf("basket %s is %v behind", o.ID, d)
		} else if d > 0 {
			behind++
		}
		youngest = max(youngest, o.At)
	})
	if len(ids) != 155_848 || behind < 50_000 {
		t.Errorf("%d baskets, %d of them behind a younger one", len(ids), behind)
	}
	again := open(t, c)
	for i, id := range order {
		var o orders.Order
		if _, err := again.Next(&o); err != nil || o.ID != id {
			t.Fatalf("arrival %d is %s, with the same seed it was %s: %v", i, o.ID, id, err)
		}
	}
}

func TestFirstOrder(t *testing.T) {
	var o orders.Order
	if _, err := open(t, Config{Speed: 1440, Start: at(t, "2026-01-05T00:00:00Z")}).Next(&o); err != nil {
		t.Fatal(err)
	}
	got := append(orders.AppendJSON(nil, &o), '\n')
	want, err := os.ReadFile("testdata/first.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("first order\n got %swant %s", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	empty := t.TempDir()
	torn := t.TempDir()
	b, err := os.ReadFile(filepath.Join(dataDir(t), "transactions.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(torn, "transactions.parquet"), b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := t.TempDir()
	b, err = os.ReadFile(filepath.Join(dataDir(t), "products.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(wrong, "transactions.parquet"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		c    Config
		want []string
	}{
		{"settings", Config{Speed: -1, Shuffle: &Shuffle{}}, []string{"folder", "speed", "shuffle"}},
		{"start", Config{Dir: empty, Speed: 1}, []string{"start"}},
		{"no file", Config{Dir: empty}, []string{"transactions.parquet"}},
		{"torn file", Config{Dir: torn}, []string{"cut short"}},
		{"other file", Config{Dir: wrong}, []string{"basket_id is missing"}},
	} {
		_, err := Open(tt.c)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v does not say %s", tt.name, err, want)
			}
		}
	}
}

func BenchmarkNext(b *testing.B) {
	s := open(b, Config{})
	var o orders.Order
	b.ReportAllocs()
	for b.Loop() {
		if s.next == s.Len() {
			s.next = 0
		}
		if _, err := s.Next(&o); err != nil {
			b.Fatal(err)
		}
	}
}
