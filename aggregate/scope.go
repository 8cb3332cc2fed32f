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

// country returns the scope of a country code, making it if need be. A code
// that is not two capital letters counts for the world only; package orders
// lets none through.
func (s *scopes) country(code string) scopeID {
	if len(code) != 2 || code[0]-'A' > 25 || code[1]-'A' > 25 {
		return worldID
	}
	slot := &s.byCode[int(code[0]-'A')*26+int(code[1]-'A')]
	if *slot == 0 {
		*slot = s.insert(string([]byte{code[0], code[1]}))
	}
	return *slot
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
