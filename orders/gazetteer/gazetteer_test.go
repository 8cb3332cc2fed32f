package gazetteer

import (
	"math"
	"math/rand/v2"
	"testing"

	"livemap/orders"
)

func TestTable(t *testing.T) {
	cities := All()
	if len(cities) < 1500 {
		t.Fatalf("%d cities, want at least 1500", len(cities))
	}
	countries := make(map[string]int)
	for i, c := range cities {
		o := orders.Order{
			ID: "1", Shop: "1", Shopper: "1", Currency: "USD",
			Lines: []orders.Line{{Product: "1"}}, From: c.Place, To: c.Place,
		}
		if err := o.Validate(); err != nil || c.City == "" {
			t.Errorf("city %d %q is no place of an order: %v", i, c.City, err)
		}
		if c.Population <= 0 || (i > 0 && c.Population > cities[i-1].Population) {
			t.Errorf("%s has %d people and follows one of %d", c.City, c.Population, cities[i-1].Population)
		}
		if math.Abs(c.Lat*1e4-math.Round(c.Lat*1e4)) > 1e-6 {
			t.Errorf("%s: latitude %v has more than four decimals", c.City, c.Lat)
		}
		countries[c.Country]++
	}
	if len(countries) < 155 {
		t.Errorf("%d countries, want every one of a million people", len(countries))
	}
	for _, code := range []string{"US", "CA", "NZ", "SG", "TT", "LV", "XK", "TL"} {
		if countries[code] == 0 {
			t.Errorf("no city in %s", code)
		}
	}
}

func TestByHashIsStable(t *testing.T) {
	// Journey's places hang on these: whoever changes the table or the hash
	// changes every figure by country.
	for hash, want := range map[uint64]string{
		0: "Tlalpan", 1: "Philadelphia", 2: "Makassar", math.MaxUint64: "Muntinlupa",
	} {
		if got := ByHash(hash).City; got != want {
			t.Errorf("ByHash(%d) is %s, want %s", hash, got, want)
		}
	}
}

func TestWeights(t *testing.T) {
	var people int64
	for _, c := range All() {
		people += c.Population
	}
	const draws = 400_000
	r := rand.New(rand.NewPCG(1, 2))
	byHash, picked := make(map[string]int), make(map[string]int)
	for i := range uint64(draws) {
		byHash[ByHash(i).City]++
		picked[Pick(r).City]++
	}
	for _, c := range All()[:20] {
		want := float64(draws) * float64(c.Population) / float64(people)
		for how, got := range map[string]int{"by hash": byHash[c.City], "at random": picked[c.City]} {
			// Five standard deviations of a Poisson count.
			if math.Abs(float64(got)-want) > 5*math.Sqrt(want) {
				t.Errorf("%s chosen %d times %s, want about %.0f", c.City, got, how, want)
			}
		}
	}
}

func TestChoiceRefuses(t *testing.T) {
	one := All()[:1]
	for name, weight := range map[string]int64{"zero": 0, "negative": -1} {
		if _, err := NewChoice(one, func(City) int64 { return weight }); err == nil {
			t.Errorf("%s weight accepted", name)
		}
	}
	if _, err := NewChoice(All()[:3], func(City) int64 { return math.MaxInt64 }); err == nil {
		t.Error("sum beyond an int64 accepted")
	}
	c, err := NewChoice(All()[:3], func(c City) int64 {
		if c.City == All()[1].City {
			return 1
		}
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(100) {
		if got := c.ByHash(i).City; got != All()[1].City {
			t.Fatalf("chose %s, which has no weight", got)
		}
	}
}
