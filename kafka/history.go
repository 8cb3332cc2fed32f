package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds of a History's patience. Whoever asks bounds the whole with a context.
const (
	historyTries    = 4
	historyMapLasts = 3 * time.Second // then leaders and topic ids are asked for anew
)

// ErrNoLeader says that a partition has no leader at the moment, so that nobody
// can read it.
var ErrNoLeader = errors.New("partition has no leader")

// History reads from anywhere in the logs of topics, read_committed, for those
// who come back late or ask for the past. It keeps no position and follows
// nothing: each call is one or a few requests. Its methods are safe for
// concurrent use; how many calls there are at once is the caller's to bound.
type History struct {
	cl      *kgo.Client
	decoder kgo.Decompressor
	log     *slog.Logger
	metrics *Metrics

	mu     sync.Mutex
	topics map[string]*located // as many as topics are asked for
}

// located is where a topic's partitions are.
type located struct {
	id      [16]byte
	leaders []int32 // -1: none
	at      time.Time
}

// Stretch is what the log holds between two positions of a partition.
type Stretch struct {
	TopicID [16]byte
	// From and Next are the positions that Records lie between, markers
	// included. From is above the offset asked for where the log begins later.
	// They are equal at the log's end.
	From, Next int64
	// Records in offset order, without transaction markers and aborted records.
	Records []Record
	// Damaged: between From and Next is a batch that cannot be decoded.
	Damaged bool
}

// NewHistory returns a History. It does not connect.
func NewHistory(c Config) (*History, error) {
	cl, err := c.newClient()
	if err != nil {
		return nil, err
	}
	decoder, err := decoderOf(cl)
	if err != nil {
		cl.Close()
		return nil, err
	}
	return &History{cl: cl, decoder: decoder, log: c.logger(), metrics: c.metrics(), topics: map[string]*located{}}, nil
}

// Close ends what is under way and closes the connections.
func (h *History) Close() { h.cl.Close() }

// Read returns what a partition holds from an offset on: whole batches, as many
// as maxBytes take, compressed, but at least one. The error is that of ctx,
// ErrNoTopic, ErrNoLeader, or a broker's.
func (h *History) Read(ctx context.Context, topic string, partition int32, from int64, maxBytes int) (Stretch, error) {
	s := Stretch{From: from}
	hollow, damaged := 0, 0
	err := h.try(ctx, topic, func(at *located) error {
		for {
			got, err := h.fetch(ctx, at, topic, partition, s.From, int32(maxBytes))
			switch {
			case errors.Is(err, kerr.OffsetOutOfRange):
				begin, err := h.listOne(ctx, at, topic, partition, timestampEarliest)
				if err != nil {
					return err
				}
				if begin <= s.From { // beyond the end
					s.TopicID, s.Next = at.id, s.From
					return nil
				}
				s.From = begin
			case err != nil:
				return err
			case got.damage != nil:
				if damaged++; damaged >= triesOfDamaged {
					h.log.Warn("batch of the past cannot be decoded and is stepped over", "topic", topic,
						"partition", partition, "from", s.From, "to", got.past, "err", got.damage)
					s.TopicID, s.Next, s.Damaged = at.id, got.past, true
					return nil
				}
			case got.bytes == 0 && s.From < got.stable && hollow < triesOfHollow-1:
				hollow++
			default:
				if got.bytes == 0 { // compaction or deletion left nothing up to the end
					got.next = max(s.From, got.stable)
				}
				s.TopicID, s.Next, s.Records = at.id, got.next, got.records
				h.metrics.historyRecords.WithLabelValues(topic).Add(float64(len(got.records)))
				h.metrics.historyBytes.WithLabelValues(topic).Add(float64(got.bytes))
				return nil
			}
		}
	})
	if err != nil {
		return Stretch{}, fmt.Errorf("read %s/%d from %d: %w", topic, partition, from, err)
	}
	return s, nil
}

// Find returns for each partition of a topic the first offset whose record's
// timestamp is at or after a time; where there is none, the last stable offset.
func (h *History) Find(ctx context.Context, topic string, at time.Time) (id [16]byte, offsets []int64, err error) {
	err = h.try(ctx, topic, func(l *located) error {
		id = l.id
		if offsets, err = h.list(ctx, l, topic, at.UnixMilli()); err != nil {
			return err
		}
		ends, err := h.list(ctx, l, topic, timestampLatest)
		for i := range offsets {
			if err == nil && (offsets[i] < 0 || offsets[i] > ends[i]) {
				offsets[i] = ends[i]
			}
		}
		return err
	})
	if err != nil {
		return id, nil, fmt.Errorf("find %s in %s: %w", at.UTC().Format(time.RFC3339), topic, err)
	}
	return id, offsets, nil
}

// Bounds returns for each partition of a topic the earliest offset and the last
// stable one.
func (h *History) Bounds(ctx context.Context, topic string) (id [16]byte, begin, end []int64, err error) {
	err = h.try(ctx, topic, func(l *located) error {
		id = l.id
		if begin, err = h.list(ctx, l, topic, timestampEarliest); err != nil {
			return err
		}
		end, err = h.list(ctx, l, topic, timestampLatest)
		return err
	})
	if err != nil {
		return id, nil, nil, fmt.Errorf("find the bounds of %s: %w", topic, err)
	}
	return id, begin, end, nil
}

// try runs ask, again with fresh metadata where it failed: most failures mean
// that a leader has moved or the topic was recreated.
func (h *History) try(ctx context.Context, topic string, ask func(*located) error) error {
	var err error
	for n := range historyTries {
		if n > 0 {
			if pauseErr := pause(ctx, backoff(n)); pauseErr != nil {
				return errors.Join(pauseErr, err)
			}
		}
		var at *located
		if at, err = h.locate(ctx, topic); err == nil {
			if err = ask(at); err == nil {
				return nil
			}
		}
		h.mu.Lock()
		delete(h.topics, topic)
		h.mu.Unlock()
		if ctx.Err() != nil || errors.Is(err, ErrNoTopic) || errors.Is(err, ErrNoLeader) {
			return err
		}
		h.metrics.fetchErrors.WithLabelValues(topic).Inc()
	}
	return err
}

// locate returns where a topic's partitions are, as known for a moment.
func (h *History) locate(ctx context.Context, topic string) (*located, error) {
	h.mu.Lock()
	at := h.topics[topic]
	h.mu.Unlock()
	if at != nil && time.Since(at.at) < historyMapLasts {
		return at, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, h.cl)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		if t.Topic == nil || *t.Topic != topic {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, ErrNoTopic
		} else if err != nil {
			return nil, err
		}
		at = &located{id: t.TopicID, leaders: make([]int32, len(t.Partitions)), at: time.Now()}
		for _, p := range t.Partitions {
			if int(p.Partition) < len(at.leaders) {
				at.leaders[p.Partition] = p.Leader
			}
		}
		h.mu.Lock()
		h.topics[topic] = at
		h.mu.Unlock()
		return at, nil
	}
	return nil, ErrNoTopic
}

// leader returns the broker that leads a partition.
func (l *located) leader(partition int32) (int, error) {
	if int(partition) >= len(l.leaders) {
		return 0, kerr.UnknownTopicOrPartition
	}
	if l.leaders[partition] < 0 {
		return 0, ErrNoLeader
	}
	return int(l.leaders[partition]), nil
}

// fetch asks a partition's leader for records.
func (h *History) fetch(ctx context.Context, l *located, topic string, partition int32, from int64, maxBytes int32) (fetched, error) {
	leader, err := l.leader(partition)
	if err != nil {
		return fetched{}, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes = 1
	// The partition's limit below is enough. The embedded log, where it stops for
	// this one, forgets to say which transactions were aborted.
	req.MaxBytes = math.MaxInt32
	req.IsolationLevel = readCommitted
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = topic, l.id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, from, maxBytes
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := h.cl.Broker(leader).Request(ctx, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.FetchResponse).ErrorCode)
	}
	if err != nil {
		return fetched{}, err
	}
	for _, rt := range resp.(*kmsg.FetchResponse).Topics {
		for i := range rt.Partitions {
			if rt.Partitions[i].Partition == partition {
				got := decodePartition(h.decoder, topic, from, &rt.Partitions[i])
				return got, got.err
			}
		}
	}
	return fetched{}, errNotAnswered
}

// list asks for one offset of each partition.
func (h *History) list(ctx context.Context, l *located, topic string, timestamp int64) ([]int64, error) {
	byLeader := map[int][]int32{}
	for p := range l.leaders {
		leader, err := l.leader(int32(p))
		if err != nil {
			return nil, err
		}
		byLeader[leader] = append(byLeader[leader], int32(p))
	}
	out := make([]int64, len(l.leaders))
	for leader, ps := range byLeader {
		if err := h.listAt(ctx, leader, topic, ps, timestamp, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// listOne is list for one partition.
func (h *History) listOne(ctx context.Context, l *located, topic string, partition int32, timestamp int64) (int64, error) {
	leader, err := l.leader(partition)
	if err != nil {
		return 0, err
	}
	out := make([]int64, partition+1)
	err = h.listAt(ctx, leader, topic, []int32{partition}, timestamp, out)
	return out[partition], err
}

// listAt asks one broker and writes what it says to out, by partition.
func (h *History) listAt(ctx context.Context, leader int, topic string, ps []int32, timestamp int64, out []int64) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = readCommitted
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for _, p := range ps {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, timestamp
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := h.cl.Broker(leader).Request(ctx, req)
	if err != nil {
		return err
	}
	answered := 0
	for _, rt := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return err
			}
			if int(rp.Partition) < len(out) {
				out[rp.Partition] = rp.Offset
				answered++
			}
		}
	}
	if answered < len(ps) {
		return errNotAnswered
	}
	return nil
}
