package synthetic

import (
	"fmt"
	"math/rand/v2"

	"livemap/orders/gazetteer"
)

// How the shops are spread, and how far people look for one.
const (
	shopCount    = 320
	buyDomestic  = 0.52 // share of orders from a shop of the buyer's country, if it has one
	buyInRegion  = 0.22 // and from a shop of the buyer's region; the rest is from anywhere
	secondSector = 0.3  // share of a shop's lines that are of its second category
)

// shop sells the products of two categories.
type shop struct {
	id      string
	home    gazetteer.City
	size    float64 // share of demand, of no unit
	sectors [2]*category
}

// pick chooses one of the shop's products by popularity.
func (s *shop) pick(r *rand.Rand) *item {
	sector := s.sectors[0]
	if r.Float64() < secondSector {
		sector = s.sectors[1]
	}
	return sector.items[sector.pick.pick(r)]
}

// market is a set of shops that are chosen by size.
type market struct {
	shops []*shop
	by    weights
}

func (m *market) add(s *shop) {
	m.shops = append(m.shops, s)
	m.by.add(s.size)
}

func (m *market) pick(r *rand.Rand) *shop { return m.shops[m.by.pick(r)] }

// region is a part of the world within which parcels travel easily.
type region int

const (
	americas region = iota
	europeAfrica
	asiaPacific
	regions
)

// regionOf divides the world by two meridians: mid-Atlantic and the Urals.
func regionOf(lon float64) region {
	switch {
	case lon < -30:
		return americas
	case lon < 60:
		return europeAfrica
	default:
		return asiaPacific
	}
}

// shops holds all shops, and the markets that buyers turn to.
type shops struct {
	world     market
	byRegion  [regions]market
	byCountry map[string]*market
}

func newShops(r *rand.Rand, c *catalogue) (*shops, error) {
	places, err := newCommerce(sellerWeights)
	if err != nil {
		return nil, fmt.Errorf("places of shops: %w", err)
	}
	s := &shops{byCountry: make(map[string]*market)}
	for i := range shopCount {
		first := r.IntN(len(c.categories))
		second := (first + 1 + r.IntN(len(c.categories)-1)) % len(c.categories)
		one := &shop{
			id:      fmt.Sprintf("s%03d", i),
			home:    places.Pick(r),
			size:    1 / float64(i+8),
			sectors: [2]*category{&c.categories[first], &c.categories[second]},
		}
		s.world.add(one)
		s.byRegion[regionOf(one.home.Lon)].add(one)
		if s.byCountry[one.home.Country] == nil {
			s.byCountry[one.home.Country] = new(market)
		}
		s.byCountry[one.home.Country].add(one)
	}
	return s, nil
}

// near chooses the shop that somebody who lives at home buys from.
func (s *shops) near(home gazetteer.City, r *rand.Rand) *shop {
	x := r.Float64()
	if domestic := s.byCountry[home.Country]; domestic != nil && x < buyDomestic {
		return domestic.pick(r)
	}
	if around := &s.byRegion[regionOf(home.Lon)]; len(around.shops) > 0 && x < buyDomestic+buyInRegion {
		return around.pick(r)
	}
	return s.world.pick(r)
}
