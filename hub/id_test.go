package hub

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestIDRoundTrip(t *testing.T) {
	metrics, windows := hashName("metrics"), hashName("windows")
	for name, v := range map[string]*id{
		"no topics":       {},
		"nothing yet":     {topics: []idTopic{{name: metrics, uuid: 7}}},
		"one":             {topics: []idTopic{{name: metrics, uuid: 7, next: []int64{0}}}},
		"holes":           {topics: []idTopic{{name: metrics, next: []int64{Absent, 12, Absent, 300}}}},
		"two, with keys":  {keys: hashKeys([]string{"world"}), topics: []idTopic{{name: metrics, next: []int64{1}}, {name: windows, uuid: 9, next: []int64{1 << 40}}}},
		"highest":         {topics: []idTopic{{name: metrics, next: []int64{math.MaxInt64 - 1}}}},
		"many partitions": {topics: []idTopic{{name: metrics, next: slices.Repeat([]int64{5}, 700)}}},
	} {
		t.Run(name, func(t *testing.T) {
			text := string(v.append(nil))
			got, err := parseID(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if again := string(got.append(nil)); again != text {
				t.Errorf("%s came back as %s", text, again)
			}
			if got.keys != v.keys || len(got.topics) != len(v.topics) {
				t.Errorf("got %+v, want %+v", got, v)
			}
			for i, topic := range got.topics {
				if !slices.Equal(topic.next, v.topics[i].next) {
					t.Errorf("got %v, want %v", topic.next, v.topics[i].next)
				}
			}
		})
	}
}

func TestIDRefused(t *testing.T) {
	good := (&id{topics: []idTopic{{name: 1, uuid: 2, next: []int64{3}}}}).append(nil)
	raw, err := idEncoding.DecodeString(string(good))
	if err != nil {
		t.Fatal(err)
	}
	text := func(b []byte) string { return idEncoding.EncodeToString(b) }
	for name, s := range map[string]string{
		"empty":               "",
		"not base64url":       "!!!!!!!!",
		"padded":              string(good) + "=",
		"line end inside":     string(good[:4]) + "\n" + string(good[4:]),
		"stray bits":          "AQAAAAAAAB",
		"other version":       text(append([]byte{2}, raw[1:]...)),
		"head cut":            text(raw[:5]),
		"topic cut":           text(raw[:10]),
		"count cut":           text(raw[:14]),
		"offset cut":          text(raw[:15]),
		"long number":         text(append(slices.Clone(raw[:15]), 0x84, 0)),
		"count too large":     text(append(slices.Clone(raw[:14]), 0xff, 0x7f, 4)),
		"offset of 64 bits":   text(append(slices.Clone(raw[:15]), bytes.Repeat([]byte{0xff}, 9)...)) + "AQ",
		"absent at the end":   text(append(slices.Clone(raw[:15]), 0)),
		"topic twice":         text(append(slices.Clone(raw), raw[6:]...)),
		"too long":            strings.Repeat("A", MaxIDBytes+1),
		"long, and no number": "AQ" + strings.Repeat("_", MaxIDBytes-2),
	} {
		if v, err := parseID(s); !errors.Is(err, errID) {
			t.Errorf("%s: %q gave %+v, %v", name, s, v, err)
		}
	}
}

// Keys that run together as text must not run together as a set.
func TestKeyHash(t *testing.T) {
	sets := [][]string{{"a", "b"}, {"ab"}, {"a,b"}, {"a\x01b"}, {"", "ab"}, {""}, {"a", "b", ""}}
	seen := map[keyHash]int{}
	for i, s := range sets {
		h := hashKeys(s)
		if j, ok := seen[h]; ok {
			t.Errorf("%q and %q have the same hash", s, sets[j])
		}
		if h == (keyHash{}) {
			t.Errorf("%q has the hash of every key", s)
		}
		seen[h] = i
	}
	if a, b := viewName([]string{"a", "b"}), viewName([]string{"a\x01b"}); a == b {
		t.Error("two sets of keys have one view")
	}
}

// The head of an id is a whole number of characters: a view replaces it without
// touching what follows.
func TestIDHead(t *testing.T) {
	v := &id{keys: hashKeys([]string{"world"}), topics: []idTopic{{name: 1, uuid: 2, next: []int64{3}}}}
	whole, head, tail := v.append(nil), appendIDHead(nil, v.keys), v.appendTail(nil)
	if len(head) != idHeadText || string(whole) != string(head)+string(tail) {
		t.Errorf("%s is not %s and %s", whole, head, tail)
	}
	if string(allKeysHead) != "AQAAAAAA" {
		t.Errorf("the view of every key begins with %s", allKeysHead)
	}
}

// FuzzParseID: what is taken is written the same again, and nothing panics.
func FuzzParseID(f *testing.F) {
	f.Add(string((&id{topics: []idTopic{{name: 1, uuid: 2, next: []int64{3, Absent, 9}}}}).append(nil)))
	f.Add("AQAAAAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseID(text)
		if err != nil {
			return
		}
		if again := string(v.append(nil)); again != text {
			t.Fatalf("%q came back as %q", text, again)
		}
	})
}
