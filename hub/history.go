package hub

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"livemap/orders"
)

// History reads records that the journals no longer hold, from where all
// records come. Its methods are called from many goroutines, of which no more
// than a few at once; each ends when its context does. An error means: not now.
type History interface {
	// Read returns what a partition holds from an offset on, about maxBytes of it
	// but at least something, unless the log ends there.
	Read(ctx context.Context, topic int, partition int32, from int64, maxBytes int) (Stretch, error)
	// Find returns for each partition the first offset at or after a time, or
	// the log's end where there is none. The zero time is before all.
	Find(ctx context.Context, topic int, at time.Time) (uuid [16]byte, offsets []int64, err error)
	// Ends returns for each partition the offset that the next record will have,
	// or a greater one, as the log itself has it.
	Ends(ctx context.Context, topic int) (uuid [16]byte, offsets []int64, err error)
}

// Stretch is what a log holds between two positions of a partition.
type Stretch struct {
	UUID       [16]byte // of the topic that was read
	From, Next int64    // equal at the log's end; From is above what was asked where the log begins later
	Records    []Record // between them; the hub keeps their bytes
	Damaged    bool     // nobody can say what lies between
}

// Limits of reading the history.
const (
	historyReads   = 4         // under way at once
	historyRead    = 256 << 10 // bytes asked for at once, as the log holds them
	historyAlign   = 256       // offsets: who begins a little later finds it read
	historyTimeout = 5 * time.Second
	historyRest    = time.Second      // a partition that could not be read is left alone
	historyWait    = 30 * time.Second // a client that waits for longer is told to go elsewhere
	maxFinds       = 1024             // answers of Find and Ends remembered
	findsLast      = time.Second
)

// errHistory says that the history cannot be read at the moment.
var errHistory = errors.New("hub: history cannot be read now")

// past is what the hub knows of the history: pieces of it that were read
// lately, for many clients come back to about the same place.
type past struct {
	// immutable
	source  History
	limit   int // bytes of pieces kept; those in use beyond that are few, see historyReads
	metrics *metrics
	slots   chan struct{} // held while reading

	era atomic.Int64 // counts truncations: what was made of the log before is void

	mu      sync.Mutex
	shelves map[shelfKey]*shelf
	bytes   int
	recent  list.List // of *piece, the one used last first

	finds finds
}

// shelfKey names a partition in one life of its topic.
type shelfKey struct {
	topic, partition int32
	uuid             [16]byte
}

// shelf holds the pieces of one partition, which do not overlap.
type shelf struct {
	key    shelfKey
	pieces []*piece // by from
	flying []*flight
	failed time.Time // when it could not be read
	err    error
}

// piece is what a partition holds from one offset up to another. It never
// changes.
type piece struct {
	shelf      *shelf
	from, next int64
	records    []*record
	gone       GapReason // why there are none; empty: they are here
	bytes      int
	place      *list.Element // guarded by past.mu
}

// flight is a piece that is being read.
type flight struct {
	from   int64
	landed chan struct{}
}

func newPast(source History, limit int, m *metrics) *past {
	return &past{
		source: source, limit: limit, metrics: m, slots: make(chan struct{}, historyReads),
		shelves: map[shelfKey]*shelf{}, finds: finds{known: map[findKey]*find{}},
	}
}

// at returns the piece that holds an offset, or at the log's end one that holds
// nothing. It reads it unless somebody has.
func (ps *past) at(ctx context.Context, key shelfKey, offset int64) (*piece, error) {
	for {
		p, f, mine, err := ps.look(key, offset)
		switch {
		case err != nil || p != nil:
			return p, err
		case mine:
			p, err = ps.read(ctx, key, f, offset)
			if err != nil || p != nil {
				return p, err
			}
		default:
			select {
			case <-f.landed:
			case <-ctx.Done():
				return nil, errHistory
			}
		}
	}
}

// look finds a piece, or somebody who reads it, or leaves that to the caller.
func (ps *past) look(key shelfKey, offset int64) (p *piece, f *flight, mine bool, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	s := ps.shelves[key]
	if s == nil {
		s = &shelf{key: key}
		ps.shelves[key] = s
	}
	i := s.behind(offset)
	if i > 0 && offset < s.pieces[i-1].next {
		p = s.pieces[i-1]
		ps.recent.MoveToFront(p.place)
		return p, nil, false, nil
	}
	if s.err != nil && time.Since(s.failed) < historyRest {
		return nil, nil, false, s.err
	}
	from := offset - offset%historyAlign
	if i > 0 {
		from = max(from, s.pieces[i-1].next)
	}
	if i := slices.IndexFunc(s.flying, func(f *flight) bool { return f.from == from }); i >= 0 {
		return nil, s.flying[i], false, nil
	}
	f = &flight{from: from, landed: make(chan struct{})}
	s.flying = append(s.flying, f)
	return nil, f, true, nil
}

// behind returns the index of the first piece that begins behind offset.
func (s *shelf) behind(offset int64) int {
	i, _ := slices.BinarySearchFunc(s.pieces, offset+1, func(p *piece, o int64) int {
		if p.from < o {
			return -1
		}
		return 1
	})
	return i
}

// read reads from f.from on. It returns nil where offset is not reached yet.
func (ps *past) read(ctx context.Context, key shelfKey, f *flight, offset int64) (*piece, error) {
	got, err := ps.ask(ctx, key, f.from)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	defer close(f.landed)
	s := ps.shelves[key]
	if s == nil { // forgotten meanwhile
		return nil, errHistory
	}
	s.flying = slices.DeleteFunc(s.flying, func(other *flight) bool { return other == f })
	if err != nil {
		s.err, s.failed = err, time.Now()
		ps.metrics.historyFailures.Inc()
		return nil, err
	}
	s.err = nil
	p := ps.keepLocked(s, &got)
	switch {
	case got.From > offset: // the log begins later
		return &piece{from: offset, next: got.From, gone: GapExpired}, nil
	case got.Next == got.From:
		return &piece{from: offset, next: offset}, nil
	case p == nil || p.next <= offset:
		return nil, nil
	}
	return p, nil
}

// ask asks the source, in turn.
func (ps *past) ask(ctx context.Context, key shelfKey, from int64) (Stretch, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	select {
	case ps.slots <- struct{}{}:
		defer func() { <-ps.slots }()
	case <-ctx.Done():
		return Stretch{}, errHistory
	}
	ps.metrics.historyReads.Inc()
	got, err := ps.source.Read(ctx, int(key.topic), key.partition, from, historyRead)
	if err != nil {
		return Stretch{}, fmt.Errorf("%w: %w", errHistory, err)
	}
	if got.UUID != key.uuid {
		return Stretch{}, fmt.Errorf("%w: the topic was recreated", errHistory)
	}
	return got, nil
}

// keepLocked puts what was read on its shelf, less what is there already.
func (ps *past) keepLocked(s *shelf, got *Stretch) *piece {
	i := s.behind(got.From)
	next := got.Next
	if i < len(s.pieces) {
		next = min(next, s.pieces[i].from)
	}
	if got.From >= next || i > 0 && s.pieces[i-1].next > got.From {
		return nil
	}
	p := &piece{shelf: s, from: got.From, next: next}
	if got.Damaged {
		p.gone = GapReset
	}
	for j := range got.Records {
		if r := &got.Records[j]; r.Offset < next {
			p.records = append(p.records, recordOf(r))
			p.bytes += p.records[len(p.records)-1].size()
		}
	}
	p.bytes += recordOverhead
	p.place = ps.recent.PushFront(p)
	s.pieces = slices.Insert(s.pieces, i, p)
	ps.bytes += p.bytes
	for ps.bytes > ps.limit && ps.recent.Len() > 1 {
		ps.dropLocked(ps.recent.Back().Value.(*piece))
	}
	return p
}

// recordOf converts a record, sharing the bytes of its value.
func recordOf(rec *Record) *record {
	return &record{
		topic: int32(rec.Topic), partition: rec.Partition, offset: rec.Offset, at: rec.At,
		key: string(rec.Key), hasKey: rec.Key != nil, tombstone: rec.Value == nil, value: rec.Value,
	}
}

func (ps *past) dropLocked(p *piece) {
	ps.recent.Remove(p.place)
	ps.bytes -= p.bytes
	p.shelf.pieces = slices.DeleteFunc(p.shelf.pieces, func(other *piece) bool { return other == p })
	if s := p.shelf; len(s.pieces) == 0 && len(s.flying) == 0 && ps.shelves[s.key] == s {
		delete(ps.shelves, s.key)
	}
}

// forget drops what is known of a topic: its log is another now.
func (ps *past) forget(topic int32) {
	if ps == nil {
		return
	}
	ps.era.Add(1)
	ps.finds.forget()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for key, s := range ps.shelves {
		if key.topic != topic {
			continue
		}
		for _, p := range slices.Clone(s.pieces) {
			ps.dropLocked(p)
		}
		delete(ps.shelves, key)
	}
}

// kept returns the bytes of pieces kept.
func (ps *past) kept() int {
	if ps == nil {
		return 0
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.bytes
}

// finds are answers of Find and Ends, remembered for a moment: in a rush of
// clients many ask the same.
type finds struct {
	mu    sync.Mutex
	known map[findKey]*find
}

// findKey is a question: a time, or latest for the log's end.
type findKey struct {
	topic int
	at    orders.Time
}

const latest orders.Time = 1<<63 - 1

type find struct {
	done    chan struct{}
	asked   time.Time
	uuid    [16]byte
	offsets []int64
	err     error
}

// find returns the offsets of a topic at a time. The caller must not change
// them.
func (ps *past) find(ctx context.Context, topic int, at orders.Time) ([16]byte, []int64, error) {
	key := findKey{topic, at}
	ps.finds.mu.Lock()
	f := ps.finds.known[key]
	if f == nil || time.Since(f.asked) > findsLast {
		f = &find{done: make(chan struct{}), asked: time.Now()}
		ps.finds.keepLocked(key, f)
		ps.finds.mu.Unlock()
		ps.answer(ctx, key, f)
	} else {
		ps.finds.mu.Unlock()
	}
	select {
	case <-f.done:
		return f.uuid, f.offsets, f.err
	case <-ctx.Done():
		return f.uuid, nil, errHistory
	}
}

// answer asks the source. Those who wait for f are answered with it.
func (ps *past) answer(ctx context.Context, key findKey, f *find) {
	defer close(f.done)
	// Others wait for the answer too: it does not end with who asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), historyTimeout)
	defer cancel()
	select {
	case ps.slots <- struct{}{}:
		defer func() { <-ps.slots }()
	case <-ctx.Done():
		f.err = errHistory
		return
	}
	if key.at == latest {
		f.uuid, f.offsets, f.err = ps.source.Ends(ctx, key.topic)
		return
	}
	var at time.Time
	if key.at != 0 {
		at = key.at.Std()
	}
	f.uuid, f.offsets, f.err = ps.source.Find(ctx, key.topic, at)
}

// keepLocked remembers f, forgetting the old ones where there are too many.
func (fs *finds) keepLocked(key findKey, f *find) {
	if len(fs.known) >= maxFinds {
		for k, old := range fs.known {
			if time.Since(old.asked) > findsLast || len(fs.known) >= maxFinds {
				delete(fs.known, k)
			}
		}
	}
	fs.known[key] = f
}

func (fs *finds) forget() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	clear(fs.known)
}
