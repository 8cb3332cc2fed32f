package classification

import (
	"testing"

	"livemap/orders"
)

// FuzzRead feeds damaged files: whatever comes back, it is bounded and tidy.
func FuzzRead(f *testing.F) {
	f.Add(written(f, products(30)))
	f.Add(written(f, []orders.Product{{ID: "1", Title: "a", Category: "b"}}))
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := readBytes(b)
		if err != nil && entries != nil {
			t.Fatal("entries beside an error")
		}
		for _, e := range entries {
			if e.Product == "" || len(e.Product) > orders.MaxIDBytes || len(e.Title) > MaxTitleBytes || len(e.Category) > MaxCategoryBytes {
				t.Fatalf("entry out of bounds: %+v", e)
			}
		}
	})
}
