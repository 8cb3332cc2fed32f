package aggregate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkpointOf returns the checkpoint in the middle of a simulated stream.
func checkpointOf(t *testing.T, s *stream) *State {
	t.Helper()
	a, state := s.newAggregator(t), NewState()
	for _, e := range s.events[:s.tail] {
		_, out := s.tell(t, a, e)
		for _, c := range out.Changes {
			state.Apply(c)
		}
	}
	return state
}

// richCheckpoint returns a checkpoint that has records of every kind.
func richCheckpoint(t *testing.T) (*stream, *State) {
	t.Helper()
	for seed := range uint64(500) {
		s := simulate(seed)
		state := checkpointOf(t, s)
		kinds := map[string]bool{}
		for key := range state.latest {
			kind, _, _ := strings.Cut(key, "/")
			kinds[kind] = true
		}
		if len(kinds) == 5 {
			return s, state
		}
	}
	t.Fatal("no seed gives a checkpoint with all kinds of records")
	return nil, nil
}

func clone(s *State) *State { return &State{latest: maps.Clone(s.latest)} }

// TestRestoreRefuses damages each record of a checkpoint in turn.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s, state := richCheckpoint(t)
	if _, err := Restore(s.cfg, state); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, damaged *State, want string) {
		t.Helper()
		a, err := Restore(s.cfg, damaged)
		if err == nil || a != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one that mentions %q", what, err, want)
		}
	}
	for key, value := range state.latest {
		for n := range value {
			cut := clone(state)
			cut.latest[key] = value[:n]
			refused(key+" cut short", cut, key)
		}
		for i := range value {
			flipped := clone(state)
			flipped.latest[key] = slices.Clone(value)
			flipped.latest[key][i] ^= 0x40
			refused(key+" altered", flipped, key)
		}
		moved := clone(state)
		moved.latest[key+"0"] = value
		refused(key+" under another key", moved, "checksum")
	}
	foreign := clone(state)
	foreign.latest["foreign"] = []byte("hello, world")
	refused("a foreign record", foreign, "foreign")
	unknown := clone(state)
	unknown.latest["other/1/0"] = seal("other/1/0", []byte{wireVersion, 1})
	refused("an unknown kind", unknown, "other/1")
	headless := clone(state)
	delete(headless.latest, keyHead)
	refused("no head", headless, "missing")
	newer := clone(state)
	newer.latest[keyHead] = seal(keyHead, []byte{wireVersion + 1, 0, 0})
	refused("a newer version", newer, fmt.Sprintf("version %d, this program reads %d", wireVersion+1, wireVersion))
}

func TestRestoreRefusesSettings(t *testing.T) {
	t.Parallel()
	s, state := richCheckpoint(t)
	cfg := s.cfg
	cfg.Currency, cfg.Lateness, cfg.TotalSince = "EUR", 33*time.Second, 5000
	_, err := Restore(cfg, state)
	for _, want := range []string{"currency is EUR", "lateness is 33s", "total-since is 1970"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one that mentions %q", err, want)
		}
	}
}

// TestRestoreMissingPart takes one part of a record away.
func TestRestoreMissingPart(t *testing.T) {
	t.Parallel()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := newParts(&a.changes, "pane/5")
	for range 3 * partBytes / 100 {
		w.entry(tagUnits)
		w.b = appendCountry(w.b, "CA")
		w.b = appendString(w.b, strings.Repeat("x", 100))
		w.b = append(w.b, 2)
	}
	if parts := w.close(); parts != 4 {
		t.Fatalf("%d parts, want 4", parts)
	}
	for missing := range 4 {
		r := &restorer{a: a, parts: map[string]map[int][]byte{}}
		state := NewState()
		for i, c := range a.changes.list {
			if len(c.Value) > MaxChangeBytes {
				t.Errorf("part %d has %d bytes", i, len(c.Value))
			}
			if i != missing {
				state.Apply(c)
			}
		}
		state.Apply(Change{Key: keyHead, Value: a.encodeHead()})
		if err := r.split(state); err != nil {
			t.Fatal(err)
		}
		if err := r.read("pane/5", func(t tag, in *body) { in.country(); _ = in.string(); in.varint() }); err == nil {
			t.Errorf("a record without part %d of 4 is read", missing)
		}
	}
}

// TestCheckpointShrinks checks that what is out of reach is removed: in the end
// only the head, the last minutes and the empty lists are left.
func TestCheckpointShrinks(t *testing.T) {
	t.Parallel()
	s := simulate(3)
	a, state := s.newAggregator(t), NewState()
	var last event
	for _, e := range s.events {
		_, out := s.tell(t, a, e)
		for _, c := range out.Changes {
			state.Apply(c)
		}
		last = e
	}
	for range 70 {
		last.input.Now += 60_000
		_, out := s.tell(t, a, last)
		for _, c := range out.Changes {
			state.Apply(c)
		}
	}
	if keys := slices.Sorted(maps.Keys(state.latest)); len(keys) != 2 || keys[0] != keyHead || keys[1] != "trending/0" {
		t.Errorf("after an hour of silence the checkpoint still has %q", keys)
	}
	st := a.Stats()
	if st.Panes != 0 || st.ProductCells != 0 || len(a.closed.ordered) != 0 || len(a.history.minutes) != 0 || a.trend.units.hour.len() != 0 {
		t.Errorf("after an hour of silence there is still state: %+v", st)
	}
	for _, p := range a.marks.parts {
		if len(p.seen.spans) != 0 {
			t.Errorf("%d spans of ids are still held", len(p.seen.spans))
		}
	}
}
