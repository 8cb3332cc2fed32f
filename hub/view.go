package hub

import (
	"net"
	"slices"
	"sync/atomic"
)

// view is what clients of a ring see that asked for the same keys. It costs a
// list of pointers: the positions of a key's frames belong to the ring and are
// shared by all views with that key, so that ten thousand key sets do not keep
// ten thousand lists of their own.
type view struct {
	ring *ring
	name string // canonical form of keys; empty: every key
	keySet
	hash  keyHash          // of keys
	head  [idHeadText]byte // how the ids of this view begin
	posts []*posting       // of keys and beginnings, and of everyone; nil: every key

	clients int // owned by the sequencer

	dirty     bool        // guarded by ring.mu
	news      broadcast   // sent by the sequencer under ring.mu
	listeners []*listener // guarded by ring.mu
}

// listener is somebody who looks after many clients of a view and wants to be
// told of news by a call, which must not wait. The sequencer makes it, with the
// ring's lock free; it may come once more after unlisten.
type listener struct{ stir func() }

// listen adds a listener.
func (v *view) listen(l *listener) {
	v.ring.mu.Lock()
	defer v.ring.mu.Unlock()
	v.listeners = append(v.listeners, l)
}

// unlisten takes a listener out.
func (v *view) unlisten(l *listener) {
	v.ring.mu.Lock()
	defer v.ring.mu.Unlock()
	v.listeners = slices.DeleteFunc(v.listeners, func(other *listener) bool { return other == l })
}

// posting lists the frames of a ring that have the same key.
type posting struct {
	key     string
	frames  []uint64 // numbers, oldest first
	evicted uint64   // the newest that was dropped
	views   []*view  // that want this key
}

func (p *posting) evictOldest() {
	p.evicted = p.frames[0]
	p.frames = p.frames[1:]
}

// unused says whether nothing is lost by forgetting p.
func (p *posting) unused() bool { return len(p.frames) == 0 && len(p.views) == 0 }

// from returns the index of the first frame numbered n or higher.
func (p *posting) from(n uint64) int {
	// A client nearly always wants the newest few: look from the end.
	i := len(p.frames)
	for i > 0 && len(p.frames)-i < 8 && p.frames[i-1] >= n {
		i--
	}
	if i == 0 || p.frames[i-1] < n {
		return i
	}
	i, _ = slices.BinarySearch(p.frames[:i], n)
	return i
}

// posting returns the list of a key. Needs mu.
func (r *ring) posting(key string) *posting {
	p := r.postings[key]
	if p == nil {
		p = &posting{key: key}
		r.postings[key] = p
	}
	return p
}

// addView makes the view of a key set known to the ring. Called by the
// sequencer.
func (r *ring) addView(name string, set keySet) *view {
	v := &view{ring: r, name: name, keySet: set, hash: set.hash()}
	copy(v.head[:], appendIDHead(nil, v.hash))
	v.news.init()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views[name] = v
	if set.keys == nil {
		r.all = v
		return v
	}
	want := func(p *posting) {
		p.views = append(p.views, v)
		v.posts = append(v.posts, p)
	}
	for _, k := range set.keys {
		want(r.posting(k))
	}
	for _, b := range set.beginnings {
		want(r.beginning(b))
	}
	v.posts = append(v.posts, &r.everyone)
	return v
}

// removeView forgets a view without clients. Called by the sequencer.
func (r *ring) removeView(v *view) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.views, v.name)
	if r.all == v {
		r.all = nil
	}
	for _, p := range v.posts {
		if i := slices.Index(p.views, v); i >= 0 {
			p.views = slices.Delete(p.views, i, i+1)
		}
		r.forgetUnused(p)
	}
	r.dropBeginnings(v)
	r.dirty = slices.DeleteFunc(r.dirty, func(d *view) bool { return d == v })
}

// wants says whether records with that key belong to the view.
func (v *view) wants(r *record) bool {
	if v.keys == nil || r.hole > 0 { // a hole may have held any key
		return true
	}
	if !r.hasKey {
		return false
	}
	_, ok := slices.BinarySearch(v.keys, r.key)
	return ok || begins(v.beginnings, r.key)
}

// outcome is what a look into the ring came to.
type outcome uint8

const (
	waiting outcome = iota // nothing new: wait for the broadcast
	some                   // there is something to send
	lapped                 // frames that the client had not got are gone
)

// batch is what goes out in one write: slices of segments, of the view's head
// and of a prefix. It is reused and grows to what one write holds.
type batch struct {
	slices [][]byte
	bytes  int
	frames int
	// at are the places in the postings of a keyed view
	at []int
	// last is the tail of the newest frame's id in the batch; nil: none.
	last []byte
	runs []run
	head uint64 // the number that the ring's next frame had
	out  net.Buffers
}

func (b *batch) reset() {
	clear(b.slices)
	clear(b.runs)
	b.slices, b.bytes, b.frames, b.last, b.runs = b.slices[:0], 0, 0, nil, b.runs[:0]
}

// add appends p to what is sent.
func (b *batch) add(p []byte) {
	b.slices = append(b.slices, p)
	b.bytes += len(p)
}

// collect gathers what the view has from frame n on, as much as one write
// takes. It returns the number to ask for next time and, with waiting, the
// channel that is closed when there is more.
func (v *view) collect(n uint64, b *batch) (uint64, outcome, <-chan struct{}) {
	v.ring.mu.RLock()
	defer v.ring.mu.RUnlock()
	next, result := v.look(n, b)
	if result == waiting {
		return next, waiting, v.news.wait()
	}
	return next, result, nil
}

// peek is collect for who is told of news another way.
func (v *view) peek(n uint64, b *batch) (uint64, outcome) {
	v.ring.mu.RLock()
	defer v.ring.mu.RUnlock()
	return v.look(n, b)
}

// look does the work of collect. Needs ring.mu.
func (v *view) look(n uint64, b *batch) (next uint64, result outcome) {
	b.head = v.ring.next
	switch {
	case v.keys == nil:
		if n < v.ring.first {
			return n, lapped
		}
		next = v.ring.collectAll(n, b)
	default:
		for _, p := range v.posts {
			if p.evicted >= n {
				return n, lapped
			}
		}
		next = v.collectKeys(n, b)
	}
	if b.frames == 0 {
		return next, waiting
	}
	return next, some
}

// collectAll gathers whole runs of frames, one slice a segment.
func (r *ring) collectAll(n uint64, b *batch) uint64 {
	for n < r.next && b.bytes < maxWriteBytes {
		s := r.segments[r.segmentOf(n)]
		i := int(n - s.first)
		from, last := s.start(i), len(s.frames)-1
		for last > i && b.bytes+int(s.frames[last].end-from) > maxWriteBytes {
			last = i + (last-i)/2
		}
		b.add(s.data[from:s.frames[last].end])
		b.last = s.idTail(last)
		b.frames += last - i + 1
		b.runs = append(b.runs, run{s, i, last + 1, b.bytes})
		n += uint64(last - i + 1)
	}
	return n
}

// collectKeys gathers the frames of the view's keys in their order, each with
// the view's own head in its id. A frame's end and the next frame's beginning
// go as one slice where they lie side by side.
func (v *view) collectKeys(n uint64, b *batch) uint64 {
	b.at = b.at[:0]
	for _, p := range v.posts {
		b.at = append(b.at, p.from(n))
	}
	var seg *segment
	var behind uint32 // end of the frame before in seg
	for b.bytes < maxWriteBytes && b.frames < maxWriteFrames {
		number, ok := v.nextFrame(b.at)
		if !ok {
			return v.ring.next
		}
		if seg == nil || number >= seg.first+uint64(len(seg.frames)) {
			seg, behind = v.ring.segments[v.ring.segmentOf(number)], 0
		}
		i := int(number - seg.first)
		f, start := seg.frames[i], seg.start(i)
		if k := len(b.slices) - 1; behind != 0 && behind == start {
			b.slices[k] = seg.data[int(behind)-len(b.slices[k]) : f.id]
			b.bytes += int(f.id - start)
		} else {
			b.add(seg.data[start:f.id])
		}
		b.add(v.head[:])
		b.add(seg.data[f.id+idHeadText : f.end])
		b.last = seg.idTail(i)
		behind = f.end
		b.frames++
		b.runs = append(b.runs, run{seg, i, i + 1, b.bytes})
		n = number + 1
	}
	return n
}

// nextFrame returns the lowest number among the places at in the postings, and
// moves beyond it.
func (v *view) nextFrame(at []int) (uint64, bool) {
	best := -1
	var number uint64
	for k, p := range v.posts {
		if at[k] < len(p.frames) && (best < 0 || p.frames[at[k]] < number) {
			best, number = k, p.frames[at[k]]
		}
	}
	if best < 0 {
		return 0, false
	}
	at[best]++
	return number, true
}

// broadcast wakes all who wait, without knowing them. The owner's lock guards
// send; wait needs at least its read lock.
type broadcast struct {
	waited atomic.Bool
	ch     chan struct{}
}

func (b *broadcast) init() { b.ch = make(chan struct{}) }

// wait returns a channel that the next send closes.
func (b *broadcast) wait() <-chan struct{} {
	b.waited.Store(true)
	return b.ch
}

// send wakes the waiting. Without any it costs nothing.
func (b *broadcast) send() {
	if b.waited.Swap(false) {
		close(b.ch)
		b.ch = make(chan struct{})
	}
}
