package hub

import (
	"slices"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// Record is a record of a Kafka topic.
type Record struct {
	Topic     int // index into Config.Topics
	Partition int32
	Offset    int64
	At        orders.Time // Kafka's timestamp
	Key       []byte      // nil: none
	Value     []byte      // nil: a tombstone
}

// Publish appends records to the streams, in their order. It copies what it
// keeps, once where a ring and a journal can share it, never waits for a client, and drops a record that it has had: a
// partition's offsets only grow. The error is ErrTooManyKeys or ErrIDTooLong;
// records before the one at fault are published.
func (h *Hub) Publish(records []Record) error {
	arrived := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := int64(h.clock.now())
	h.arrived = arrived
	defer func() { h.arrived = time.Time{} }()
	var err error
	for i := range records {
		if err = h.publish(&records[i], now); err != nil {
			break
		}
	}
	h.wake()
	return err
}

// publish appends one record. Needs mu.
func (h *Hub) publish(rec *Record, now int64) error {
	t := h.topics[rec.Topic]
	if int(rec.Partition) >= len(t.next) {
		t.grow(int(rec.Partition) + 1)
		if err := h.checkRoom(); err != nil {
			return err
		}
	}
	if rec.Offset < t.next[rec.Partition] {
		h.metrics.repeated.Inc()
		return nil
	}
	r := recordOf(rec)
	r.published = now
	if t.Kind == feed.State { // it may be the latest of its key for ever
		r.own()
	}
	if err := t.keep(r, h.config.JournalBytes); err != nil {
		return err
	}
	t.advance(r.partition, r.offset+1)
	h.metrics.records[rec.Topic].Inc()
	for enc := range encodings {
		h.spread(rec.Topic, enc, r, now)
	}
	if t.Kind == feed.Log && r.lender == nil {
		r.own()
	}
	h.bound()
	return nil
}

// spread writes a record into the rings of one encoding. The event is made
// once; only the id differs from ring to ring. Needs mu.
func (h *Hub) spread(index int, enc encoding, r *record, now int64) {
	body := 0
	for _, ring := range h.rings {
		if ring.encoding != enc || !slices.Contains(ring.topics, index) {
			continue
		}
		if body == 0 {
			h.scratch = appendRecord(h.scratch[:0], &h.config.Topics[index], r, enc)
			h.scratch = append(h.scratch, idLine...)
			body = len(h.scratch)
		}
		h.finish(ring, body)
		// A record without a key belongs to no keyed view.
		segment, frame := ring.push(entry{
			bytes: h.scratch, id: body, key: r.key, keyless: !r.hasKey,
			mark: h.mark(ring), now: now,
		})
		if r.lender == nil && len(r.value) > 0 && h.topics[index].Kind == feed.Log {
			r.borrow(segment, frame[:body])
		}
		h.metrics.frames.Inc()
	}
}

// control writes a frame that belongs to every view into all rings, or those
// with the topic index where that is not negative. Needs mu.
func (h *Hub) control(index int, event func([]byte) []byte) {
	now := int64(h.clock.now())
	h.scratch = append(event(h.scratch[:0]), idLine...)
	body := len(h.scratch)
	for _, ring := range h.rings {
		if index >= 0 && !slices.Contains(ring.topics, index) {
			continue
		}
		h.finish(ring, body)
		ring.push(entry{bytes: h.scratch, id: body, everyone: true, mark: h.mark(ring), now: now})
		h.metrics.frames.Inc()
	}
	h.bound()
	h.wake()
}

// finish appends a ring's id to the first body bytes of the scratch.
func (h *Hub) finish(ring *ring, body int) {
	h.raw = h.raw[:0]
	for _, i := range ring.topics {
		h.raw = h.topics[i].appendSection(h.raw, ring.pins, i)
	}
	h.scratch = append(h.scratch[:body], allKeysHead...)
	h.scratch = idEncoding.AppendEncode(h.scratch, h.raw)
	h.scratch = append(h.scratch, frameEnd...)
}

// wake tells all who wait that there is more. Needs mu.
func (h *Hub) wake() {
	for _, ring := range h.rings {
		h.stirred = ring.wake(h.stirred)
	}
	for _, l := range h.stirred {
		l.stir()
	}
	clear(h.stirred)
	h.stirred = h.stirred[:0]
	h.progress.send()
}

// beat writes a heartbeat into every ring.
func (h *Hub) beat() {
	now := orders.TimeOf(time.Now())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.control(-1, func(b []byte) []byte { return appendHeartbeat(b, now) })
}
