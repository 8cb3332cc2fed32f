package aggregate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"livemap/feed"
	"livemap/orders"
)

// written is what came out of a run, as its readers see it: the last revision
// of each window, the latest record of each key, every final list.
type written struct {
	windows  map[string]feed.Window   // by scope and window_end
	metrics  map[string]feed.Window   // by key
	history  map[string][]byte        // by key
	finals   map[string]feed.Trending // by scope and window_end
	of       map[string]int64         // orders in shipments, by scope
	verdicts []Verdict
}

func newWritten() *written {
	return &written{
		windows: map[string]feed.Window{}, metrics: map[string]feed.Window{}, history: map[string][]byte{},
		finals: map[string]feed.Trending{}, of: map[string]int64{},
	}
}

// take adds a flush's records and checks what holds for each one of them.
func (w *written) take(t *testing.T, out Output) {
	t.Helper()
	for _, r := range out.Records {
		switch r.Topic {
		case feed.TopicWindows:
			w.takeWindow(t, r)
		case feed.TopicMetrics:
			w.takeMetrics(t, r)
		case feed.TopicHistory:
			w.history[r.Key] = r.Value
		case feed.TopicTrending:
			w.takeTrending(t, r)
		case feed.TopicShipments:
			s := decode[feed.Shipments](t, r)
			w.of[r.Key] += s.Of
			var shown int64
			for _, arc := range s.Arcs {
				shown += arc.N
			}
			if shown != s.Shown || s.Shown > s.Of || len(s.Arcs) > 64 || len(s.Latest) > 4 || len(r.Value) > 8192 {
				t.Errorf("shipments %s: %s", r.Key, r.Value)
			}
		}
	}
}

// histories reads the latest history records.
func (w *written) histories(t *testing.T) map[string]feed.History {
	t.Helper()
	read := map[string]feed.History{}
	for key, value := range w.history {
		h := decode[feed.History](t, Record{Topic: feed.TopicHistory, Key: key, Value: value})
		h.EmittedAt = 0
		read[key] = h
	}
	return read
}

func (w *written) takeWindow(t *testing.T, r Record) {
	t.Helper()
	v := parseWindow(t, r)
	id := fmt.Sprint(r.Key, " ", int64(v.WindowEnd))
	revision := 0
	if before, ok := w.windows[id]; ok {
		revision = *before.Revision + 1
	}
	if v.Revision == nil || *v.Revision != revision || !v.Final || v.Scope != r.Key {
		t.Errorf("windows %s: want revision %d: %s", id, revision, r.Value)
	}
	v.EmittedAt = 0
	w.windows[id] = v
}

func (w *written) takeMetrics(t *testing.T, r Record) {
	t.Helper()
	v := parseWindow(t, r)
	if before, ok := w.metrics[r.Key]; ok && v.WindowEnd < before.WindowEnd {
		t.Errorf("metrics %s goes back from %s to %s", r.Key, before.WindowEnd, v.WindowEnd)
	}
	v.EmittedAt = 0
	w.metrics[r.Key] = v
}

func (w *written) takeTrending(t *testing.T, r Record) {
	if bytes.Contains(r.Value, []byte(`"final":false`)) {
		return
	}
	v := decode[feed.Trending](t, r)
	id := fmt.Sprint(r.Key, " ", int64(v.WindowEnd))
	if _, ok := w.finals[id]; ok {
		t.Errorf("trending %s: final twice", id)
	}
	v.EmittedAt = 0
	w.finals[id] = v
}

func decode[T any](t *testing.T, r Record) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.Value, &v); err != nil {
		t.Fatalf("%s %s: %v in %s", r.Topic, r.Key, err, r.Value)
	}
	return v
}

// parseWindow reads a windows or metrics record in the one form that
// TestGolden fixes; encoding/json takes ten times as long.
func parseWindow(t *testing.T, r Record) (w feed.Window) {
	t.Helper()
	rest := r.Value
	field := func(name string) []byte {
		_, after, ok := bytes.Cut(rest, []byte(`"`+name+`":`))
		end := bytes.IndexAny(after, ",}")
		if !ok || end < 0 {
			t.Fatalf("no %s in %s", name, r.Value)
		}
		rest = after[end:]
		return bytes.Trim(after[:end], `"`)
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(string(field(name)), 10, 64)
		if err != nil {
			t.Fatalf("%s in %s: %v", name, r.Value, err)
		}
		return n
	}
	moment := func(name string) orders.Time {
		at, err := orders.ParseTime(string(field(name)))
		if err != nil {
			t.Fatalf("%s in %s: %v", name, r.Value, err)
		}
		return at
	}
	w.V, w.Scope, w.WindowEnd = int(number("v")), string(field("scope")), moment("window_end")
	if r.Topic == feed.TopicWindows {
		revision := int(number("revision"))
		w.Revision = &revision
	}
	w.Orders, w.Sales, w.Currency = number("orders"), number("sales"), string(field("currency"))
	w.Shoppers, w.DistanceM, w.CarbonG = number("shoppers"), number("distance_m"), number("carbon_g")
	w.Final = string(field("final")) == "true"
	w.Total = feed.Total{Since: moment("since"), Orders: number("orders"), Sales: number("sales"), DistanceM: number("distance_m"), CarbonG: number("carbon_g")}
	w.EmittedAt = moment("emitted_at")
	return w
}

// diff is cmp.Diff for maps that are nearly always equal.
func diff[V any](want, got map[string]V) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// withoutRevisions drops what depends on how often Flush was called.
func withoutRevisions(windows map[string]feed.Window) map[string]feed.Window {
	plain := map[string]feed.Window{}
	for id, w := range windows {
		w.Revision = nil
		plain[id] = w
	}
	return plain
}

// acceptCorrections makes Corrected Accepted: which it is depends on when Flush
// was called.
func (w *written) acceptCorrections() {
	for i, v := range w.verdicts {
		if v == Corrected {
			w.verdicts[i] = Accepted
		}
	}
}

// check compares all that came out with the oracle.
func (w *written) check(t *testing.T, o *oracle) {
	t.Helper()
	if !slices.Equal(o.verdicts, w.verdicts) {
		t.Errorf("verdicts (-want +got):\n%s", cmp.Diff(o.verdicts, w.verdicts))
	}
	o.memo = map[string]feed.Window{}
	windows, finals := map[string]feed.Window{}, map[string]feed.Trending{}
	histories := map[string]feed.History{}
	for _, scope := range o.scopes() {
		for _, end := range o.ends(scope) {
			want := o.window(scope, end)
			want.Final = true
			windows[fmt.Sprint(scope, " ", end)] = want
		}
		if h, ok := o.history(scope); ok {
			histories[scope] = h
		}
		// The record of zeros may be older than the last correction, which then
		// came for a minute long past.
		want := o.window(scope, o.watermark-mod(o.watermark, 1000))
		want.Final, want.WindowEnd = true, w.metrics[scope].WindowEnd
		if want.Orders != 0 {
			t.Errorf("metrics %s: the last record is not one of zeros: %+v", scope, want)
		}
		if got, ok := w.metrics[scope]; got != want && (ok || want.Total.Orders != 0) {
			t.Errorf("metrics %s (-want +got):\n%s", scope, cmp.Diff(want, got))
		}
	}
	for id, f := range o.finals {
		finals[id] = rounded(f)
	}
	of := map[string]int64{}
	for _, k := range o.accepted {
		for _, s := range o.scopesOf(k.country) {
			of[s]++
		}
	}
	for _, d := range []string{
		diff(windows, withoutRevisions(w.windows)), diff(histories, w.histories(t)),
		diff(finals, w.finals), diff(of, w.of),
	} {
		if d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// rounded prints and reads the scores, as records do.
func rounded(v feed.Trending) feed.Trending {
	items := make([]feed.TrendingItem, len(v.Items))
	for i, item := range v.Items {
		b, _ := item.Score.MarshalJSON()
		_ = json.Unmarshal(b, &item.Score)
		items[i] = item
	}
	v.Items = items
	return v
}

// ends returns the ends of a scope's closed windows that hold an order.
func (o *oracle) ends(scope string) []int64 {
	seen := map[int64]bool{}
	var ends []int64
	for _, k := range o.accepted {
		if !k.in(scope) {
			continue
		}
		first := k.at - mod(k.at, 1000) + 1000
		for end := first; end < first+60_000 && end <= o.watermark; end += 1000 {
			if !seen[end] {
				seen[end] = true
				ends = append(ends, end)
			}
		}
	}
	return ends
}

// checkEarly compares the early metrics of one flush with the orders so far.
func checkEarly(t *testing.T, o *oracle, out Output) {
	t.Helper()
	for _, r := range out.Records {
		if r.Topic != feed.TopicMetrics {
			continue
		}
		got := parseWindow(t, r)
		want := o.window(r.Key, int64(got.WindowEnd))
		want.Final = int64(got.WindowEnd) <= o.watermark
		got.EmittedAt = 0
		if got != want {
			t.Errorf("metrics at %s (-want +got):\n%s", r.At, cmp.Diff(want, got))
		}
	}
}

func TestAgainstOracle(t *testing.T) {
	t.Parallel()
	for seed := range seeds(t, 800) {
		s := simulate(seed)
		a, o, w := s.newAggregator(t), newOracle(s), newWritten()
		for _, e := range s.events {
			o.tell(e)
			v, out := s.tell(t, a, e)
			if e.order != nil {
				w.verdicts = append(w.verdicts, v)
			}
			w.take(t, out)
			checkEarly(t, o, out)
		}
		w.acceptCorrections()
		w.check(t, o)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
