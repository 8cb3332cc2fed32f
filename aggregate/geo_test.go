package aggregate

import (
	"math"
	"testing"

	"livemap/orders"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to orders.Place
		want     int64
	}{
		{"nowhere", orders.Place{Lat: 43.7, Lon: -79.42}, orders.Place{Lat: 43.7, Lon: -79.42}, 0},
		{"half the equator", orders.Place{}, orders.Place{Lon: 180}, 20_015_114},
		{"pole to pole", orders.Place{Lat: 90}, orders.Place{Lat: -90}, 20_015_114},
		{"one degree of a meridian", orders.Place{}, orders.Place{Lat: 1}, 111_195},
		{"across the date line", orders.Place{Lon: 179.5}, orders.Place{Lon: -179.5}, 111_195},
		{"Paris to New York", orders.Place{Lat: 48.8566, Lon: 2.3522}, orders.Place{Lat: 40.7128, Lon: -74.006}, 5_837_249},
	} {
		if got := distance(c.from, c.to); got != c.want {
			t.Errorf("%s: %d m, want %d", c.name, got, c.want)
		}
		if back := distance(c.to, c.from); back != c.want {
			t.Errorf("%s, back: %d m, want %d", c.name, back, c.want)
		}
	}
}

func TestCarbon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mass, metres, want int64 }{
		{0, 1000, 0},
		{1_000_000, 1000, 62},  // a tonne-kilometre
		{250_000, 32_258, 500}, // 499.999
		{1_000_000, 8065, 500}, // 500.03
		{500_000, 16_129, 500}, // 499.999
		{1_000_000_000, 1, 62}, //
		{125_000_000, 1, 8},    // 7.75
		{1_000_000_000, 250, 15_500},
		{1_000_000_000, 20_015_115, 1_240_937_130},
		{math.MaxInt64 / 64, math.MaxInt64, math.MaxInt64}, // cut off
	} {
		if got := carbon(c.mass, c.metres); got != c.want {
			t.Errorf("%d g over %d m: %d g, want %d", c.mass, c.metres, got, c.want)
		}
	}
}
