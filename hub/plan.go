package hub

import (
	"slices"

	"livemap/feed"
	"livemap/sse"
)

// origin is where a client comes from: what it says it was sent before.
type origin struct {
	id       *id    // nil: nothing
	text     string // of id
	unusable bool   // it showed an id that cannot be used
	lapped   bool   // it is connected, and the ring has left it behind
	until    *id    // where its range ends; nil: it goes on for ever
	end      string // of until
}

// plan is what a client is owed from before the head, cut at one number of the
// sequencer: prefix and ring meet there without a hole and without a repeat.
// Records never change, so that a plan is encoded without any lock.
type plan struct {
	view  *view
	start []idTopic // position before the first item, in the order of the ring's topics
	items []item
	bytes int    // estimate of the encoded size
	cut   uint64 // number of the frame to go on with; notInRing: another page follows, or none
	head  string // id of the cut
	end   bool   // nothing follows: the range is over

	reaches []reach // of a page: what it must read
	era     int64   // of a page: of the history
}

// item is a record, or a gap where record is nil.
type item struct {
	topic  int // index into start
	record *record
	gap    gap
}

// stand is how a topic stands at the cut: references to records, which never
// change. It is taken under the hub's lock; what a client is owed is worked out
// of it without.
type stand struct {
	Topic
	name    uint32 // hash
	uuid    uint32 // hash
	next    []int64
	journal journal
	table   table // without latest
	latest  []*record
}

// stand takes how t stands, as far as a client of v with that origin can be owed
// it. What the view has pinned stands where it is pinned, and has no records.
// Needs h.mu.
func (t *topic) stand(v *view, from origin, index int) stand {
	s := stand{Topic: t.Topic, name: t.name, uuid: t.uuidHash, next: slices.Clone(v.ring.pins.positions(index, t.next))}
	if t.Kind == feed.State {
		s.table.forgotten = slices.Clone(t.table.forgotten)
		s.latest = t.table.of(v)
		return s
	}
	records := t.journal.records
	if v.keys == nil && from.startsFresh(t) {
		records = records[t.journal.recent(t.Recent):]
	}
	s.journal = journal{records: slices.Clone(records), floor: slices.Clone(t.journal.floor)}
	for _, p := range v.ring.pins {
		if p.topic == index && int(p.partition) < len(s.next) {
			s.journal.floor[p.partition] = Absent
			s.journal.records = slices.DeleteFunc(s.journal.records, func(r *record) bool { return r.partition == p.partition })
		}
	}
	return s
}

// startsFresh says whether nothing of a topic is known from before. Needs h.mu.
func (o *origin) startsFresh(t *topic) bool {
	if o.unusable || o.id == nil {
		return true
	}
	had := o.id.topic(t.name)
	return had == nil || had.uuid != t.uuidHash
}

// plan works out what a client with that origin is owed. Under the lock it only
// copies references. Those who plan take turns, so that the sequencer has to
// wait for one of them at most.
func (h *Hub) plan(v *view, from origin) *plan {
	h.planning.Lock()
	h.mu.Lock()
	h.metrics.planned.Inc()
	if reaches := h.reaches(v, from); len(reaches) > 0 {
		p := h.openPage(v, from, reaches)
		h.mu.Unlock()
		h.planning.Unlock()
		return p
	}
	p := &plan{view: v, cut: v.ring.next, head: string(v.head[:]) + string(h.tail(v.ring)), end: from.until != nil}
	stands := make([]stand, len(v.ring.topics))
	for i, number := range v.ring.topics {
		stands[i] = h.topics[number].stand(v, from, number)
	}
	h.mu.Unlock()
	h.planning.Unlock()
	for i, number := range v.ring.topics {
		p.topic(&stands[i], int32(number), i, from)
	}
	if p.end {
		p.endRange(stands, from)
	}
	p.bytes += len(p.items) * (len(p.head) + itemOverhead)
	for _, it := range p.items {
		if it.record != nil {
			p.bytes += it.record.size()
		}
	}
	return p
}

// itemOverhead is what a frame of a plan needs beside its record and its id.
const itemOverhead = 64

// estimate returns about how many bytes a plan would come to, without looking
// at a record.
func (h *Hub) estimate(v *view, from origin) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reaches(v, from)) > 0 {
		return h.pageSize
	}
	idBytes, items, bytes := idHeadBytes, 0, 0
	for _, number := range v.ring.topics {
		t := h.topics[number]
		n, size := t.estimate(v, from)
		idBytes += idRoom(len(t.next))
		items, bytes = items+n, bytes+size
	}
	return bytes + items*(idEncoding.EncodedLen(idBytes)+itemOverhead)
}

// estimate returns about how many records of t a client is owed, and their
// bytes. Needs h.mu.
func (t *topic) estimate(v *view, from origin) (records, bytes int) {
	had, bytes := len(t.journal.records), t.journal.bytes
	if t.Kind == feed.State {
		had, bytes = len(t.table.latest), t.table.bytes
	}
	if had == 0 {
		return 0, 0
	}
	records = had
	if t.Kind == feed.State && v.keys != nil {
		records = min(records, len(v.keys))
	}
	switch {
	case from.lapped && t.Kind == feed.Log && t.Lapped == LappedGap: // a gap for each partition
		return len(t.next), 0
	case !from.startsFresh(t): // no more than there are offsets
		var behind int64
		last := from.id.topic(t.name)
		for k, next := range t.next {
			behind += max(next-max(last.at(k), 0), 0)
		}
		records = int(min(int64(records), behind))
	case t.Kind == feed.Log:
		records = min(records, t.Recent)
	}
	return records, bytes / had * records
}

// topic adds what is owed of one topic.
func (p *plan) topic(t *stand, number int32, i int, from origin) {
	whole := gap{topic: number, partition: -1, from: Absent, to: Absent}
	if from.unusable {
		whole.reason = GapUnknownID
		p.fresh(t, i, &whole)
		return
	}
	var had *idTopic
	if from.id != nil {
		had = from.id.topic(t.name)
	}
	switch {
	case had == nil:
		p.fresh(t, i, nil)
	case had.uuid != t.uuid:
		whole.reason = GapRecreated
		p.fresh(t, i, &whole)
	case t.Kind == feed.State && from.id.keys != p.view.hash:
		p.fresh(t, i, nil)
	case t.Kind == feed.State:
		p.changed(t, number, i, had)
	case from.until != nil: // it was sent what there is
		p.start = append(p.start, idTopic{name: had.name, uuid: had.uuid, next: slices.Clone(had.next)})
	default:
		p.continued(t, number, i, had, from.lapped)
	}
}

// fresh adds what a new client is sent: the latest record of each key, or the
// last recent records. The position of a log topic is known from the first
// frame on, so that a client cut off in between misses none.
func (p *plan) fresh(t *stand, i int, g *gap) {
	start := t.position()
	p.start = append(p.start, start) // shares next, which is settled below
	if g != nil {
		p.items = append(p.items, item{topic: i, gap: *g})
	}
	if t.Kind == feed.State {
		for k := range start.next {
			start.next[k] = Absent
		}
		p.records(i, since(t.latest, start.next), true)
	} else {
		recent := t.journal.last(t.Recent, p.view)
		for _, r := range recent {
			start.next[r.partition] = min(start.next[r.partition], r.offset)
		}
		p.records(i, recent, false)
	}
}

// changed adds the keys of a state topic that changed since.
func (p *plan) changed(t *stand, number int32, i int, had *idTopic) {
	start := t.position()
	for k := range start.next {
		start.next[k] = had.at(k)
		if start.next[k] != Absent && start.next[k] < t.table.forgotten[k] {
			p.fresh(t, i, &gap{topic: number, partition: -1, reason: GapExpired, from: Absent, to: Absent})
			return
		}
	}
	p.start = append(p.start, start)
	p.records(i, since(t.latest, start.next), true)
}

// endRange makes p end nowhere: behind it comes no ring. Its id is where a log
// topic's range ends, and the head of what else there is.
func (p *plan) endRange(stands []stand, from origin) {
	p.cut = notInRing
	end := id{keys: p.view.hash}
	for i := range stands {
		t := &stands[i]
		had := from.id.topic(t.name)
		if t.Kind == feed.Log && had != nil && had.uuid == t.uuid {
			end.topics = append(end.topics, *had)
		} else {
			end.topics = append(end.topics, t.position())
		}
	}
	p.head = string(end.append(nil))
}

// continued adds the records of a log topic since, with a gap for each
// partition whose records are not kept so far back: where there is a history a
// page came before. Who is ahead of the hub has waited for it in vain, or has seen
// a log that was cut since. A partition that is new to the client starts at 0.
func (p *plan) continued(t *stand, number int32, i int, had *idTopic, lapped bool) {
	start := t.position()
	from := make([]int64, len(start.next))
	for k := range start.next {
		start.next[k] = had.at(k)
		from[k] = max(start.next[k], 0)
	}
	skip := lapped && t.Lapped == LappedGap
	var missed []bool
	if skip {
		missed = make([]bool, len(from))
		for _, r := range t.journal.since(from, p.view) {
			missed[r.partition] = true
		}
	}
	for k, floor := range t.journal.floor {
		g := gap{topic: number, partition: int32(k), from: from[k]}
		switch {
		case skip && (missed[k] || from[k] < floor):
			g.reason, g.to = GapSlow, t.next[k]
		case from[k] < floor:
			g.reason, g.to = GapExpired, floor
		case from[k] > max(t.next[k], 0): // the log was cut while it was caught up
			g.reason, g.from, g.to = GapTruncated, Absent, max(t.next[k], 0)
		default:
			continue
		}
		p.items = append(p.items, item{topic: i, gap: g})
		from[k] = g.to
	}
	p.start = append(p.start, start)
	if !skip {
		p.records(i, t.journal.since(from, p.view), false)
	}
}

// records adds records of one topic.
func (p *plan) records(i int, records []*record, sorted bool) {
	if sorted {
		slices.SortFunc(records, byOffset)
	}
	for _, r := range records {
		it := item{topic: i, record: r}
		if r.hole > 0 {
			it = item{topic: i, gap: gap{
				topic: r.topic, partition: r.partition, reason: gapReasons[r.why], to: r.hole,
				from: max(r.offset, p.start[i].next[r.partition]),
			}}
		}
		p.items = append(p.items, it)
	}
}

// encode returns the bytes of the plan. The id of each frame is the position
// behind it.
func (p *plan) encode(topics []Topic, enc encoding) []byte {
	at := id{keys: p.view.hash, topics: p.start}
	b := make([]byte, 0, p.bytes)
	for _, it := range p.items {
		next := at.topics[it.topic].next
		if r := it.record; r != nil {
			b = appendRecord(b, &topics[r.topic], r, enc)
			next[r.partition] = max(next[r.partition], r.offset+1)
		} else {
			b = appendGap(b, topics[it.gap.topic].Name, it.gap)
			if it.gap.partition >= 0 {
				next[it.gap.partition] = it.gap.to
			}
		}
		b = append(b, idLine...)
		b = at.append(b)
		b = append(b, frameEnd...)
	}
	return b
}

// appendFinal appends a heartbeat at the cut. It ends what is sent from before
// the head: from here on the client holds the whole position, even where it was
// owed nothing.
func appendFinal(b []byte, h []byte, id string) []byte {
	b = append(b, h...)
	b = sse.AppendID(b, id)
	return sse.AppendEnd(b)
}
