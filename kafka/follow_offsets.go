package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Special timestamps of ListOffsets.
const (
	timestampEarliest = -2
	timestampLatest   = -1 // with read_committed: the last stable offset
)

// bounds is what a broker says of one partition's log.
type bounds struct {
	earliest, end int64
	aged          int64 // first offset of start.age; -1: no such record
	err           error
}

// requestOffsets asks the leader of ps for the bounds of their logs. A
// partition may stand only once in a request, hence up to three requests.
func (f *follower) requestOffsets(leader int32, ps []*partition) {
	f.fly(leader, ps, func(ctx context.Context) func() {
		found := make([]bounds, len(ps))
		f.listOffsets(ctx, leader, ps, found, func(*partition) int64 { return timestampEarliest },
			func(b *bounds, offset int64) { b.earliest = offset })
		f.listOffsets(ctx, leader, ps, found, func(*partition) int64 { return timestampLatest },
			func(b *bounds, offset int64) { b.end = offset })
		now := time.Now()
		f.listOffsets(ctx, leader, ps, found, func(p *partition) int64 {
			return p.topic.start.timestamp(now)
		}, func(b *bounds, offset int64) { b.aged = offset })
		return func() {
			for i, p := range ps {
				switch {
				case !f.current(p):
				case found[i].err != nil:
					f.fail(p, found[i].err)
				default:
					f.resolve(p, found[i])
				}
			}
		}
	})
}

// listOffsets asks for one timestamp per partition; errors stay with their
// partition, and one that already failed is not asked about again.
func (f *follower) listOffsets(ctx context.Context, leader int32, ps []*partition, found []bounds,
	timestamp func(*partition) int64, set func(*bounds, int64),
) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = readCommitted
	asked := map[partitionName]int{}
	for i, p := range ps {
		if found[i].err != nil {
			continue
		}
		asked[partitionName{p.topic.name, p.number}] = i
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition = p.number
		rp.Timestamp = timestamp(p)
		rt := kmsg.NewListOffsetsRequestTopic()
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic.name {
			rt.Topic = p.topic.name
			req.Topics = append(req.Topics, rt)
		}
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, rp)
	}
	if len(asked) == 0 {
		return
	}
	resp, err := f.cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		for _, i := range asked {
			found[i].err = err
		}
		return
	}
	for _, rt := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, rp := range rt.Partitions {
			if i, ok := asked[partitionName{rt.Topic, rp.Partition}]; ok {
				found[i].err = kerr.ErrorForCode(rp.ErrorCode)
				set(&found[i], rp.Offset)
			}
		}
	}
}

// partitionName identifies a partition in a request.
type partitionName struct {
	topic  string
	number int32
}

// resolve decides where a partition is read from, once its bounds are known.
func (f *follower) resolve(p *partition, b bounds) {
	wanted := p.next
	switch s := p.topic.start; {
	case wanted != unresolved && wanted >= b.earliest && wanted <= b.end:
		// In range: as asked, or a broker had not yet seen what another had.
	case wanted > b.end && !p.topic.state:
		p.next = b.end
	case wanted != unresolved || s.earliest() || !p.first:
		p.next = b.earliest
	default:
		p.next = s.offset(b)
	}
	if wanted != unresolved && p.next != wanted {
		f.log.Warn("the log does not hold the offset wanted", "topic", p.topic.name, "partition", p.number,
			"wanted", wanted, "earliest", b.earliest, "end", b.end, "going_on_at", p.next)
		f.metrics.offsetsLost.WithLabelValues(p.topic.name).Add(float64(max(0, p.next-wanted)))
		f.ready = append(f.ready, delivery{kind: deliverLost, topic: p.topic, partition: p, from: wanted, to: p.next})
	}
	p.begun = true
	p.failing = 0
	p.end = b.end
	f.noticeEnd(p)
}

// timestamp is what ListOffsets is asked for the age of s.
func (s start) timestamp(now time.Time) int64 {
	if s.age == 0 {
		return timestampEarliest
	}
	return now.Add(-s.age).UnixMilli()
}

// offset is the earlier of back offsets before the end and the first record of
// the last age, within the log.
func (s start) offset(b bounds) int64 {
	at := b.end
	if s.back > 0 {
		at = b.end - s.back
	}
	if s.age > 0 && b.aged >= 0 {
		at = min(at, b.aged)
	}
	return max(at, b.earliest)
}

// noticeEnd reports, once, that a partition has reached the end it had when it
// was begun.
func (f *follower) noticeEnd(p *partition) {
	if !p.caught && p.next >= p.end {
		p.caught = true
		f.ready = append(f.ready, delivery{kind: deliverCaughtUp, topic: p.topic, partition: p, to: p.next})
	}
}
