package loadtest

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzFields: of valid JSON the scanner finds the members that encoding/json
// finds; other bytes do no harm.
func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"topic":"metrics","partition":0,"offset":12,"at":"2026-11-27T00:00:00.000Z","key":"wo\"rld","value":{"a":[1,{"b":"}"}]}}`))
	f.Add([]byte(` { "a" : -1.5e3 , "b" : null } `))
	f.Add([]byte(`{"a":"\\"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]string{}
		ok := eachField(b, func(name, value []byte) bool {
			got[string(name)] = string(value)
			text(value)
			integer(value)
			instant(value)
			return true
		})
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if !ok {
			t.Fatalf("%q is valid JSON and was refused", b)
		}
		if len(got) != len(want) {
			return // names that stand twice, or in two ways: not comparable
		}
		for name, value := range want {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			if raw, found := got[string(quoted[1:len(quoted)-1])]; found && raw != string(value) {
				t.Fatalf("%q: member %q is %q, want %q", b, name, raw, value)
			}
		}
	})
}

func TestText(t *testing.T) {
	for raw, want := range map[string]string{`"a"`: "a", `""`: "", `"a\"b\u00fc"`: `a"bü`, `"Zürich"`: "Zürich"} {
		if got, ok := text([]byte(raw)); !ok || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`1`, ``, `"`, `null`, `"\x"`} {
		if got, ok := text([]byte(raw)); ok {
			t.Errorf("%s: read as %q", raw, got)
		}
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 11, 27, 1, 2, 3, 456_000_000, time.UTC).UnixMicro()
	for raw, want := range map[string]int64{
		`"2026-11-27T01:02:03.456Z"`:      at,
		`"2026-11-27T03:02:03.456+02:00"`: at,
		`"2026-11-27T01:02:03.456789Z"`:   at + 789,
		`"2024-02-29T00:00:00.000Z"`:      time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC).UnixMicro(),
		`1795741323`:                      1795741323_000_000,
		`1795741323456`:                   1795741323_456_000,
		`1795741323456789`:                1795741323_456_789,
		`1795741323456789123`:             1795741323_456_789,
	} {
		if got, ok := instant([]byte(raw)); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", raw, got, ok, want)
		}
	}
	for _, raw := range []string{`"2026-02-29T00:00:00.000Z"`, `"2026-13-01T00:00:00.000Z"`, `"2026-01-01T24:00:00.000Z"`, `"now"`, `-5`, `1.5`, `null`, `99999999999999999999`} {
		if got, ok := instant([]byte(raw)); ok {
			t.Errorf("%s: read as %d", raw, got)
		}
	}
}
