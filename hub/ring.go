package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// segmentBytes is how much of a ring is allocated, and given up, at once.
const segmentBytes = 64 << 10

// ring holds the frames of one set of topics in one encoding, encoded once and
// shared by all clients. Frames are numbered from 1 without holes; the oldest
// leave when the ring grows beyond its bytes or its age.
//
// Its memory is a row of segments that are only ever appended to, not one
// buffer written over in a circle. With a circle, a writer would have to copy
// what it sends or hold the lock while a socket takes it. A slice of a segment
// stays true for as long as somebody holds it, even when the ring has long
// dropped the segment; then the collector frees it.
type ring struct {
	// immutable
	topics   []int // indexes into the hub's topics, ascending
	encoding encoding
	maxBytes int
	maxAge   time.Duration
	reclaim  func(*segment) // told of each segment before it is given up, by the sequencer; nil in tests
	pins     pins           // positions that its ids keep; as a rule none
	over     chan struct{}  // closed when its clients have to leave; nil where nothing is pinned

	// owned by the sequencer
	views map[string]*view // by canonical key set
	all   *view            // the view of every key; nil without clients
	idle  time.Time        // since when no view was left

	head atomic.Uint64 // next, for who wants to know without a lock whether there is news

	mu       sync.RWMutex // guards what follows; Lock only by the sequencer
	segments []*segment   // oldest first
	first    uint64       // number of the oldest frame kept
	next     uint64       // number of the frame that will come
	bytes    int
	floor    uint64 // an id is not looked for among frames before this one
	postings map[string]*posting
	wild     beginnings // postings of keys by how they begin

	everyone posting // frames that belong to every view
	keyless  posting // frames that belong to no view of certain keys
	dirty    []*view // views with frames that nobody was woken for
}

// segment is a run of frames. Bytes up to len(data) never change again, and
// data is never moved.
type segment struct {
	data   []byte
	frames []frame
	first  uint64 // number of frames[0]
	born   int64  // when its first frame was published, in milliseconds since the epoch
	last   int64  // likewise its newest
}

// frame is one event in a segment.
type frame struct {
	end  uint32 // offset behind the frame in the segment's data
	id   uint32 // offset of the first of the id's characters
	mark mark
	post *posting
}

// mark is the sum of a ring's next offsets behind a frame. Offsets only grow,
// so that the marks are in order and an id can be looked up by its own sum.
type mark uint64

func newRing(topics []int, enc encoding, maxBytes int, maxAge time.Duration) *ring {
	return &ring{
		topics: topics, encoding: enc, maxBytes: maxBytes, maxAge: maxAge,
		views:    map[string]*view{},
		postings: map[string]*posting{},
		first:    1, next: 1, floor: 1,
	}
}

// entry is a frame on its way into a ring.
type entry struct {
	bytes    []byte // whole; copied
	id       int    // offset of the id's first character
	key      string
	everyone bool // belongs to every view, whatever its keys
	keyless  bool // belongs to no view of certain keys
	mark     mark
	now      int64 // milliseconds since the epoch
}

// push appends a frame, notes which views it concerns, and returns where its
// bytes are.
func (r *ring) push(e entry) (in *segment, written []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.room(len(e.bytes), e.now)
	start := len(s.data)
	s.data = append(s.data, e.bytes...)
	s.last = e.now
	post := &r.keyless
	switch {
	case e.everyone:
		post = &r.everyone
	case !e.keyless:
		post = r.posting(e.key)
	}
	post.frames = append(post.frames, r.next)
	s.frames = append(s.frames, frame{
		end: uint32(len(s.data)), id: uint32(start + e.id), mark: e.mark, post: post,
	})
	r.next++
	r.head.Store(r.next)
	r.bytes += len(e.bytes)
	r.soil(post)
	if post != &r.everyone && post != &r.keyless {
		for p := range r.wild.of(e.key) {
			p.frames = append(p.frames, r.next-1)
			r.soil(p)
		}
	}
	r.evict(e.now)
	return s, s.data[start:]
}

// room returns a segment with n bytes free.
func (r *ring) room(n int, now int64) *segment {
	if len(r.segments) > 0 {
		s := r.segments[len(r.segments)-1]
		young := now-s.born < r.maxAge.Milliseconds()/8
		if young && cap(s.data)-len(s.data) >= n {
			return s
		}
	}
	s := &segment{data: make([]byte, 0, max(n, segmentBytes)), first: r.next, born: now}
	r.segments = append(r.segments, s)
	return s
}

// soil marks the views that a frame of post concerns.
func (r *ring) soil(post *posting) {
	mark := func(v *view) {
		if !v.dirty {
			v.dirty = true
			r.dirty = append(r.dirty, v)
		}
	}
	if post == &r.everyone {
		for _, v := range r.views {
			mark(v)
		}
		return
	}
	for _, v := range post.views {
		mark(v)
	}
	if r.all != nil {
		mark(r.all)
	}
}

// evict drops the oldest segments beyond the ring's bytes and age. The newest
// stays: a frame is always sent to those who wait for it.
func (r *ring) evict(now int64) {
	gone := 0
	for gone < len(r.segments)-1 {
		next := r.segments[gone+1]
		if r.bytes <= r.maxBytes && now-next.born <= r.maxAge.Milliseconds() {
			break
		}
		r.drop(r.segments[gone])
		gone++
	}
	if gone > 0 {
		r.segments = slices.Delete(r.segments, 0, gone)
	}
}

// shorten drops the oldest segment, of at least two, and returns its bytes.
// Called by the sequencer.
func (r *ring) shorten() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := r.segments[0]
	r.drop(oldest)
	r.segments = slices.Delete(r.segments, 0, 1)
	return len(oldest.data)
}

func (r *ring) drop(s *segment) {
	if r.reclaim != nil {
		r.reclaim(s)
	}
	for _, f := range s.frames {
		f.post.evictOldest()
		if f.post != &r.everyone && f.post != &r.keyless {
			for p := range r.wild.of(f.post.key) {
				p.evictOldest()
			}
		}
		r.forgetUnused(f.post)
	}
	r.first = s.first + uint64(len(s.frames))
	r.bytes -= len(s.data)
}

// wake lets the walkers of all views know that have new frames, and appends to
// stir the listeners who are to be told. Not here: the first of them begins to
// read, on another core, while the next is told, and would have to wait for the
// lock.
func (r *ring) wake(stir []*listener) []*listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.dirty {
		v.dirty = false
		v.news.send()
		stir = append(stir, v.listeners...)
	}
	clear(r.dirty)
	r.dirty = r.dirty[:0]
	return stir
}

// segmentOf returns the index of the segment that holds frame n, which must be
// kept. Needs mu.
func (r *ring) segmentOf(n uint64) int {
	i, found := slices.BinarySearchFunc(r.segments, n, func(s *segment, n uint64) int {
		switch {
		case s.first < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return i
}

// start returns where frame i of s begins.
func (s *segment) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return s.frames[i-1].end
}

// idTail returns the characters of frame i's id behind its head.
func (s *segment) idTail(i int) []byte {
	f := s.frames[i]
	return s.data[f.id+idHeadText : f.end-uint32(len(frameEnd))]
}

// find returns the number of the frame behind the one whose id ends with tail,
// looking at the newest frame with that mark. It reports false when there is
// none: the position is then not one of this ring's.
func (r *ring) find(m mark, tail, current []byte) (uint64, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if string(tail) == string(current) {
		return r.next, true
	}
	n, ok := r.newest(m)
	if !ok {
		return 0, false
	}
	s := r.segments[r.segmentOf(n)]
	if string(s.idTail(int(n-s.first))) != string(tail) {
		return 0, false
	}
	return n + 1, true
}

// newest returns the last kept frame with mark m. Needs mu.
func (r *ring) newest(m mark) (uint64, bool) {
	oldest := max(r.first, r.floor)
	low, high := oldest, r.next // the first frame beyond m is in [low, high]
	for low < high {
		mid := low + (high-low)/2
		s := r.segments[r.segmentOf(mid)]
		if s.frames[mid-s.first].mark > m {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == oldest {
		return 0, false
	}
	n := low - 1
	s := r.segments[r.segmentOf(n)]
	return n, s.frames[n-s.first].mark == m
}

// between returns how many bytes of frames lie from frame n to the head, or
// false when n is no longer kept.
func (r *ring) between(n uint64) (int, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n < r.first {
		return 0, false
	}
	if n == r.next {
		return 0, true
	}
	i := r.segmentOf(n)
	total := -int(r.segments[i].start(int(n - r.segments[i].first)))
	for _, s := range r.segments[i:] {
		total += len(s.data)
	}
	return total, true
}

// forgetUnused gives up a posting that holds nothing and that nobody wants.
func (r *ring) forgetUnused(p *posting) {
	if p.unused() && r.postings[p.key] == p {
		delete(r.postings, p.key)
	}
}

// forgetIDs ends the search for ids at the head: a topic began anew, and the
// marks before and after it do not compare.
func (r *ring) forgetIDs() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = r.next
}
