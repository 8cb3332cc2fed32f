package aggregate

import (
	"math"
	"math/bits"

	"livemap/orders"
)

const (
	// earthRadiusM is the mean radius R1 of the GRS80 ellipsoid in metres
	// (Moritz, Geodetic Reference System 1980).
	earthRadiusM = 6_371_008.8

	// CarbonGramsPerTonneKm is the CO2 emitted per tonne-kilometre of road
	// freight: 62 g, the average recommended by Cefic and ECTA, "Guidelines for
	// Measuring and Managing CO2 Emission from Freight Transport Operations",
	// 2011, after A. McKinnon and M. Piecyk.
	CarbonGramsPerTonneKm = 62
)

// distance returns the great-circle distance in metres by the haversine
// formula, rounded half away from zero.
func distance(from, to orders.Place) int64 {
	a, b := pointOf(from), pointOf(to)
	return a.distance(&b)
}

// point is a place with all that a distance needs of it alone.
type point struct {
	lat    float64 // radians
	cosLat float64
	lon    float64 // degrees
}

const radians = math.Pi / 180

func pointOf(p orders.Place) point {
	lat := p.Lat * radians
	return point{lat: lat, cosLat: math.Cos(lat), lon: p.Lon}
}

func (from *point) distance(to *point) int64 {
	sinLat := math.Sin((to.lat - from.lat) / 2)
	sinLon := math.Sin((to.lon - from.lon) * radians / 2)
	h := float64(sinLat*sinLat) + float64(from.cosLat*to.cosLat*sinLon*sinLon)
	return int64(math.Round(2 * earthRadiusM * math.Asin(math.Sqrt(min(h, 1)))))
}

// carbon returns the grams of CO2 of one order: mass times distance times
// [CarbonGramsPerTonneKm], rounded half up. A tonne-kilometre is 1e9 gram-metres.
// The product is taken with 128 bits; a result beyond int64 cannot occur within
// the limits of package orders and is cut off at the highest value.
func carbon(massG, distanceM int64) int64 {
	const gramMetres = 1_000_000_000
	hi, lo := bits.Mul64(uint64(massG)*CarbonGramsPerTonneKm, uint64(distanceM))
	lo, carry := bits.Add64(lo, gramMetres/2, 0)
	hi += carry
	if hi >= gramMetres {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, gramMetres)
	return int64(min(q, math.MaxInt64))
}
