package hub

import (
	"encoding/binary"
	"slices"

	"livemap/feed"
)

// A partition without a leader can be read by nobody. A hub that was started
// meanwhile knows nothing of it, and one that was not may have read less of it
// than a client, or no longer hold what a client is owed. Such a client need not
// wait for its other partitions: its position in the one that is away is pinned.
// It is served from a ring whose ids keep that position instead of the hub's own,
// so that the client, wherever it comes back, continues there. Nothing of a
// pinned partition is in what the ring's clients are sent.
//
// When the partition has a leader again the rings with pins for it are over:
// their clients are asked to come back, and go on as anybody does. Keeping the
// position with each client instead would make the id of every frame the
// client's own, and frames are shared.

// maxPinnedRings bounds the rings with pins: those who were caught up when the
// leader was lost stand at the same place, so that there are few. Beyond, a client
// waits as for a hub that is behind.
const maxPinnedRings = 16

// pin is a position in a partition that is away.
type pin struct {
	topic     int
	partition int32
	next      int64
}

// pins are in the order of topics and partitions.
type pins []pin

// of returns the position pinned in a partition.
func (p pins) of(topic int, partition int32) (next int64, ok bool) {
	for _, q := range p {
		if q.topic == topic && q.partition == partition {
			return q.next, true
		}
	}
	return 0, false
}

// name tells pins apart. It begins, if there are any, with a zero in a longer form
// than a number is ever written in, so that it can stand behind a ring's name.
func (p pins) name() string {
	if len(p) == 0 {
		return ""
	}
	b := []byte{0x80, 0x00}
	for _, q := range p {
		b = binary.AppendUvarint(b, uint64(q.topic))
		b = binary.AppendUvarint(b, uint64(q.partition))
		b = binary.AppendUvarint(b, uint64(q.next+1))
	}
	return string(b)
}

// positions returns next with what is pinned of a topic in its place, and next
// itself where nothing is.
func (p pins) positions(topic int, next []int64) []int64 {
	copied := false
	for _, q := range p {
		if q.topic != topic || int(q.partition) >= len(next) {
			continue
		}
		if !copied {
			next, copied = slices.Clone(next), true
		}
		next[q.partition] = q.next
	}
	return next
}

// SetAway tells the hub that a partition has no leader, or has one again.
func (h *Hub) SetAway(index int, partition int32, away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[index]
	if partition < 0 || int(partition) >= len(t.next) || t.away[partition] == away {
		return
	}
	if away {
		if t.away == nil {
			t.away = map[int32]bool{}
		}
		t.away[partition] = true
		return
	}
	delete(t.away, partition)
	h.unpin(func(p pin) bool { return p.topic == index && p.partition == partition })
}

// pinned returns what a client with that origin has to have pinned. Needs mu.
func (h *Hub) pinned(topics []int, set keySet, from *id) (all pins) {
	if from == nil {
		return nil
	}
	for _, i := range topics {
		t := h.topics[i]
		had := from.topic(t.name)
		if had == nil || had.uuid != t.uuidHash || t.Kind == feed.State && from.keys != set.hash() {
			continue // it starts fresh
		}
		for k, next := range t.next {
			at := had.at(k)
			lacks := t.Kind == feed.Log && h.past != nil && max(at, 0) < t.journal.floor[k]
			if t.away[int32(k)] && (at > next || lacks) {
				all = append(all, pin{i, int32(k), at})
			}
		}
	}
	return all
}

// pinnedRings returns how many rings have pins. Needs mu.
func (h *Hub) pinnedRings() (n int) {
	for _, r := range h.rings {
		if r.pins != nil {
			n++
		}
	}
	return n
}

// unpin ends the rings with a pin of that kind: nothing is written to them any
// more, and their clients leave. Needs mu.
func (h *Hub) unpin(gone func(pin) bool) {
	for name, r := range h.rings {
		if slices.ContainsFunc(r.pins, gone) {
			h.dropRing(name)
			close(r.over)
			h.shards.leave(r)
		}
	}
}

// isOver says whether the ring's clients have to leave.
func (r *ring) isOver() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}
