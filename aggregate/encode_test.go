package aggregate

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"livemap/feed"
)

// TestShipmentsAreTheBytesOfJSON compares what is written by hand with
// encoding/json.
func TestShipmentsAreTheBytesOfJSON(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	texts := []string{"", "Oslo", "São Paulo", `"quoted" \ & <b>`, "\x00\x1f\x7f\u2028", "\xff"}
	degrees := func() feed.Degrees {
		return feed.Degrees{float64(r.IntN(361)-180) / cellsPerDegree, float64(r.IntN(721)-360) / cellsPerDegree}
	}
	for range 200 {
		record := &feed.Shipments{
			V: feed.Version, Scope: "country/CA", At: startTime, Shown: r.Int64N(99), Of: r.Int64N(1e12), EmittedAt: startTime + 7,
			Arcs: []feed.Arc{}, Latest: []feed.Latest{},
		}
		for range r.IntN(5) {
			record.Arcs = append(record.Arcs, feed.Arc{From: degrees(), To: degrees(), N: r.Int64N(1000)})
		}
		for range r.IntN(5) {
			text := func() string { return texts[r.IntN(len(texts))] }
			record.Latest = append(record.Latest, feed.Latest{At: startTime, Title: text(), Amount: r.Int64N(1e9), Currency: "USD", From: text(), To: text()})
		}
		want, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendShipments(nil, record); string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}
