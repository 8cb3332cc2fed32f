package aggregate

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"livemap/feed"
	"livemap/orders"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenRun sells a few things in two minutes and lets the watermark pass them.
func goldenRun(t *testing.T) []Record {
	t.Helper()
	a, err := New(Config{Rates: testRates(), TotalSince: startTime})
	if err != nil {
		t.Fatal(err)
	}
	a.SetClassification(NewClassification([]ClassificationEntry{
		{Product: "tea", Title: `Tea "<&>" £`, Category: "food & drink"},
	}))
	var records []Record
	wall, offset := startTime, int64(0)
	flush := func() {
		out, err := a.Flush(wall)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, out.Records...)
	}
	sell := func(at orders.Time, product string, units int64, from, to orders.Place) {
		wall = max(wall, at)
		v := a.Add(Input{Offset: offset, RecordTime: wall, Now: wall}, &orders.Order{
			ID: fmt.Sprint("o", offset), At: at, Shop: "shop-1", Shopper: fmt.Sprint("shopper-", offset%2),
			Currency: "JPY", Amount: 12_345, MassG: 2_500, From: from, To: to,
			Lines: []orders.Line{{Product: product, Units: units, Amount: 12_345}},
		})
		offset++
		if v != Accepted && v != Corrected {
			t.Fatalf("order %d: %s", offset, v)
		}
	}
	sell(startTime+1_250, "tea", 12, testCities[0], testCities[1])
	sell(startTime+1_900, "pot", 3, testCities[2], testCities[1])
	flush()
	sell(startTime+10_000, "tea", 4, testCities[3], testCities[0])
	flush()
	sell(startTime+4_999, "tea", 1, testCities[0], testCities[1])
	flush()
	sell(startTime+150_000, "pot", 9, testCities[0], testCities[0])
	flush()
	a.CaughtUp(0, true, wall)
	for range 70 {
		wall += 1000
		flush()
	}
	return records
}

// TestGolden fixes the bytes of every record, and that they are those that
// encoding/json gives for the types of package feed.
func TestGolden(t *testing.T) {
	t.Parallel()
	const kept = 14 // records of each topic: windows go on and on
	files, count := map[string]*bytes.Buffer{}, map[string]int{}
	for _, r := range goldenRun(t) {
		if files[r.Topic] == nil {
			files[r.Topic] = &bytes.Buffer{}
		}
		corrected := bytes.Contains(r.Value, []byte(`"revision":1,`))
		if count[r.Topic]++; count[r.Topic] <= kept || corrected {
			fmt.Fprintf(files[r.Topic], "%s\t%s\n", r.Key, r.Value)
		}
		if again := reencode(t, r); !bytes.Equal(again, r.Value) {
			t.Errorf("%s %s:\n     got %s\nfeed has %s", r.Topic, r.Key, r.Value, again)
		}
	}
	if len(files) != 5 {
		t.Errorf("%d topics have records, want 5", len(files))
	}
	for topic, got := range files {
		checkGolden(t, filepath.Join("testdata", topic+".golden"), got.Bytes())
	}
}

// checkGolden compares what a test made with a file, or makes it the file.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("differs from %s; see it with -update and git diff", name)
	}
}

func reencode(t *testing.T, r Record) []byte {
	t.Helper()
	var v any
	switch r.Topic {
	case feed.TopicMetrics, feed.TopicWindows:
		v = &feed.Window{}
	case feed.TopicHistory:
		v = &feed.History{}
	case feed.TopicTrending:
		v = &feed.Trending{}
	case feed.TopicShipments:
		v = &feed.Shipments{}
	}
	if err := json.Unmarshal(r.Value, v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
