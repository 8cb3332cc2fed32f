// Package hub turns records of Kafka topics into streams of events, once for
// all clients. Start at [New], [Hub.Publish] and [Hub.Join].
//
// One sequencer ([Hub.Publish] and its sisters, called by one goroutine at a
// time) writes each record as a frame into a [ring] per (topics, encoding).
// A [view] is a ring and a set of keys. A [Client] is a cursor into a view:
// what lies between the cursor and the ring's head goes out in one write. What
// a joining client needs from before the head is a [prefix], built once and
// shared. There is no queue, channel or buffer of records per client, so that
// one who reads slowly costs the others nothing.
//
// Clients are driven in one of two ways. Where there is epoll a socket is handed
// over to a shard ([Client.HandOver]): a loop that owns thousands of them, to
// which each is a slot of 64 bytes. Everywhere, and for streams that are
// not sockets, a goroutine walks the same cursor ([Client.Serve]) and bytes leave
// through a [Sink].
//
// What a client is owed is found, in this order, in its ring (resume in walker.go),
// in the journals and tables of the topics (plan.go), and in the [History] behind
// those, in pages (page.go, catchup.go; spans of time: span.go).
//
// The package knows no Kafka: records come in by Publish, older ones by History.
// It never looks inside a value.
package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"livemap/feed"
)

// Hub serves topics to clients. Its methods are safe for concurrent use, but
// Publish, SetTopic and SetStart must come from one goroutine at a time: their
// order is the order of the streams.
type Hub struct {
	// immutable
	config   Config
	metrics  *metrics
	clock    clock
	byName   map[string]int
	pageSize int // bytes, about

	planning sync.Mutex // held by the one who plans; taken before mu

	mu       sync.Mutex // the sequencer; taken before any ring's lock
	topics   []*topic
	rings    map[string]*ring // by ringName
	views    int
	ready    bool
	arrived  time.Time   // when the records being published came; zero: none are
	progress broadcast   // sent when positions advanced
	scratch  []byte      // of publish: the frame being made
	raw      []byte      // of publish: the binary id being made
	stirred  []*listener // of wake

	past     *past // nil: nothing is known but what the journals hold; its lock is taken last
	builders builders
	prefixes *prefixes
	clients  clients
	shards   shards
}

// New returns a hub, or all that is wrong with its configuration.
func New(config Config) (*Hub, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	h := &Hub{
		config:  config,
		byName:  map[string]int{},
		rings:   map[string]*ring{},
		metrics: newMetrics(),
		clock:   newClock(),
	}
	if config.History != nil {
		h.past = newPast(config.History, config.HistoryBytes, h.metrics)
	}
	h.builders.init()
	h.pageSize = pageBytes(config.PrefixBytes)
	h.prefixes = newPrefixes(config.PrefixBytes, h.past)
	h.clients.init()
	h.shards.init(h, config.Shards)
	h.progress.init()
	for i, t := range config.Topics {
		h.byName[t.Name] = i
		h.topics = append(h.topics, newTopic(t))
	}
	if err := h.checkRoom(); err != nil {
		return nil, err
	}
	h.metrics.observe(h)
	return h, nil
}

// Topics returns the topics in the order of the configuration, with defaults
// filled in.
func (h *Hub) Topics() []Topic { return slices.Clone(h.config.Topics) }

// Heartbeat returns the time between two heartbeats.
func (h *Hub) Heartbeat() time.Duration { return h.config.Heartbeat }

// checkRoom says whether an id of all topics fits into MaxIDBytes.
func (h *Hub) checkRoom() error {
	room := idHeadBytes
	for _, t := range h.topics {
		room += idRoom(max(len(t.next), 1))
	}
	if room > maxIDRaw {
		return fmt.Errorf("%w: %d topics with their partitions need %d bytes of %d", ErrIDTooLong, len(h.topics), room, maxIDRaw)
	}
	return nil
}

// SetTopic tells the hub a topic's UUID and how many partitions it has. Another
// UUID than before means that the topic was recreated: clients are told, and
// its positions begin anew. More partitions than before start at 0. The error
// is ErrIDTooLong.
func (h *Hub) SetTopic(index int, uuid [16]byte, partitions int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[index]
	recreated := t.named && t.uuid != uuid
	if recreated {
		t.recreate(uuid)
		h.unpin(func(p pin) bool { return p.topic == index })
	} else if !t.named {
		t.named, t.uuid, t.uuidHash, t.stale = true, uuid, hashUUID(uuid), true
	}
	t.grow(min(partitions, maxPartitions))
	if err := h.checkRoom(); err != nil {
		return err
	}
	if recreated {
		h.metrics.gap(GapRecreated)
		h.control(index, func(b []byte) []byte {
			return appendGap(b, t.Name, gap{partition: -1, reason: GapRecreated, from: Absent, to: Absent})
		})
		for _, r := range h.rings {
			if slices.Contains(r.topics, index) {
				r.forgetIDs()
			}
		}
		h.past.forget(int32(index))
	}
	h.progress.send()
	return nil
}

// SetStart tells the hub that a partition is read from offset on: all records
// from there will be published. Without it the first record stands for the
// start. It counts only before that record.
func (h *Hub) SetStart(index int, partition int32, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[index]
	if partition < 0 || int(partition) >= maxPartitions || offset < 0 {
		return
	}
	t.grow(int(partition) + 1)
	if t.next[partition] == Absent {
		t.advance(partition, offset)
		t.journal.floor[partition] = offset
	}
}

// SetLost tells the hub that the log does not hold what comes next in a
// partition: reading goes on at to. Clients are told. Where to is below the
// position the log was truncated, and offsets repeat from there.
func (h *Hub) SetLost(index int, partition int32, from, to int64) {
	h.lose(index, partition, from, to, GapExpired)
}

// SetDamaged tells the hub that nobody can decode what a partition holds from
// one offset up to another. Clients are told, of state topics as well: a value
// may be out of date.
func (h *Hub) SetDamaged(index int, partition int32, from, to int64) {
	h.lose(index, partition, from, to, GapReset)
}

func (h *Hub) lose(index int, partition int32, from, to int64, reason GapReason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[index]
	if partition < 0 || int(partition) >= len(t.next) || to < 0 {
		return
	}
	g := gap{topic: int32(index), partition: partition, reason: reason, from: from, to: to}
	truncated := to < t.next[partition]
	if truncated {
		g.reason, g.from = GapTruncated, Absent
	}
	t.advance(partition, to)
	if !truncated && t.Kind == feed.Log {
		hole := &record{topic: int32(index), partition: partition, offset: from, hole: to, why: gapIndex(reason), published: int64(h.clock.now())}
		t.journal.lose(hole, h.config.JournalBytes, t.MaxAge, t.Recent)
	}
	if t.Kind == feed.Log || reason == GapReset { // of a state topic the latest of each key stands, or is read again
		h.metrics.gap(g.reason)
		h.control(index, func(b []byte) []byte { return appendGap(b, t.Name, g) })
	}
	if !truncated {
		return
	}
	t.journal.truncate(partition, to)
	h.past.forget(int32(index))
	for _, r := range h.rings {
		if slices.Contains(r.topics, index) {
			r.forgetIDs()
		}
	}
}

// SetReady says that all partitions were read as far as they went.
func (h *Hub) SetReady() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = true
}

// Ready says whether SetReady was called.
func (h *Hub) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// Latest returns the latest value of a key of a state topic, and the offset and
// partition it stands at. It reports false when there is none.
func (h *Hub) Latest(index int, key string) (Record, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.topics[index].table.latest[key]
	if r == nil || r.tombstone {
		return Record{}, false
	}
	return Record{Topic: index, Partition: r.partition, Offset: r.offset, At: r.at, Key: []byte(r.key), Value: r.value}, true
}

// tail returns the characters of a ring's current id behind its head. Needs mu.
func (h *Hub) tail(r *ring) []byte {
	h.raw = h.raw[:0]
	for _, i := range r.topics {
		h.raw = h.topics[i].appendSection(h.raw, r.pins, i)
	}
	return idEncoding.AppendEncode(nil, h.raw)
}

// mark returns a ring's current mark. Needs mu.
func (h *Hub) mark(r *ring) (m mark) {
	for _, i := range r.topics {
		m += h.topics[i].mark
	}
	for _, p := range r.pins {
		m += mark(p.next - h.topics[p.topic].next[p.partition])
	}
	return m
}

// ringName is what tells rings apart: the encoding, then each topic's index.
func ringName(topics []int, enc encoding) string {
	b := []byte{byte(enc)}
	for _, i := range topics {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return string(b)
}

// viewName is what tells the views of a ring apart.
func viewName(keys []string, beginnings ...string) string {
	return string(appendKeys(nil, keys, beginnings))
}

var errTooManyViews = errors.New("hub: too many different requests at once")

// enter returns the view for topics and keys and counts a client in. Needs mu.
func (h *Hub) enter(topics []int, set keySet, enc encoding, p pins) (*view, error) {
	name := ringName(topics, enc) + p.name()
	r := h.rings[name]
	if r == nil && p != nil && h.pinnedRings() >= maxPinnedRings {
		p, name = nil, ringName(topics, enc)
		r = h.rings[name]
	}
	if r == nil {
		if len(h.rings) >= MaxRings && !h.dropIdleRing() {
			return nil, errTooManyViews
		}
		var age time.Duration
		for _, i := range topics {
			age = max(age, h.topics[i].MaxAge)
		}
		r = newRing(topics, enc, h.config.RingBytes, age)
		r.reclaim = func(s *segment) { h.reclaim(r, s) }
		if p != nil {
			r.pins, r.over = p, make(chan struct{})
		}
		h.rings[name] = r
	}
	keys := viewName(set.keys, set.beginnings...)
	v := r.views[keys]
	if v == nil {
		if h.views >= MaxViews {
			return nil, errTooManyViews
		}
		v = r.addView(keys, set)
		h.views++
	}
	v.clients++
	return v, nil
}

// leave counts a client out.
func (h *Hub) leave(v *view) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v.clients--
	if v.clients > 0 {
		return
	}
	v.ring.removeView(v)
	h.views--
	h.prefixes.forget(v)
	if len(v.ring.views) == 0 {
		v.ring.idle = time.Now()
	}
}

// dropIdleRing makes room for another ring. Needs mu.
func (h *Hub) dropIdleRing() bool {
	var oldest string
	for name, r := range h.rings {
		if len(r.views) == 0 && (oldest == "" || r.idle.Before(h.rings[oldest].idle)) {
			oldest = name
		}
	}
	if oldest == "" {
		return false
	}
	h.dropRing(oldest)
	return true
}

// dropRing gives up a ring. Needs mu.
func (h *Hub) dropRing(name string) {
	r := h.rings[name]
	delete(h.rings, name)
	for _, s := range r.segments { // written only by the sequencer, which holds h.mu
		h.reclaim(r, s)
	}
}

// reclaim has the journals keep for themselves what they still need of a segment
// that its ring gives up. Needs mu.
func (h *Hub) reclaim(r *ring, s *segment) {
	for _, i := range r.topics {
		h.topics[i].journal.reclaim(s)
	}
}

// bound keeps all rings together within their bytes: those that nobody uses go
// first, then the oldest segment of whichever ring is largest. A ring's newest
// segment stays, so that MaxRings of those is the least. Needs mu.
func (h *Hub) bound() {
	total := 0
	for _, r := range h.rings {
		total += r.bytes
	}
	for total > h.config.RingsBytes {
		var largest *ring
		for name, r := range h.rings {
			if len(r.views) == 0 {
				total -= r.bytes
				h.dropRing(name)
			} else if len(r.segments) > 1 && (largest == nil || r.bytes > largest.bytes) {
				largest = r
			}
		}
		if total <= h.config.RingsBytes || largest == nil {
			return
		}
		total -= largest.shorten()
	}
}

// Run sends heartbeats and ends streams whose time has come, until ctx is done;
// then it ends all streams and returns when the last client is gone. It returns
// nil, or says why it could not begin or go on.
func (h *Hub) Run(ctx context.Context) error {
	defer h.builders.start()()
	stop, failed, err := h.shards.start()
	if err != nil {
		return err
	}
	defer stop()
	heartbeat := time.NewTicker(h.config.Heartbeat)
	defer heartbeat.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	tidy := newTidy()
	for {
		select {
		case <-ctx.Done():
			h.endAll()
			return nil
		case err := <-failed:
			h.endAll()
			return fmt.Errorf("hub: %w", err)
		case <-heartbeat.C:
			h.beat()
		case now := <-second.C:
			h.clients.expire(h.clock.now())
			h.sweep(now)
			tidy.tick(now, h.clients.handedOver())
		}
	}
}

// endAll ends all streams without a delay.
func (h *Hub) endAll() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	h.Drain(ended, 0)
}

// sweep gives up rings that nobody has used for a while.
func (h *Hub) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, r := range h.rings {
		if len(r.views) == 0 && now.Sub(r.idle) > idleRingLifetime {
			h.dropRing(name)
		}
	}
}

// between returns a random duration from low to high.
func between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + rand.N(high-low) // #nosec G404 -- spreads load, no secret
}
