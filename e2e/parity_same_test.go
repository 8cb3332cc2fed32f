package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"livemap/feed"
	"livemap/orders"
)

// differencesShown bounds what a failing comparison prints.
const differencesShown = 10

// same compares what two engines wrote to topics, by figures and not by how
// often they wrote them: every window at its last revision, every final trending list, and
// of shipments the orders in all batches of a scope. Records of windows that
// end after until are left out, as are early records and emitted_at. It logs
// how many were compared.
func same(t *testing.T, ofGo, ofFlink string, until orders.Time, atLeast int, topics ...string) {
	t.Helper()
	compared := 0
	for _, topic := range topics {
		a, b := figuresOf(t, ofGo, topic, until), figuresOf(t, ofFlink, topic, until)
		n := differ(t, topic, a, b)
		if topic == feed.TopicWindows {
			compared = n
		}
	}
	t.Logf("compared=%d windows of both engines", compared)
	if compared < atLeast {
		t.Errorf("only %d windows compared, at least %d are wanted", compared, atLeast)
	}
}

// differ reports what is not the same in two maps of figures, and returns how
// many keys there are.
func differ(t *testing.T, what string, ofGo, ofFlink map[string]string) int {
	t.Helper()
	keys := map[string]bool{}
	for _, m := range []map[string]string{ofGo, ofFlink} {
		for key := range m {
			keys[key] = true
		}
	}
	found := 0
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if ofGo[key] == ofFlink[key] {
			continue
		}
		if found++; found <= differencesShown {
			t.Errorf("%s %s:\n  Go    %s\n  Flink %s", what, key, ofGo[key], ofFlink[key])
		}
	}
	if found > differencesShown {
		t.Errorf("%s: %d differences in all", what, found)
	}
	t.Logf("%s: %d compared, %d differences", what, len(keys), found)
	return len(keys)
}

// unequal are the fields that may differ between two runs of one engine, too.
var unequal = regexp.MustCompile(`,"emitted_at":"[^"]*"|,"revision":\d+`)

// figuresOf reads TOPIC.ndjson of a reading: by scope and window, or for
// shipments by scope, what must be the same.
func figuresOf(t *testing.T, dir, topic string, until orders.Time) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, topic+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	figures, revisions, shipped := map[string]string{}, map[string]int{}, map[string]int64{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var line struct {
			Key   string
			Value struct {
				Scope     string
				WindowEnd orders.Time `json:"window_end"`
				Revision  int
				Final     bool
				Of        int64
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v: %s", topic, err, lines.Bytes())
		}
		v := line.Value
		key := fmt.Sprint(v.Scope, " ", v.WindowEnd)
		switch {
		case line.Key != v.Scope:
			t.Errorf("%s: a record of %s has the key %s", topic, v.Scope, line.Key)
		case topic == feed.TopicShipments:
			shipped[v.Scope] += v.Of
		case v.WindowEnd > until || !v.Final || v.Revision < revisions[key]:
		case topic == feed.TopicTrending && figures[key] != "":
			t.Errorf("trending %s: there are two final lists", key)
		default:
			revisions[key] = v.Revision
			figures[key] = string(unequal.ReplaceAll(bytes.TrimSuffix(lines.Bytes(), []byte("}")), nil))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for scope, n := range shipped {
		figures[scope] = fmt.Sprint(n, " orders")
	}
	return figures
}
