package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// agree checks that a Quick that has read other orders before reads in as Decode
// does, and again once it knows its places.
func agree(t *testing.T, q *Quick, o *Raw, in []byte) {
	t.Helper()
	want, wantErr := Decode(in)
	for range 2 {
		before := bytes.Clone(in)
		err := q.Read(in, o)
		if !bytes.Equal(in, before) {
			t.Fatal("Read changed its input")
		}
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("Read says %v, Decode says %v, of %s", err, wantErr, in)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(want, o.Order()); diff != "" {
			t.Fatalf("(-Decode +Read):\n%s", diff)
		}
	}
}

// FuzzQuick compares Read with Decode.
func FuzzQuick(f *testing.F) {
	seeds(f)
	g := string(goldenBytes(f))
	for _, change := range []struct{ old, new string }{
		{`Nairobi`, `Nai}robi`}, {`Nairobi`, `Nai\"robi`}, {`Nairobi`, `Nairobi","lat":1,"city":"x`}, {`Nairobi`, "Nairobi\x7f"},
		{`"units":`, `"units":0`}, {`"lines":[`, `"lines":[{"product":"p","units":1,"amount":2},`}, {`}],"from"`, `},],"from"`},
		{`c004211`, "c00\x1f4211"}, {`c004211`, "c00\u00e9211"}, {`c004211`, ``}, {`c004211`, strings.Repeat("c", 129)}, {`c004211`, strings.Repeat("c", 128)},
		{`USD`, `usd`}, {`5297`, `10000000000000`}, {`5297`, `10000000000001`}, {`5297`, `-1`}, {`00.123Z`, `60.123Z`}, {`2026-`, `2025-02-29`},
	} {
		f.Add([]byte(strings.Replace(g, change.old, change.new, 1)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		q, o := NewQuick(), new(Raw)
		agree(t, q, o, []byte(g)) // its places may be those of in
		agree(t, q, o, in)
		if want, err := Decode(in); err == nil {
			agree(t, q, o, AppendJSON(nil, want))
			agree(t, q, o, reordered(t, AppendJSON(nil, want), uint64(len(in))))
		}
	})
}

// reordered writes an order's own fields in another order.
func reordered(t *testing.T, in []byte, seed uint64) []byte {
	t.Helper()
	var values map[string]json.RawMessage
	if err := json.Unmarshal(in, &values); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(values))
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	out := []byte("{")
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `"`+name+`":`...)
		out = append(out, values[name]...)
	}
	return append(out, '}')
}

// TestQuickInAnyOrder: so is what has the order's own fields in another order. A
// field that is missing, there twice or unknown is left to Decode.
func TestQuickInAnyOrder(t *testing.T) {
	q, o := NewQuick(), new(Raw)
	usual := AppendJSON(nil, golden())
	for seed := range uint64(50) {
		in := reordered(t, usual, seed)
		if !q.readAny(in, o) {
			t.Fatalf("not read: %s", in)
		}
		agree(t, q, o, in)
	}
	in := reordered(t, usual, 1)
	if n := testing.AllocsPerRun(100, func() { q.readAny(in, o) }); n != 0 {
		t.Errorf("%v allocations an order", n)
	}
	for _, change := range []struct{ old, new string }{
		{`"amount":5297,`, ``}, {`"amount":5297,`, `"amount":5297,"amount":5297,`}, {`"amount":5297,`, `"amount":5297,"more":1,`},
		{`{"v":1,`, `{,"v":1,`}, {`{"v":1,`, `{"v":10,`}, {`{"v":1,`, `{"v":1.0,`}, {`"amount":5297,`, `"amount":5297;`}, {`"amount":5297,`, `"amount":5297`},
	} {
		in := []byte(strings.Replace(string(usual), change.old, change.new, 1))
		if bytes.Equal(in, usual) || q.readAny(in, o) {
			t.Errorf("%s is read", in)
		}
		agree(t, q, o, in)
	}
}

// TestQuickIsQuick: what AppendJSON writes of plain texts is read without
// Decode, and without allocating.
func TestQuickIsQuick(t *testing.T) {
	in := AppendJSON(nil, golden())
	q, o := NewQuick(), new(Raw)
	if !q.read(in, o) {
		t.Fatalf("not the usual form: %s", in)
	}
	if from := o.From; o.From.Number == 0 || !q.read(in, o) || from != o.From {
		t.Error("the place is not remembered")
	}
	if n := testing.AllocsPerRun(100, func() { q.read(in, o) }); n != 0 {
		t.Errorf("%v allocations an order", n)
	}
}

// TestQuickKnowsThousandsOfPlaces: the places of a large shop are read once each.
func TestQuickKnowsThousandsOfPlaces(t *testing.T) {
	q, o, order := NewQuick(), new(Raw), *golden()
	var list [][]byte
	for i := range 2000 {
		order.From.City = "City " + strconv.Itoa(i)
		list = append(list, AppendJSON(nil, &order))
	}
	if n := testing.AllocsPerRun(2, func() {
		for _, in := range list {
			q.read(in, o)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d places that were read before", n, len(list))
	}
}

func TestQuickForgetsPlaces(t *testing.T) {
	q, o, order := NewQuick(), new(Raw), *golden()
	numbers := map[uint32]bool{}
	for i := range 3 * rememberedPlaces {
		order.From.Lat = float64(i%(2*rememberedPlaces)) / 1000
		if err := q.Read(AppendJSON(nil, &order), o); err != nil {
			t.Fatal(err)
		}
		if o.From.Place != order.From || o.To.Place != order.To {
			t.Fatalf("read %+v, want %+v", o.From, order.From)
		}
		numbers[o.From.Number] = true
	}
	if len(numbers) < 2*rememberedPlaces {
		t.Errorf("%d numbers for %d places", len(numbers), 2*rememberedPlaces)
	}
}

func TestQuickKeepsReasons(t *testing.T) {
	err := NewQuick().Read(bytes.Repeat([]byte{' '}, MaxRecordBytes+1), new(Raw))
	var invalid *Invalid
	if !errors.As(err, &invalid) || invalid.Reason != TooLarge {
		t.Errorf("got %v, want %s", err, TooLarge)
	}
}

func BenchmarkQuick(b *testing.B) {
	in := AppendJSON(nil, golden())
	q, o := NewQuick(), new(Raw)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Read(in, o); err != nil {
			b.Fatal(err)
		}
	}
}
