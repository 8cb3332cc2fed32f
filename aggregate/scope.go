package aggregate

import (
	"slices"

	"livemap/feed"
)

// scopeID numbers the scopes in the order in which they were first seen. It is
// never written anywhere: records and the checkpoint name scopes.
type scopeID uint16

// worldID is the scope that holds all orders.
const worldID scopeID = 0

// countryCodes is how many codes of two capital letters there are, and so the
// most country scopes that can exist.
const countryCodes = 26 * 26

// scopes knows every scope that has been seen. The table by country code makes
// the lookup one index, and its size is the bound.
type scopes struct {
	byCode [countryCodes]scopeID // 0: not seen
	codes  []string              // by scopeID; "" for the world
	names  []string              // by scopeID: the key of its records
	sorted []scopeID             // by name, for output in a fixed order
}

func newScopes() *scopes {
	return &scopes{codes: []string{""}, names: []string{feed.World}, sorted: []scopeID{worldID}}
}

func (s *scopes) len() int { return len(s.names) }

// country returns the scope of a country, making it if need be, by the number
// that countrySlot gives its code.
func (s *scopes) country(slot int16) scopeID {
	if slot == noCountry {
		return worldID
	}
	id := &s.byCode[slot]
	if *id == 0 {
		*id = s.insert(string([]byte{'A' + byte(slot/26), 'A' + byte(slot%26)}))
	}
	return *id
}

func (s *scopes) insert(code string) scopeID {
	id := scopeID(len(s.names))
	name := feed.CountryScope(code)
	s.codes = append(s.codes, code)
	s.names = append(s.names, name)
	at, _ := slices.BinarySearchFunc(s.sorted, name, func(id scopeID, name string) int {
		if s.names[id] < name {
			return -1
		}
		return 1
	})
	s.sorted = slices.Insert(s.sorted, at, id)
	return id
}
