// Package gazetteer holds the world's 1,500 largest cities and the largest city
// of every country of a million people or more, and chooses among them by
// population. Start at [ByHash] and [Choice].
//
// The cities are from GeoNames (https://www.geonames.org), licensed under
// Creative Commons Attribution 4.0; NOTICE beside this file says what was taken
// and changed. Populations are GeoNames' own, of differing years: good for
// weights, not for statistics.
package gazetteer

import (
	_ "embed"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"sync"

	"livemap/orders"
)

//go:embed cities.csv
var table string

// City is a place and the number of people who live there.
type City struct {
	orders.Place
	Population int64
}

// All returns every city, the largest first. Callers must not change the slice.
func All() []City { return world().cities }

// Pick chooses a city at random, weighted by population.
func Pick(r *rand.Rand) City { return world().Pick(r) }

// ByHash chooses a city by a hash, weighted by population: the same hash gives
// the same city as long as the table stays the same.
func ByHash(hash uint64) City { return world().ByHash(hash) }

var world = sync.OnceValue(func() *Choice {
	cities, err := parse(table)
	if err != nil {
		panic("gazetteer: embedded cities.csv: " + err.Error())
	}
	c, err := NewChoice(cities, func(c City) int64 { return c.Population })
	if err != nil {
		panic("gazetteer: embedded cities.csv: " + err.Error())
	}
	return c
})

// Choice chooses among some cities by weight. It is immutable and may be used
// from many goroutines.
type Choice struct {
	cities []City
	upTo   []uint64 // sum of the weights of this city and all before it
}

// NewChoice returns a choice among cities in which each has the weight that
// weight gives it. Weights must not be negative, their sum neither zero nor
// beyond an int64. Choice keeps the slice.
func NewChoice(cities []City, weight func(City) int64) (*Choice, error) {
	c := &Choice{cities: cities, upTo: make([]uint64, len(cities))}
	var sum uint64
	for i, city := range cities {
		w := weight(city)
		if w < 0 {
			return nil, fmt.Errorf("city %s has the negative weight %d", city.City, w)
		}
		if sum += uint64(w); sum > 1<<63 {
			return nil, fmt.Errorf("weights up to city %s sum to more than an int64", city.City)
		}
		c.upTo[i] = sum
	}
	if sum == 0 {
		return nil, fmt.Errorf("none of %d cities has a weight", len(cities))
	}
	return c, nil
}

// Pick chooses a city at random.
func (c *Choice) Pick(r *rand.Rand) City { return c.at(r.Uint64()) }

// ByHash chooses a city by a hash of any quality: it is mixed once more here,
// so that counting numbers do as well.
func (c *Choice) ByHash(hash uint64) City { return c.at(mix(hash)) }

// at maps x, evenly spread over all of uint64, to the city in whose share of the
// weights it falls.
func (c *Choice) at(x uint64) City {
	point, _ := bits.Mul64(x, c.upTo[len(c.upTo)-1])
	i := sort.Search(len(c.upTo), func(i int) bool { return c.upTo[i] > point })
	return c.cities[i]
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): one to one, and
// every bit of x changes about half of the bits of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func parse(table string) ([]City, error) {
	rows := strings.Split(strings.TrimSpace(table), "\n")
	cities := make([]City, 0, len(rows)-1)
	for i, row := range rows[1:] {
		city, err := parseRow(row)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		cities = append(cities, city)
	}
	return cities, nil
}

func parseRow(row string) (c City, err error) {
	cells := strings.Split(row, ",")
	if len(cells) != 5 {
		return c, fmt.Errorf("has %d columns, wants 5", len(cells))
	}
	c.City, c.Country = cells[0], cells[1]
	if c.Lat, err = strconv.ParseFloat(cells[2], 64); err != nil {
		return c, fmt.Errorf("latitude: %w", err)
	}
	if c.Lon, err = strconv.ParseFloat(cells[3], 64); err != nil {
		return c, fmt.Errorf("longitude: %w", err)
	}
	if c.Population, err = strconv.ParseInt(cells[4], 10, 64); err != nil {
		return c, fmt.Errorf("population: %w", err)
	}
	return c, nil
}
