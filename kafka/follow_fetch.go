package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// readCommitted is the isolation level of all reading.
const readCommitted = 1

// Bounds of patience with one offset: how often a batch is fetched before it
// is held to be damaged, and an answer must be empty before a gap is.
const (
	triesOfDamaged = 2
	triesOfHollow  = 3
)

// fetched is one partition of a fetch answer, decoded.
type fetched struct {
	records []Record
	packed  *Packed // instead of records, where they are packed
	wanted  int64
	next    int64
	high    int64
	stable  int64
	bytes   int
	err     error // the broker's word on the partition
	// damage: the batch at wanted cannot be decoded; past is the offset after it.
	damage error
	past   int64
}

// requestRecords fetches ps from their leader. Answers are decoded in the
// request's goroutine, beside whatever the caller does with earlier ones.
func (f *follower) requestRecords(leader int32, ps []*partition) {
	req := f.fetchRequest(ps)
	got := make([]fetched, len(ps))
	for i, p := range ps {
		got[i] = fetched{wanted: p.next, next: p.next, err: errNotAnswered}
	}
	decode := decodePartition
	if f.cfg.packed {
		decode = decodePacked
	}
	f.fly(leader, ps, func(ctx context.Context) func() {
		resp, err := f.cl.Broker(int(leader)).Request(ctx, req)
		if err == nil {
			err = kerr.ErrorForCode(resp.(*kmsg.FetchResponse).ErrorCode)
		}
		if err == nil {
			i := 0
			for _, rt := range resp.(*kmsg.FetchResponse).Topics {
				name := rt.Topic
				for _, asked := range req.Topics {
					if name == "" && asked.TopicID == rt.TopicID { // since version 13 topics go by their id
						name = asked.Topic
					}
				}
				for j := range rt.Partitions {
					rp := &rt.Partitions[j]
					if at := find(ps, i, name, rp.Partition); at >= 0 {
						i = at + 1
						got[at] = decode(f.decoder, name, got[at].wanted, rp)
					}
				}
			}
		}
		return func() { f.applyFetch(ps, got, err) }
	})
}

// find returns where a partition stands in ps, looking from i on and then from the
// beginning, or -1. An answer keeps about the order of its request, and a map of
// a request's partitions was a quarter of what a fetch allocates.
func find(ps []*partition, i int, name string, number int32) int {
	for range ps {
		if i >= len(ps) {
			i = 0
		}
		if p := ps[i]; p.number == number && p.topic.name == name {
			return i
		}
		i++
	}
	return -1
}

// errNotAnswered stands for a partition that the answer left out.
var errNotAnswered = errors.New("the answer leaves the partition out")

// fetchRequest asks for ps in their order, each topic once.
//
// Shared out, an answer has at most an equal part of its bytes for each partition
// that is followed, asked for or not: whoever merges partitions holds something of
// every one of them, and would hold sixteen times 1 MiB, unpacked and more than
// once, where sixteen times a sixteenth of an answer does as well.
func (f *follower) fetchRequest(ps []*partition) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait / time.Millisecond)
	req.MinBytes = 1
	req.MaxBytes = f.cfg.maxBytes
	req.IsolationLevel = readCommitted
	most := f.cfg.partitionBytes
	if f.cfg.shared {
		followed := 0
		for _, t := range f.topics {
			followed += len(t.partitions)
		}
		most = min(most, max(f.cfg.maxBytes/int32(max(followed, 1)), leastPartitionBytes))
	}
	topics := map[string]int{}
	for _, p := range ps {
		i, ok := topics[p.topic.name]
		if !ok {
			i = len(req.Topics)
			topics[p.topic.name] = i
			rt := kmsg.NewFetchRequestTopic()
			rt.Topic = p.topic.name
			rt.TopicID = p.topic.id
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition = p.number
		rp.FetchOffset = p.next
		rp.PartitionMaxBytes = most
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	return req
}

// decoderOf returns what unpacks the batches that a client is sent.
func decoderOf(cl *kgo.Client) (kgo.Decompressor, error) {
	decoder, ok := cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		return nil, errors.New("kafka client offers no decompressor")
	}
	return codec{decoder}, nil
}

// decodePartition unpacks one partition of an answer.
func decodePartition(decoder kgo.Decompressor, name string, wanted int64, rp *kmsg.FetchResponseTopicPartition) fetched {
	out := fetched{
		wanted: wanted, next: wanted, high: rp.HighWatermark, stable: rp.LastStableOffset,
		bytes: len(rp.RecordBatches), err: kerr.ErrorForCode(rp.ErrorCode),
	}
	if out.err != nil || len(rp.RecordBatches) == 0 {
		return out
	}
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: wanted, IsolationLevel: kgo.ReadCommitted(), Topic: name, Partition: rp.Partition,
	}, rp, decoder, nil)
	out.next = next
	out.records = make([]Record, len(fp.Records))
	for i, r := range fp.Records {
		out.records[i] = fromKgo(r)
	}
	if next == wanted {
		if past, whole := batchAt(rp.RecordBatches, wanted); whole {
			out.past, out.damage = past, fp.Err
			if out.damage == nil {
				out.damage = errDamaged
			}
		}
	}
	return out
}

// decodePacked is decodePartition, with the records packed.
func decodePacked(decoder kgo.Decompressor, name string, wanted int64, rp *kmsg.FetchResponseTopicPartition) fetched {
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil || len(rp.RecordBatches) == 0 {
		return decodePartition(decoder, name, wanted, rp)
	}
	p := newPacked(name, rp.Partition)
	if next, ok := unpack(p, wanted, rp, decoder); ok {
		return fetched{
			packed: p, wanted: wanted, next: next, high: rp.HighWatermark, stable: rp.LastStableOffset, bytes: len(rp.RecordBatches),
		}
	}
	out := decodePartition(decoder, name, wanted, rp)
	p.index = p.index[:0]
	for i := range out.records {
		p.add(&out.records[i])
	}
	out.packed, out.records = p, nil
	return out
}

// codec marks the errors of decompression, which the client library does not
// tell apart from others in public.
type codec struct{ kgo.Decompressor }

// codecError is an error of decompression.
type codecError struct{ error }

func (e codecError) Unwrap() error { return e.error }

// Decompress implements [kgo.Decompressor]. For usual LZ4 frames it does without
// the library's reader, which takes buffers of 4 MiB for a batch of a few KiB.
func (c codec) Decompress(src []byte, kind kgo.CompressionCodecType) ([]byte, error) {
	if kind == kgo.CodecLz4 {
		if out, ok := appendLZ4(nil, src); ok {
			return out, nil
		}
	}
	out, err := c.Decompressor.Decompress(src, kind)
	if err != nil {
		return nil, codecError{err}
	}
	return out, nil
}

// errDamaged stands for a batch whose records do not add up.
var errDamaged = errors.New("records end before the batch does")

// Places in a record batch: base offset (8 bytes), length (4), leader epoch
// (4), magic (1), checksum (4), attributes (2), last offset delta (4).
// https://kafka.apache.org/documentation/#recordbatch
const (
	batchLengthAt  = 8
	batchPreamble  = 12
	batchMagicAt   = 16
	batchLastDelta = 23
	batchHeaderLen = 27
)

// batchAt finds the batch that holds offset and returns the offset after it.
// It is whole only if all its bytes are in b: the last batch of an answer may
// be cut off, which is no damage.
func batchAt(b []byte, offset int64) (past int64, whole bool) {
	for len(b) >= batchHeaderLen {
		length := int64(int32(binary.BigEndian.Uint32(b[batchLengthAt:]))) + batchPreamble
		if length < batchHeaderLen || length > int64(len(b)) {
			return 0, false
		}
		base := int64(binary.BigEndian.Uint64(b))
		past := base + 1
		if b[batchMagicAt] == 2 {
			past = base + int64(int32(binary.BigEndian.Uint32(b[batchLastDelta:]))) + 1
		}
		if past > offset {
			return past, true
		}
		b = b[length:]
	}
	return 0, false
}

// applyFetch moves positions and queues what is to be delivered.
func (f *follower) applyFetch(ps []*partition, got []fetched, err error) {
	if err != nil {
		f.failBroker(ps, err)
		return
	}
	empty := true
	for i := range got {
		empty = empty && got[i].bytes == 0
	}
	for i, p := range ps {
		g := &got[i]
		switch {
		case !f.current(p):
			g.packed.Release()
		case p.paused:
			p.held = func() { f.apply(p, g, empty) }
		default:
			f.apply(p, g, empty)
		}
	}
}

// apply takes over what an answer says of one partition.
func (f *follower) apply(p *partition, g *fetched, empty bool) {
	switch {
	case errors.Is(g.err, kerr.OffsetOutOfRange):
		p.begun = false
	case g.err != nil:
		f.fail(p, g.err)
	case g.damage != nil:
		f.stepOver(p, g)
	default:
		f.advance(p, g, empty)
	}
}

// advance takes over a good answer. An answer that stays empty although the
// log goes on means a gap up to its end, left by compaction or deletion.
func (f *follower) advance(p *partition, g *fetched, empty bool) {
	p.failing, p.damaged = 0, 0
	p.high = g.high
	if empty && g.next < g.stable {
		if p.hollow++; p.hollow >= triesOfHollow {
			p.hollow = 0
			g.next = g.stable
		}
	} else {
		p.hollow = 0
	}
	p.next = g.next
	p.lag.Set(float64(max(0, g.high-g.next)))
	n := len(g.records) + g.packed.Len()
	if n > 0 {
		f.metrics.recordsRead.WithLabelValues(p.topic.name).Add(float64(n))
	}
	if g.bytes > 0 {
		f.metrics.bytesRead.WithLabelValues(p.topic.name).Add(float64(g.bytes))
	}
	drained := g.next >= g.high
	if n > 0 || g.next != g.wanted || drained != p.drained || !p.shown {
		p.drained, p.shown = drained, true
		f.ready = append(f.ready, delivery{
			kind: deliverRecords, topic: p.topic, partition: p, records: g.records, packed: g.packed,
			from: g.wanted, to: g.next, caughtUp: drained,
		})
	}
	f.noticeEnd(p)
}

// stepOver leaves a batch behind that cannot be decoded, once fetching it again
// has not helped: one poisoned batch must not stop a partition.
func (f *follower) stepOver(p *partition, g *fetched) {
	if p.damaged++; p.damaged < triesOfDamaged {
		return
	}
	reason := skipCorrupt
	var codec codecError
	if errors.As(g.damage, &codec) {
		reason = skipCompression
	}
	f.log.Error("batch cannot be decoded and is stepped over", "topic", p.topic.name, "partition", p.number,
		"from", g.wanted, "to", g.past, "reason", string(reason), "err", g.damage)
	f.metrics.batchesSkipped.WithLabelValues(p.topic.name, string(reason)).Inc()
	g.next = g.past
	g.damage = nil
	f.ready = append(f.ready, delivery{kind: deliverSkipped, topic: p.topic, partition: p, from: g.wanted, to: g.past})
	f.advance(p, g, false)
}
