package hub

import (
	"cmp"
	"context"
	"slices"
	"time"

	"livemap/feed"
)

// A client whose position the journals no longer hold is caught up in pages. A
// page is a prefix like any other, shared, counted and waited for like any
// other, but it ends at an id from which the next one follows, and not in the
// ring: its cut is notInRing. Between two pages a client is a cursor and an id.
// The page that reaches the journals everywhere is an ordinary prefix, planned
// under the sequencer's lock, so that history and ring meet as journal and ring
// do.
//
// Handing each client a reader of its own instead, which follows the log until it
// meets the ring, would cost a goroutine, a fetch and a buffer for each; and
// those who come back after a pod's end come all at once, to the same place.

// notInRing is the number of no frame.
const notInRing = 0

// Limits of a page.
const (
	pageShare    = 192         // of all prefixes together a page is the 192nd part, at least
	leastPage    = 64 << 10    // bytes
	maxPageScan  = 4 << 20     // bytes of records looked at for one page, wanted or not
	maxPageReads = 64          // pieces looked at for one page
	maxPageTime  = time.Second // beyond, a page is as long as it is
)

// pageBytes returns about how large a page becomes where prefixes have limit
// bytes. It counts among the large ones: those who begin fresh pass.
func pageBytes(limit int) int { return max(limit/pageShare, leastPage) }

// reach is a part of a partition that only the history has.
type reach struct {
	shelfKey
	topic    int // index into the plan's start
	from, to int64
}

// position returns where the origin stands in a log topic, or nil where that is
// of no use. Needs h.mu.
func (o *origin) position(t *topic) *idTopic {
	if o.startsFresh(t) {
		return nil
	}
	return o.id.topic(t.name)
}

// reaches returns what a client with that origin is owed and only the history
// has. Needs h.mu.
func (h *Hub) reaches(v *view, from origin) (reaches []reach) {
	if h.past == nil {
		return nil
	}
	for _, number := range v.ring.topics {
		t := h.topics[number]
		had := from.position(t)
		if t.Kind != feed.Log || had == nil || from.lapped && t.Lapped == LappedGap {
			continue
		}
		to := t.journal.floor
		if from.until != nil {
			to = nil
			if until := from.until.topic(t.name); until != nil {
				to = until.next
			}
		}
		for k := range to {
			if _, pinned := v.ring.pins.of(number, int32(k)); pinned {
				continue
			}
			r := reach{shelfKey: shelfKey{int32(number), int32(k), t.uuid}, from: max(had.at(k), 0), to: to[k]}
			if r.from < r.to {
				reaches = append(reaches, r)
			}
		}
	}
	return reaches
}

// needsPage says whether a client with that origin is owed what only the
// history has. Ranges are read from there whatever the journals hold.
func (h *Hub) needsPage(v *view, from origin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.reaches(v, from)) > 0
}

// settled returns the position that a client with that origin has in the view's
// topics: as its id says, but without what the view makes void. Needs h.mu.
func (h *Hub) settled(v *view, from origin) (at []idTopic) {
	for _, number := range v.ring.topics {
		t := h.topics[number]
		had := from.id.topic(t.name)
		if had == nil || t.Kind == feed.State && had.uuid == t.uuidHash && from.id.keys != v.hash {
			continue
		}
		at = append(at, idTopic{name: had.name, uuid: had.uuid, next: slices.Clone(had.next)})
	}
	return at
}

// openPage begins the plan of a page. Needs h.mu.
func (h *Hub) openPage(v *view, from origin, reaches []reach) *plan {
	p := &plan{view: v, cut: notInRing, start: h.settled(v, from), reaches: reaches}
	if h.past != nil {
		p.era = h.past.era.Load()
	}
	for i := range p.reaches {
		name := h.topics[p.reaches[i].shelfKey.topic].name
		p.reaches[i].topic = slices.IndexFunc(p.start, func(t idTopic) bool { return t.name == name })
	}
	return p
}

// fill reads a page. It fails with errHistory where nothing could be read; a
// partition that cannot be read holds up only those who are owed its records.
func (h *Hub) fill(ctx context.Context, p *plan) error {
	end := make([]idTopic, len(p.start))
	for i, t := range p.start {
		end[i] = idTopic{name: t.name, uuid: t.uuid, next: slices.Clone(t.next)}
	}
	f := filler{late: time.Now().Add(maxPageTime), past: h.past, plan: p, share: h.pageSize / len(p.reaches), scan: maxPageScan, reads: maxPageReads}
	f.frame = idEncoding.EncodedLen(idHeadBytes+h.idBytes(p.view)) + itemOverhead
	var failed error
	moved := false
	for n := range p.reaches {
		r := &p.reaches[n]
		at, err := f.reach(ctx, r)
		if err != nil {
			failed = err
		}
		next := &end[r.topic].next
		for len(*next) <= int(r.partition) {
			*next = append(*next, Absent)
		}
		moved = moved || at > r.from
		if at > r.from || (*next)[r.partition] != Absent {
			(*next)[r.partition] = at
		}
	}
	if !moved {
		return cmp.Or(failed, errHistory)
	}
	for i := range end { // an id has no absent partitions at its end
		for n := len(end[i].next); n > 0 && end[i].next[n-1] == Absent; n-- {
			end[i].next = end[i].next[:n-1]
		}
		grow := len(end[i].next) - len(p.start[i].next)
		p.start[i].next = append(p.start[i].next, slices.Repeat([]int64{Absent}, max(grow, 0))...)
	}
	p.head = string((&id{keys: p.view.hash, topics: end}).append(nil))
	return nil
}

// idBytes returns how many bytes the positions of a view's topics may take in an
// id.
func (h *Hub) idBytes(v *view) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, number := range v.ring.topics {
		n += idRoom(len(h.topics[number].next))
	}
	return n
}

// filler takes records of the history into a page until it is full.
type filler struct {
	past  *past
	plan  *plan
	share int // bytes of the page for each partition
	frame int // bytes of a frame beside its record
	scan  int // bytes of records that may still be looked at
	reads int // pieces that may still be looked at
	late  time.Time
}

// reach takes what the page has room for, and returns how far that goes. The
// error says why it is nothing.
func (f *filler) reach(ctx context.Context, r *reach) (int64, error) {
	at, room := r.from, f.share
	for at < r.to && room > 0 && f.scan > 0 && f.reads > 0 && (at == r.from || time.Now().Before(f.late)) {
		piece, err := f.past.at(ctx, r.shelfKey, at)
		f.reads--
		switch {
		case err != nil:
			return at, err
		case piece.next == at: // the log ends before what it is known to hold
			return at, errHistory
		case piece.gone != "":
			to := min(piece.next, r.to)
			f.add(r, item{gap: gap{topic: r.shelfKey.topic, partition: r.partition, reason: piece.gone, from: at, to: to}})
			at = to
			room -= f.frame
			continue
		}
		at = f.take(r, piece, at, &room)
	}
	return at, nil
}

// take takes the records of a piece from an offset on.
func (f *filler) take(r *reach, p *piece, at int64, room *int) int64 {
	i, _ := slices.BinarySearchFunc(p.records, at, func(rec *record, o int64) int {
		if rec.offset < o {
			return -1
		}
		return 1
	})
	for _, rec := range p.records[i:] {
		if rec.offset >= r.to {
			return r.to
		}
		f.scan -= rec.size()
		if f.plan.view.wants(rec) {
			f.add(r, item{record: rec})
			*room -= rec.size() + f.frame
		}
		if *room <= 0 || f.scan <= 0 {
			return rec.offset + 1
		}
	}
	return min(p.next, r.to)
}

// add appends an item to the page.
func (f *filler) add(r *reach, it item) {
	it.topic = r.topic
	f.plan.items = append(f.plan.items, it)
	f.plan.bytes += f.frame
	if it.record != nil {
		f.plan.bytes += it.record.size()
	}
}
