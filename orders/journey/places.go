package journey

import (
	"livemap/orders"
	"livemap/orders/gazetteer"
)

// Stores and households are numbered from 1 both; these keep the same number
// from meaning the same city.
const (
	storeHash     = 1 << 32
	householdHash = 2 << 32
)

// StorePlace returns the city that a store is given: [gazetteer.ByHash] of
// 2^32 + its number. It is not where the store is; the data does not say.
func StorePlace(store int64) orders.Place {
	return gazetteer.ByHash(storeHash + uint64(store)).Place
}

// HouseholdPlace returns the city that a household is given: [gazetteer.ByHash]
// of 2^33 + its number.
func HouseholdPlace(household int64) orders.Place {
	return gazetteer.ByHash(householdHash + uint64(household)).Place
}
