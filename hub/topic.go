package hub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"livemap/feed"
)

// ErrIDTooLong says that the ids of the configured topics, with as many
// partitions as they have, would exceed MaxIDBytes. It is a matter of
// configuration: serve fewer topics or partitions from one hub.
var ErrIDTooLong = errors.New("hub: ids would be too long")

// ErrTooManyKeys says that a state topic has more than MaxKeysPerTopic keys.
var ErrTooManyKeys = errors.New("hub: state topic has too many keys")

// topic is what the hub knows of one topic. It is owned by the sequencer.
type topic struct {
	Topic // immutable

	name     uint32 // hash, immutable
	uuid     [16]byte
	uuidHash uint32
	named    bool // SetTopic was called

	next    []int64        // per partition, or Absent
	away    map[int32]bool // partitions without a leader
	section []byte         // its part of an id
	stale   bool           // section is to be made anew
	mark    mark           // sum of next+1

	journal journal // log topics
	table   table   // state topics
}

func newTopic(t Topic) *topic {
	return &topic{
		Topic: t, name: hashName(t.Name), uuidHash: hashUUID([16]byte{}), stale: true,
		table: table{latest: map[string]*record{}},
	}
}

// grow makes room for partitions, of which nothing was delivered yet.
func (t *topic) grow(partitions int) {
	for len(t.next) < partitions {
		t.next = append(t.next, Absent)
		t.journal.floor = append(t.journal.floor, Absent)
		t.table.forgotten = append(t.table.forgotten, 0)
	}
}

// advance moves a partition's next offset.
func (t *topic) advance(partition int32, next int64) {
	t.mark += mark(next - t.next[partition])
	t.next[partition] = next
	t.stale = true
}

// recreate forgets all: the topic was deleted and made again.
func (t *topic) recreate(uuid [16]byte) {
	t.uuid, t.uuidHash = uuid, hashUUID(uuid)
	t.next, t.away, t.stale, t.mark = nil, nil, true, 0
	t.journal = journal{}
	t.table = table{latest: map[string]*record{}}
}

// position returns the topic's head as part of an id.
func (t *stand) position() idTopic {
	return idTopic{name: t.name, uuid: t.uuid, next: slices.Clone(t.next)}
}

// appendSection appends the topic's head, and in its place what is pinned, as part
// of an id in binary form. Its index is the topic's.
func (t *topic) appendSection(b []byte, p pins, index int) []byte {
	if p != nil {
		return appendTopic(b, t.name, t.uuidHash, p.positions(index, t.next))
	}
	if t.stale {
		t.section, t.stale = appendTopic(t.section[:0], t.name, t.uuidHash, t.next), false
	}
	return append(b, t.section...)
}

// keep puts a record where joining and returning clients find it.
func (t *topic) keep(r *record, journalBytes int) error {
	if t.Kind == feed.Log {
		t.journal.add(r, journalBytes, t.MaxAge, t.Recent)
		return nil
	}
	if !t.table.put(r) {
		return fmt.Errorf("%w: topic %s, limit %d", ErrTooManyKeys, t.Name, MaxKeysPerTopic)
	}
	return nil
}

// journal holds the newest records of a log topic in the order in which they
// came. Rings come and go with their clients; the journal is what a client
// continues from when no ring has its position.
type journal struct {
	records []*record
	bytes   int
	floor   []int64 // per partition: every record from this offset on is here; or Absent
}

// add appends r and drops the oldest records beyond bytes and age, but never
// the last recent ones.
func (j *journal) add(r *record, maxBytes int, maxAge time.Duration, recent int) {
	if j.floor[r.partition] == Absent {
		j.floor[r.partition] = r.offset
	}
	j.records = append(j.records, r)
	j.bytes += r.size()
	oldest := r.published - maxAge.Milliseconds()
	for len(j.records) > max(recent, 1) && (j.bytes > maxBytes || j.records[0].published < oldest) {
		gone := j.records[0]
		j.bytes -= gone.size()
		j.floor[gone.partition] = gone.end()
		j.records[0] = nil
		j.records = j.records[1:]
	}
}

// reclaim copies the values that the journal has borrowed from a segment which its
// ring gives up. As rings forget no sooner than journals do, as a rule there are
// none left.
func (j *journal) reclaim(s *segment) {
	i, _ := slices.BinarySearchFunc(j.records, s.born, func(r *record, born int64) int { return cmp.Compare(r.published, born) })
	for ; i < len(j.records) && j.records[i].published <= s.last; i++ {
		if j.records[i].lender == s {
			r := *j.records[i] // others may be reading it
			r.own()
			j.records[i] = &r
		}
	}
}

// lose marks a hole in a partition: what lies before stays, and who continues
// from there is told.
func (j *journal) lose(hole *record, maxBytes int, maxAge time.Duration, recent int) {
	if floor := j.floor[hole.partition]; floor == Absent || floor >= hole.offset {
		j.floor[hole.partition] = hole.hole // nothing lies before
		return
	}
	j.add(hole, maxBytes, maxAge, recent)
}

// truncate forgets the records of a partition from an offset on: others will
// take their offsets.
func (j *journal) truncate(partition int32, to int64) {
	for i, r := range j.records {
		if r.partition == partition && r.offset < to && r.hole > to { // it ends earlier now
			shorter := *r
			shorter.hole = to
			j.records[i] = &shorter
		}
	}
	j.records = slices.DeleteFunc(j.records, func(r *record) bool {
		gone := r.partition == partition && r.offset >= to
		if gone {
			j.bytes -= r.size()
		}
		return gone
	})
	j.floor[partition] = min(j.floor[partition], to)
}

// recent returns the index behind which the newest n records lie.
func (j *journal) recent(n int) int {
	i := len(j.records)
	for i > 0 && n > 0 {
		i--
		if j.records[i].hole == 0 {
			n--
		}
	}
	return i
}

// last returns the newest n records that v wants, oldest first, with the holes
// between them.
func (j *journal) last(n int, v *view) []*record {
	var found []*record
	records := 0 // of found, up to and with the oldest record
	for i := len(j.records) - 1; i >= 0 && n > 0; i-- {
		r := j.records[i]
		if !v.wants(r) {
			continue
		}
		found = append(found, r)
		if r.hole == 0 {
			records = len(found)
			n--
		}
	}
	found = found[:records]
	slices.Reverse(found)
	return found
}

// since returns the records that v wants from a position on, in order. An
// absent partition counts from 0.
func (j *journal) since(next []int64, v *view) []*record {
	var found []*record
	for _, r := range j.records {
		if r.end() > next[r.partition] && v.wants(r) {
			found = append(found, r)
		}
	}
	return found
}

// table holds the latest record of each key of a state topic, deleted keys
// included: a client that comes back must hear of those too.
type table struct {
	latest    map[string]*record
	bytes     int       // of latest
	deleted   []*record // oldest first; some may be written again since
	tombs     int       // keys of latest that are deleted
	forgotten []int64   // per partition: deletes below this offset are not known
}

// put makes r the latest of its key. It reports false, and keeps nothing, when
// there are too many keys.
func (t *table) put(r *record) bool {
	old := t.latest[r.key]
	if old == nil && !r.tombstone && len(t.latest)-t.tombs >= MaxKeysPerTopic {
		return false
	}
	if old != nil && old.tombstone {
		t.tombs--
	}
	if old != nil {
		t.bytes -= old.size()
	}
	t.latest[r.key] = r
	t.bytes += r.size()
	if r.tombstone {
		t.tombs++
		t.deleted = append(t.deleted, r)
		t.forget()
	}
	return true
}

// forget drops the oldest deletes beyond MaxTombstones.
func (t *table) forget() {
	for len(t.deleted) > MaxTombstones {
		r := t.deleted[0]
		t.deleted[0] = nil
		t.deleted = t.deleted[1:]
		if t.latest[r.key] == r {
			delete(t.latest, r.key)
			t.bytes -= r.size()
			t.tombs--
			t.forgotten[r.partition] = r.offset + 1
		}
	}
}

// of returns the latest records that v wants, in no order.
func (t *table) of(v *view) []*record {
	var found []*record
	if v.keys != nil && len(v.beginnings) == 0 {
		for _, k := range v.keys {
			if r := t.latest[k]; r != nil {
				found = append(found, r)
			}
		}
		return found
	}
	for _, r := range t.latest {
		if v.wants(r) {
			found = append(found, r)
		}
	}
	return found
}

// since returns those of latest from a position on. Of a partition that is
// absent nothing was delivered: its deletes concern nobody.
func since(latest []*record, next []int64) []*record {
	return slices.DeleteFunc(latest, func(r *record) bool {
		from := next[r.partition]
		return r.offset < from || r.tombstone && from == Absent
	})
}

// byOffset orders the records of one topic.
func byOffset(a, b *record) int {
	return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
}
