package e2e

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"livemap/orders"
	"livemap/orders/classification"
	"livemap/orders/journey"
)

// inputs are what the cases share.
type inputs struct {
	deliveries     string      // CSV, for the oracle
	classification string      // Parquet, for the aggregator
	lastWindow     orders.Time // end of the last window that holds an order
}

// prepare writes the inputs beside the purchases themselves, of those orders
// that are wanted.
//
// The deliveries are what the purchases lack and the replay makes up: where an
// order goes from and to, and its mass. The oracle needs them as input; it takes
// no figure from them.
func prepare(t *testing.T, wanted func(*orders.Order) bool) inputs {
	t.Helper()
	dir, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := inputs{deliveries: filepath.Join(dir, "deliveries.csv"), classification: filepath.Join(dir, "classification.parquet")}
	var last orders.Time
	write(t, in.deliveries, func(w io.Writer) error {
		rows := csv.NewWriter(w)
		err := rows.Write([]string{"basket", "household", "country", "from_lat", "from_lon", "to_lat", "to_lon", "mass_g"})
		eachOrder(t, nil, func(o *orders.Order) {
			if !wanted(o) {
				return
			}
			last = max(last, o.At)
			err = errors.Join(err, rows.Write([]string{
				o.ID, o.Shopper, o.To.Country, degrees(o.From.Lat), degrees(o.From.Lon), degrees(o.To.Lat), degrees(o.To.Lon),
				strconv.FormatInt(o.MassG, 10),
			}))
		})
		rows.Flush()
		return errors.Join(err, rows.Error())
	})
	in.lastWindow = last/1000*1000 + 60_000
	write(t, in.classification, func(w io.Writer) error {
		products, err := replay(t, nil).Products()
		if err != nil {
			return err
		}
		return classification.Write(w, products)
	})
	return in
}

func degrees(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// write makes a file of what fill writes.
func write(t *testing.T, path string, fill func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(fill(w), w.Flush(), f.Close()); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

// replay opens the purchases as orders.
func replay(t *testing.T, shuffle *journey.Shuffle) *journey.Source {
	t.Helper()
	begin, err := orders.ParseTime(replayStart)
	if err != nil {
		t.Fatal(err)
	}
	source, err := journey.Open(journey.Config{Dir: journeyDir, Speed: replaySpeed, Start: begin, Shuffle: shuffle})
	if err != nil {
		t.Fatalf("%v (make setup fetches the purchases)", err)
	}
	return source
}

// eachOrder visits the replay's orders as they arrive.
func eachOrder(t *testing.T, shuffle *journey.Shuffle, visit func(*orders.Order)) {
	t.Helper()
	source := replay(t, shuffle)
	var o orders.Order
	n := 0
	for ; ; n++ {
		_, err := source.Next(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		visit(&o)
	}
	if n != baskets {
		t.Fatalf("the replay has %d orders, %d are known", n, baskets)
	}
}
