package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"livemap/orders"
)

// world is what the orders are drawn from: 200 countries of ten cities each, two
// million products, of which each country buys three hundred, and shops all over.
type world struct {
	Orders     int64
	PerSecond  int64 // of event time
	Shoppers   int64
	Partitions int
	Products   int  // classified; each country buys productsSold of its share
	Shuffled   bool // fields in any order
}

const (
	countries       = 200
	citiesOfCountry = 10
	productsSold    = 300 // of each country
	shops           = 5_000
	begin           = orders.Time(1_767_571_200_000) // 2026-01-05T00:00:00Z
)

func newWorld() world {
	return world{PerSecond: 200_000, Shoppers: 1_000_000, Partitions: 16, Products: 2_000_000}
}

func (w world) validate() error {
	if w.Products < countries*productsSold {
		return fmt.Errorf("products %d: must be at least %d", w.Products, countries*productsSold)
	}
	if w.Orders < 1 || w.PerSecond < 1 || w.Shoppers < 1 || w.Partitions < 1 || w.Partitions > 4096 {
		return errors.New("orders, per-second, shoppers and partitions must be above 0")
	}
	return nil
}

// name tells backlogs apart that are kept.
func (w world) name() string {
	return fmt.Sprintf("v3-%d-%d-%d-%d-%t", w.Orders, w.PerSecond, w.Shoppers, w.Partitions, w.Shuffled)
}

// source makes the orders of a world, always the same.
type source struct {
	world
	random *rand.Rand
	places []orders.Place
	order  orders.Order
	// shopper is the number of the one who made order.
	shopper int64
	lines   [2]orders.Line
}

func newSource(w world) *source {
	s := &source{world: w, random: rand.New(rand.NewPCG(1, 2))}
	for i := range countries * citiesOfCountry {
		country := i / citiesOfCountry
		s.places = append(s.places, orders.Place{
			City: "City " + strconv.Itoa(i), Country: code(country),
			Lat: math.Round((s.random.Float64()*130-60)*1e4) / 1e4, Lon: math.Round((s.random.Float64()*360-180)*1e4) / 1e4,
		})
	}
	return s
}

// code returns the code of a country by number.
func code(i int) string { return string([]byte{'A' + byte(i%20), 'A' + byte(i/20)}) }

// next returns the n-th order: most come within 1.5 s of their time, a few half a
// minute late.
func (s *source) next(n int64) *orders.Order {
	r := s.random
	at := begin + orders.Time(n*1000/s.PerSecond)
	if roll := r.Uint32N(1000); roll < 2 {
		at -= orders.Time(5000 + r.Uint32N(40_000))
	} else {
		at -= orders.Time(r.Uint32N(1500))
	}
	shopper := r.Int64N(s.Shoppers)
	s.shopper = shopper
	country := int(shopper % countries)
	if r.Uint32N(50) == 0 {
		country = r.IntN(countries) // a present for somebody abroad
	}
	shop := country + countries*r.IntN(shops/countries) // most parcels stay in their country
	if r.Uint32N(10) < 3 {
		shop = r.IntN(shops)
	}
	s.order = orders.Order{
		ID: "o" + strconv.FormatInt(n, 36) + "-" + strconv.Itoa(shop), At: max(at, begin),
		Shop: "shop-" + strconv.Itoa(shop), Shopper: "shopper-" + strconv.FormatInt(shopper, 10), Currency: "USD",
		From: s.places[shop%countries*citiesOfCountry+shop/countries%citiesOfCountry], To: s.places[country*citiesOfCountry+r.IntN(citiesOfCountry)], MassG: r.Int64N(5000),
	}
	s.order.Lines = s.lines[:1+r.IntN(2)]
	for i := range s.order.Lines {
		units, amount := 1+r.Int64N(3), 100+r.Int64N(20_000)
		s.order.Lines[i] = orders.Line{Product: s.product(country), Units: units, Amount: units * amount}
		s.order.Amount += units * amount
	}
	return &s.order
}

// product draws a product that a country buys, few of them often.
func (s *source) product(country int) string {
	x := s.random.Float64()
	return productName(country*(s.Products/countries) + int(x*x*x*productsSold))
}

func productName(i int) string { return "product-" + strconv.Itoa(i) }
