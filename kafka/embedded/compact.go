package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of a compaction.
const (
	copyBytes      = 512 << 10 // of values in one append
	copyTries      = 500       // refused appends in a row before it is put off
	copyPause      = 2 * time.Millisecond
	compactWithin  = time.Minute
	recordOverhead = 64 // bytes of a record besides key and value, roughly
)

// compact frees the closed segments of a state topic. A value there that is
// still the latest of its key is appended again at the end; then the head is
// trimmed. At no moment does the log lack a value, so that a process killed
// anywhere leaves it complete, at worst with a value twice. Readers see the
// copy as one more record with the same key, value and timestamp.
//
// The copy must not overtake a newer value, so it is appended only if nothing
// was written since the log was read (append.go); under way, others write and
// win.
//
// A partition is compacted when its closed segments hold more than what was
// live last time: it takes at most about twice its live bytes and two segments
// of disk, and rewrites each byte about once. In memory it needs its keys and
// the values to be copied.
func (c *cleaner) compact(ctx context.Context, id partitionID, s settings) error {
	dir := partitionDir(c.dir, id.topic, id.number)
	segs, err := segments(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was ever written
	}
	if err != nil || len(segs) < 2 {
		return err
	}
	var closed int64
	for _, seg := range segs[:len(segs)-1] {
		closed += seg.size
	}
	cut := segs[len(segs)-1].base
	info := c.cluster.PartitionInfo(id.topic, id.number)
	if info == nil || closed < c.live[id] || cut > info.LastStableOffset || cut <= info.LogStartOffset {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, compactWithin)
	defer cancel()
	r, err := c.newReplay(id, info.LogStartOffset, cut, time.Now().Add(-s.tombstones))
	if err != nil {
		return err
	}
	defer r.cl.Close()
	if err := c.copyForward(ctx, id, r); err != nil {
		return err
	}
	if err := syncFrom(dir, cut); err != nil {
		return err
	}
	c.live[id] = r.live()
	c.log.Debug("embedded log: compacted", "topic", id.topic, "partition", id.number,
		"bytes", closed, "copied", r.copied, "keys", len(r.latest), "below", cut)
	return c.cluster.DeleteRecords(id.topic, id.number, cut)
}

// copyForward appends every value below the cut that is the latest of its key.
func (c *cleaner) copyForward(ctx context.Context, id partitionID, r *replay) error {
	for refused := 0; ; {
		if err := r.catchUp(ctx, func() int64 { return c.stable(id) }); err != nil {
			return err
		}
		chunk := r.chunk()
		if len(chunk) == 0 {
			return nil
		}
		done, err := c.appendIf(ctx, id, chunk, r.next)
		if err != nil {
			return err
		}
		if done {
			refused = 0
			r.copied += len(chunk)
			continue
		}
		if refused++; refused >= copyTries {
			return errors.New("the partition is written to too busily to be compacted now")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(copyPause):
		}
	}
}

// stable is the last stable offset of a partition, -1 if it is gone.
func (c *cleaner) stable(id partitionID) int64 {
	info := c.cluster.PartitionInfo(id.topic, id.number)
	if info == nil {
		return -1
	}
	return info.LastStableOffset
}

// replay reads a partition and knows the latest record of each key.
type replay struct {
	cl       *kgo.Client
	cut      int64
	keepFrom int64 // tombstones with an older timestamp are dropped
	next     int64 // read up to here
	latest   map[string]latest
	copied   int
}

// latest is what is known of a key.
type latest struct {
	offset int64
	size   int64
	record *kgo.Record // only below the cut, where it may have to be copied
}

func (c *cleaner) newReplay(id partitionID, from, cut int64, keepFrom time.Time) (*replay, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(c.cl.OptValue(kgo.SeedBrokers).([]string)...),
		kgo.ClientID("livemap-cleaner"), kgo.DisableClientMetrics(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{id.topic: {id.number: kgo.NewOffset().At(from)}}),
	)
	if err != nil {
		return nil, err
	}
	return &replay{cl: cl, cut: cut, keepFrom: keepFrom.UnixMilli(), next: from, latest: map[string]latest{}}, nil
}

// catchUp reads up to the last stable offset, which moves on meanwhile. Every
// transaction ends in a marker that is read too, so the position gets there.
func (r *replay) catchUp(ctx context.Context, stable func() int64) error {
	for {
		end := stable()
		if end < 0 {
			return errors.New("the topic was deleted")
		}
		if r.next >= end {
			return nil
		}
		fetches := r.cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		fetches.EachRecord(r.see)
	}
}

func (r *replay) see(rec *kgo.Record) {
	r.next = rec.Offset + 1
	if rec.Attrs.IsControl() || rec.Key == nil {
		return
	}
	if rec.Value == nil && rec.Timestamp.UnixMilli() < r.keepFrom {
		delete(r.latest, string(rec.Key))
		return
	}
	l := latest{offset: rec.Offset, size: int64(len(rec.Key) + len(rec.Value) + recordOverhead)}
	if rec.Offset < r.cut {
		// Its bytes belong to a whole batch; a copy lets the rest of it go.
		l.record = &kgo.Record{
			Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value), Timestamp: rec.Timestamp, Offset: rec.Offset,
		}
		for _, h := range rec.Headers {
			l.record.Headers = append(l.record.Headers, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
	}
	r.latest[string(rec.Key)] = l
}

// chunk returns the next records to copy, in their old order.
func (r *replay) chunk() []*kgo.Record {
	stale := slices.Collect(func(yield func(*kgo.Record) bool) {
		for l := range maps.Values(r.latest) {
			if l.record != nil && !yield(l.record) {
				return
			}
		}
	})
	slices.SortFunc(stale, func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	size := 0
	for i, rec := range stale {
		size += len(rec.Key) + len(rec.Value) + recordOverhead
		if size > copyBytes && i > 0 {
			return stale[:i]
		}
	}
	return stale
}

// live is how many bytes the latest records take.
func (r *replay) live() int64 {
	var n int64
	for _, l := range r.latest {
		n += l.size
	}
	return n
}

// syncFrom makes segments from a base on durable, before what they replace is
// deleted.
func syncFrom(dir string, base int64) error {
	segs, err := segments(dir)
	if err != nil {
		return err
	}
	for _, s := range segs {
		if s.base < base {
			continue
		}
		f, err := os.Open(s.path(dir, segmentSuffix))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
