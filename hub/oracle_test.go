package hub

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"livemap/feed"
	"livemap/orders"
	"livemap/sse"
)

// This file is the naive side of the tests: it knows the topics' whole history
// and what a client is owed from it, and nothing of rings, views and prefixes.

// coordinates is the value of every record of the tests.
type coordinates struct {
	Topic     string `json:"t"`
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
	Key       string `json:"k"`
}

// world is what was published, by topic and partition. Offsets have holes, as
// those of Kafka do.
type world struct {
	topics []Topic
	logs   map[string][][]Record
	ids    map[string]int // topic to index
	clock  orders.Time
	kept   map[string][]int64 // what the logs keep: from that offset on; nil: there is no history
}

func newWorld(topics []Topic, partitions int) *world {
	w := &world{topics: topics, logs: map[string][][]Record{}, ids: map[string]int{}}
	for i, t := range topics {
		w.logs[t.Name] = make([][]Record, partitions)
		w.ids[t.Name] = i
	}
	return w
}

// grow adds a record to a random partition.
func (w *world) grow(rng *rand.Rand, keys int) {
	i := rng.IntN(len(w.topics))
	t := w.topics[i]
	key := rng.IntN(keys)
	p := key % len(w.logs[t.Name]) // Kafka places a record by its key
	log := w.logs[t.Name][p]
	offset := int64(rng.IntN(3))
	if len(log) > 0 {
		offset += log[len(log)-1].Offset + 1
	}
	w.clock++
	r := Record{Topic: i, Partition: int32(p), Offset: offset, At: w.clock, Key: []byte("k" + strconv.Itoa(key))}
	r.Value, _ = json.Marshal(coordinates{t.Name, r.Partition, offset, string(r.Key)})
	switch {
	case t.Kind == feed.State && rng.IntN(8) == 0:
		r.Value = nil
	case rng.IntN(10) == 0: // large: rings turn over
		r.Value = append(r.Value, strings.Repeat(" ", rng.IntN(4000))...)
	}
	w.logs[t.Name][p] = append(log, r)
}

// pod is a hub with how much of the world it has read.
type pod struct {
	*Hub
	read map[string][]int
	away map[spot]bool // partitions that have no leader
}

// spot is a partition of a topic.
type spot struct{ topic, partition int }

// newPod starts a pod; of what is away it knows nothing.
func newPod(w *world, config Config, away map[spot]bool) (*pod, error) {
	h, err := New(config)
	if err != nil {
		return nil, err
	}
	p := &pod{Hub: h, read: map[string][]int{}, away: map[spot]bool{}}
	for i, t := range w.topics {
		p.read[t.Name] = make([]int, len(w.logs[t.Name]))
		if err := h.SetTopic(i, [16]byte{byte(i + 1)}, len(w.logs[t.Name])); err != nil {
			return nil, err
		}
		for part := range w.logs[t.Name] {
			if !away[spot{i, part}] {
				h.SetStart(i, int32(part), 0)
			}
		}
	}
	for at := range away {
		p.lose(at)
	}
	return p, nil
}

// lose has a partition lose its leader: nothing can be read of it.
func (p *pod) lose(at spot) {
	p.away[at] = true
	p.SetAway(at.topic, int32(at.partition), true)
}

// regain gives a partition a leader again.
func (p *pod) regain(at spot) {
	delete(p.away, at)
	p.SetAway(at.topic, int32(at.partition), false)
	p.SetStart(at.topic, int32(at.partition), 0)
}

// pull publishes up to n records of one random partition.
func (p *pod) pull(w *world, rng *rand.Rand, n int) error {
	t := w.topics[rng.IntN(len(w.topics))].Name
	part := rng.IntN(len(w.logs[t]))
	return p.pullFrom(w, t, part, n)
}

func (p *pod) pullFrom(w *world, topic string, partition, n int) error {
	if p.away[spot{p.byName[topic], partition}] {
		return nil
	}
	log, from := w.logs[topic][partition], p.read[topic][partition]
	to := min(from+n, len(log))
	p.read[topic][partition] = to
	return p.Publish(log[from:to])
}

// pullAll publishes all that there is.
func (p *pod) pullAll(w *world) error {
	for _, t := range w.topics {
		for part, log := range w.logs[t.Name] {
			if err := p.pullFrom(w, t.Name, part, len(log)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reader is a client as a user sees it: what it asked for, the bytes it was
// sent, and what it makes of them. It outlives its connections.
type reader struct {
	world  *world
	topics []string
	keys   []string // with beginnings nil too: every key
	begin  []string
	parser sse.Parser

	next   map[string][]int64 // of log topics: all before was accounted for; Absent: not known yet
	values map[string]map[string]string
	gaps   []string
	events int
	hellos int
	errs   []string
}

func newReader(w *world, sub Subscription) *reader {
	topics := sub.Topics
	r := &reader{world: w, topics: topics, keys: sub.Keys, begin: sub.Beginnings, next: map[string][]int64{}, values: map[string]map[string]string{}}
	for _, t := range topics {
		r.next[t] = slices.Repeat([]int64{Absent}, len(w.logs[t]))
		r.values[t] = map[string]string{}
	}
	return r
}

func (r *reader) wrong(format string, args ...any) {
	if len(r.errs) < 5 {
		r.errs = append(r.errs, fmt.Sprintf(format, args...))
	}
}

// take reads bytes of the stream.
func (r *reader) take(b []byte) {
	if err := r.parser.Parse(b, r.event); err != nil {
		r.wrong("parsing: %v", err)
	}
}

// reconnect returns the id to show, as a browser would.
func (r *reader) reconnect() string {
	r.parser.Reset()
	return string(r.parser.LastEventID())
}

// missed returns the records of a partition that the reader wants with from <=
// offset < to.
func (r *reader) missed(topic string, partition int, from, to int64) (n int) {
	log := r.world.logs[topic][partition]
	i, _ := slices.BinarySearchFunc(log, from, func(rec Record, o int64) int { return cmp.Compare(rec.Offset, o) })
	for ; i < len(log) && log[i].Offset < to; i++ {
		if r.wants(string(log[i].Key)) {
			n++
		}
	}
	return n
}

func (r *reader) wants(key string) bool {
	return r.keys == nil && r.begin == nil || slices.Contains(r.keys, key) ||
		slices.ContainsFunc(r.begin, func(b string) bool { return strings.HasPrefix(key, b) })
}

func (r *reader) event(e *sse.Event) {
	r.events++
	switch name := string(e.Name); name {
	case "hello", "goodbye":
		r.hellos++
		if e.HasID {
			r.wrong("%s has an id", name)
		}
	case "heartbeat":
		if !e.HasID {
			r.wrong("heartbeat without id")
		}
	case "gap":
		r.gap(e.Data)
	case "delete":
		var d struct{ Topic, Key string }
		if err := json.Unmarshal(e.Data, &d); err != nil {
			r.wrong("delete %s: %v", e.Data, err)
		}
		delete(r.values[d.Topic], d.Key)
	default:
		r.record(name, e)
	}
}

// record takes a record: of a log topic it must be the very next.
func (r *reader) record(name string, e *sse.Event) {
	data := e.Data
	var env struct{ Value json.RawMessage }
	if strings.HasPrefix(string(data), `{"topic"`) {
		if err := json.Unmarshal(data, &env); err != nil {
			r.wrong("envelope %s: %v", data, err)
		}
		data = env.Value
	}
	var c coordinates
	if err := json.Unmarshal(data, &c); err != nil || c.Topic != name || !slices.Contains(r.topics, name) {
		r.wrong("record %s of %s: %v", data, name, err)
		return
	}
	if !r.wants(c.Key) {
		r.wrong("%s: a record of key %s, which was not asked for", name, c.Key)
	}
	if !e.HasID {
		r.wrong("record without id")
	}
	if r.world.topics[r.world.ids[name]].Kind == feed.State {
		r.values[name][c.Key] = strconv.FormatInt(c.Offset, 10)
		return
	}
	next := r.next[name]
	switch from := next[c.Partition]; {
	case from == Absent:
	case c.Offset < from:
		r.wrong("%s/%d: offset %d came again, expected %d or later", name, c.Partition, c.Offset, from)
	default:
		if n := r.missed(name, int(c.Partition), from, c.Offset); n > 0 {
			r.wrong("%s/%d: %d records lost between %d and %d", name, c.Partition, n, from, c.Offset)
		}
	}
	next[c.Partition] = c.Offset + 1
}

// gap takes a gap event, and checks that it is true.
func (r *reader) gap(data []byte) {
	g := struct {
		Topic     string
		Partition *int
		Reason    GapReason
		From, To  *int64
		AtMost    *int64 `json:"at_most"`
	}{}
	if err := json.Unmarshal(data, &g); err != nil || !slices.Contains(r.topics, g.Topic) {
		r.wrong("gap %s: %v", data, err)
		return
	}
	r.gaps = append(r.gaps, string(data))
	if g.Partition == nil { // the topic begins anew
		clear(r.values[g.Topic])
		for p := range r.next[g.Topic] {
			r.next[g.Topic][p] = Absent
		}
		return
	}
	if g.From == nil {
		r.wrong("gap %s: nothing was truncated", data)
		return
	}
	next := r.next[g.Topic]
	from := next[*g.Partition]
	lost := r.missed(g.Topic, *g.Partition, max(*g.From, 0), *g.To)
	switch {
	case from != Absent && *g.From > from && r.missed(g.Topic, *g.Partition, from, *g.From) > 0:
		r.wrong("gap %s: but the reader is at %d", data, from)
	case from != Absent && *g.To < from:
		r.wrong("gap %s: but the reader is at %d already", data, from)
	case r.world.kept != nil && g.Reason == GapExpired:
		// What the log does not keep may have been markers. What it keeps is owed.
		if n := r.missed(g.Topic, *g.Partition, max(*g.From, r.world.kept[g.Topic][*g.Partition]), *g.To); n > 0 {
			r.wrong("gap %s: but the log holds %d of those", data, n)
		}
	case lost == 0 && r.keys == nil && r.begin == nil:
		r.wrong("gap %s: misses nothing", data)
	case int64(lost) > *g.AtMost:
		r.wrong("gap %s: misses %d", data, lost)
	}
	next[*g.Partition] = *g.To
}

// settle checks a reader that was sent all that there is.
func (r *reader) settle() {
	for _, t := range r.topics {
		if r.world.topics[r.world.ids[t]].Kind == feed.Log {
			for p, log := range r.world.logs[t] {
				if from := r.next[t][p]; from != Absent && len(log) > 0 {
					if n := r.missed(t, p, from, log[len(log)-1].Offset+1); n > 0 {
						r.wrong("%s/%d: %d records after %d never came", t, p, n, from)
					}
				}
			}
			continue
		}
		want := map[string]string{}
		for _, log := range r.world.logs[t] {
			for _, rec := range log {
				if key := string(rec.Key); r.wants(key) {
					want[key] = strconv.FormatInt(rec.Offset, 10)
					if rec.Value == nil {
						delete(want, key)
					}
				}
			}
		}
		if fmt.Sprint(want) != fmt.Sprint(r.values[t]) {
			r.wrong("%s: has %v, should have %v", t, r.values[t], want)
		}
	}
}
