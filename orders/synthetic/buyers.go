package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"

	"livemap/orders"
	"livemap/orders/gazetteer"
)

// Shares of online commerce per thousand, by country: how much is bought there,
// and how much is sold from there. The figures are made up, of the right order
// of magnitude. Every other country shares what is left by population.
var (
	buyerWeights = map[string]int64{
		"US": 240, "CN": 60, "GB": 70, "CA": 55, "DE": 55, "JP": 55, "AU": 50, "FR": 45, "IN": 45, "BR": 40,
		"KR": 25, "IT": 22, "ES": 22, "MX": 22, "NL": 14, "ID": 14, "TR": 12, "PL": 10, "SE": 9, "AR": 9,
		"AE": 8, "SA": 8, "ZA": 8, "NZ": 8, "NG": 7, "CO": 7, "CL": 7, "SG": 6, "EG": 6, "KE": 5,
	}
	sellerWeights = map[string]int64{
		"US": 270, "CN": 130, "GB": 85, "CA": 65, "DE": 60, "JP": 55, "AU": 45, "FR": 45, "IN": 45, "IT": 35,
		"BR": 25, "KR": 25, "ES": 18, "NL": 18, "MX": 14, "TR": 12, "ZA": 8, "NZ": 6, "SE": 8, "AE": 6,
	}
)

// newCommerce returns a choice among all cities in which each country has its
// weight per thousand and divides it among its cities by population.
func newCommerce(perThousand map[string]int64) (*gazetteer.Choice, error) {
	cities := gazetteer.All()
	people := make(map[string]int64)
	rest, restPeople := int64(1000), int64(0)
	for _, share := range perThousand {
		rest -= share
	}
	for _, c := range cities {
		people[c.Country] += c.Population
		if perThousand[c.Country] == 0 {
			restPeople += c.Population
		}
	}
	const scale = 1_000_000 // of one in a thousand
	return gazetteer.NewChoice(cities, func(c gazetteer.City) int64 {
		if share := perThousand[c.Country]; share > 0 {
			return int64(float64(share*scale) * float64(c.Population) / float64(people[c.Country]))
		}
		return int64(float64(rest*scale) * float64(c.Population) / float64(restPeople))
	})
}

// buyer is a shopper at home.
type buyer struct {
	number uint64
	home   gazetteer.City
}

func (b buyer) id() string { return fmt.Sprintf("c%06d", b.number) }

// buyers is the pool of shoppers. None of them is stored: a shopper's home
// follows from the number, so that the pool may be as large as one likes.
type buyers struct {
	seed   uint64
	places *gazetteer.Choice
	rank   *rand.Zipf
}

// newBuyers returns a pool of count shoppers; number k orders in proportion to
// (k+200)^-1.1, which makes the keenest of 200,000 responsible for one order in
// a thousand.
func newBuyers(seed uint64, r *rand.Rand, count int64) (buyers, error) {
	places, err := newCommerce(buyerWeights)
	if err != nil {
		return buyers{}, fmt.Errorf("places of shoppers: %w", err)
	}
	return buyers{seed: seed, places: places, rank: rand.NewZipf(r, 1.1, 200, uint64(count-1))}, nil
}

func (b buyers) next() buyer {
	k := b.rank.Uint64()
	return buyer{number: k, home: b.places.ByHash(k ^ b.seed<<32)}
}

// hourly is how much is bought in each hour of the local day. Its mean is
// brought to 1 below.
var hourly = [24]float64{
	0.45, 0.30, 0.20, 0.15, 0.15, 0.20, 0.35, 0.60, 0.85, 1.05, 1.20, 1.30,
	1.35, 1.30, 1.25, 1.20, 1.20, 1.25, 1.40, 1.60, 1.75, 1.70, 1.30, 0.80,
}

// meanOfDay is the mean of hourly, peakOfDay what dailyCurve never exceeds.
const (
	meanOfDay = 22.90 / 24
	peakOfDay = 1.75 / meanOfDay
)

// dailyCurve returns the demand at a place and time, 1 on the average of a day.
// Local time is the sun's, 15 degrees of longitude an hour: near enough, and
// without a table of time zones.
func dailyCurve(at orders.Time, lon float64) float64 {
	const hourMillis, dayMillis = 3_600_000, 86_400_000
	hour := math.Mod(float64(at%dayMillis)/hourMillis+lon/15+24, 24)
	h := int(hour)
	between := hour - float64(h)
	now, next := hourly[h%24], hourly[(h+1)%24]
	return (now + float64(between*(next-now))) / meanOfDay
}
