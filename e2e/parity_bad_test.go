package e2e

import (
	"fmt"
	"strings"
	"time"
)

// goodRecord is an order of which each bad one differs in one thing.
const goodRecord = `{"v":1,"id":"x1","at":"2026-01-05T00:00:00.123Z","shop":"s","shopper":"c","currency":"USD","amount":5297,` +
	`"lines":[{"product":"p1","units":2,"amount":3798}],"from":{"city":"A","country":"CA","lat":45.5,"lon":-73.5},` +
	`"to":{"city":"B","country":"KE","lat":-1.2,"lon":36.8},"mass_g":1240}`

// badRecords are records that are no orders, of every kind and reason.
func badRecords(now time.Time) []string {
	list := []string{
		"", " ", "null", "[]", `"text"`, "{", "{}", `{"v":1`, `{"v":1}`, goodRecord + "x", goodRecord[:len(goodRecord)/2], "\xff\xfe",
		`{"v":01}`, `{"v":1,}`, `{"v":1,"a":tru}`, `{"v":1,"a":"\q"}`, `{"v":1,"a":"` + "\x01" + `"}`, `{"v":1,"a":"\ud800"}`, "{\"v\":1,\"a\":\"\xc3\"}",
		`{"v":1,"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		strings.Repeat(" ", 1<<20) + goodRecord,
	}
	for _, change := range [][2]string{
		{`"v":1`, `"v":2`}, {`"v":1`, `"v":"1"`}, {`"v":1,`, ``}, {`"v":1`, `"v":1.0`}, {`"v":1`, `"v":null`},
		{`"id":"x1"`, `"id":""`}, {`"id":"x1"`, `"id":7`}, {`"id":"x1",`, ``}, {`"id":"x1"`, `"id":"a\u0000b"`}, {`"id":"x1"`, `"id":"a\nb"`},
		{`"id":"x1"`, `"id":"` + strings.Repeat("é", 65) + `"`}, {`"id":"x1"`, `"id":null`}, {`"id":"x1"`, `"id":"\u0085"`},
		{`"shop":"s"`, `"shop":{}`}, {`"shopper":"c"`, `"shopper":[1]`}, {`"shopper":"c",`, ``},
		{`2026-01-05T00:00:00.123Z`, `yesterday`}, {`2026-01-05T00:00:00.123Z`, `2026-02-30T00:00:00Z`}, {`2026-01-05T00:00:00.123Z`, `2026-01-05 00:00:00Z`},
		{`2026-01-05T00:00:00.123Z`, `2026-01-05T24:00:00Z`}, {`2026-01-05T00:00:00.123Z`, `2026-01-05T00:00:00,5Z`}, {`2026-01-05T00:00:00.123Z`, `2026-01-05T00:00:00`},
		{`2026-01-05T00:00:00.123Z`, `2026-01-05T00:00:60Z`}, {`2026-01-05T00:00:00.123Z`, `2026-01-05T00:00:00+24:00`}, {`"at":"2026-01-05T00:00:00.123Z"`, `"at":1767571200`},
		{`2026-01-05T00:00:00.123Z`, `0000-01-01T00:00:00+01:00`},
		{`2026-01-05T00:00:00.123Z`, `1999-12-31T23:59:59.999Z`}, {`2026-01-05T00:00:00.123Z`, `1969-01-01T00:00:00-23:59`},
		{`2026-01-05T00:00:00.123Z`, now.Add(10 * time.Minute).UTC().Format(time.RFC3339Nano)}, {`2026-01-05T00:00:00.123Z`, `9999-12-31T23:59:59Z`},
		{`"currency":"USD"`, `"currency":"usd"`}, {`"currency":"USD"`, `"currency":"DOLLAR"`}, {`"currency":"USD"`, `"currency":"XAU"`}, {`"currency":"USD"`, `"currency":840`},
		{`"amount":5297`, `"amount":-1`}, {`"amount":5297`, `"amount":10000000000001`}, {`"amount":5297`, `"amount":52.97`}, {`"amount":5297`, `"amount":5e3`},
		{`"amount":5297`, `"amount":1234567890123456789012`}, {`"amount":5297`, `"amount":"5297"`}, {`"amount":5297`, `"amount":true`},
		{`[{"product":"p1","units":2,"amount":3798}]`, `[]`}, {`[{"product":"p1","units":2,"amount":3798}]`, `{}`}, {`[{"product":"p1","units":2,"amount":3798}]`, `[7]`},
		{`"product":"p1",`, ``}, {`"units":2`, `"units":-2`}, {`"units":2`, `"units":1000000001`}, {`"units":2`, `"units":"2"`}, {`"amount":3798`, `"amount":3.5`}, {`,"amount":3798`, ``},
		{`[{"product":"p1","units":2,"amount":3798}]`, `[` + strings.Repeat(`{"product":"p1","units":2,"amount":3798},`, 1000) + `{"product":"p1","units":2,"amount":3798}]`},
		{`"city":"A"`, `"city":"` + strings.Repeat("x", 129) + `"`}, {`"city":"A"`, `"city":7`}, {`"country":"CA"`, `"country":"ca"`}, {`"country":"KE"`, `"country":"KEN"`}, {`"country":"KE",`, ``},
		{`"lat":45.5`, `"lat":90.0001`}, {`"lat":45.5`, `"lat":1e400`}, {`"lat":45.5`, `"lat":"45.5"`}, {`"lon":36.8`, `"lon":-180.5`}, {`"lon":36.8`, `"lon":1e21`}, {`,"lon":36.8`, ``},
		{`"from":{"city":"A","country":"CA","lat":45.5,"lon":-73.5}`, `"from":null`}, {`"mass_g":1240`, `"mass_g":-1`}, {`"mass_g":1240`, `"mass_g":1000000001`}, {`,"mass_g":1240`, ``},
	} {
		changed := strings.Replace(goodRecord, change[0], change[1], 1)
		if changed == goodRecord {
			panic(fmt.Sprintf("%q is not in the good record", change[0]))
		}
		list = append(list, changed)
	}
	return list
}
