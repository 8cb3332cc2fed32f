package embedded

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// appendIf appends records to a partition if its log ends at offset end and no
// transaction is open in it, in other words if nobody has written since a
// reader stood there; done says whether.
//
// Kafka has no such request. Here the one loop that handles all requests lets
// us look at a request before it is handled (kfake's control functions), with
// nothing happening in between: the look refuses our own request when the log
// has moved, and lets those of others pass.
func (c *cleaner) appendIf(ctx context.Context, id partitionID, records []*kgo.Record, end int64) (done bool, err error) {
	b := c.batch(records)
	c.stamper.own.Store(&b)
	defer c.stamper.own.Store(nil)
	look := &lookout{cluster: c.cluster, id: id, batch: b, end: end}
	c.cluster.ControlKey(int16(kmsg.Produce), look.see)
	defer look.over.Store(true)

	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1
	req.TimeoutMillis = 10_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = id.topic, id.id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition = id.number
	rp.Records = b
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return false, fmt.Errorf("append: %w", err)
	}
	for _, rt := range resp.(*kmsg.ProduceResponse).Topics {
		for _, rp := range rt.Partitions {
			switch err := kerr.ErrorForCode(rp.ErrorCode); err {
			case nil:
				return true, nil
			case errMoved:
				return false, nil
			default:
				return false, fmt.Errorf("append: %w", err)
			}
		}
	}
	return false, fmt.Errorf("append: empty answer")
}

// errMoved is how the lookout refuses; kfake has no use of its own for it.
var errMoved error = kerr.PolicyViolation

// batch encodes records with the timestamps they have.
func (c *cleaner) batch(records []*kgo.Record) []byte {
	first := records[0].Timestamp.UnixMilli()
	head := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, FirstTimestamp: first, MaxTimestamp: first,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
	}
	out := make([]kmsg.Record, len(records))
	for i, r := range records {
		at := r.Timestamp.UnixMilli()
		head.MaxTimestamp = max(head.MaxTimestamp, at)
		out[i] = kmsg.Record{TimestampDelta64: at - first, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
	}
	return encodeBatch(head, out, c.zip)
}

// lookout is the control function of one conditional append. It removes itself
// when it has met its request, or at the next one once over is set.
type lookout struct {
	cluster *kfake.Cluster
	id      partitionID
	batch   []byte
	end     int64
	over    atomic.Bool
}

func (l *lookout) see(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	if l.over.Load() {
		l.cluster.DropControl()
		return nil, nil, false
	}
	req, ok := kreq.(*kmsg.ProduceRequest)
	if !ok || len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 ||
		!bytes.Equal(req.Topics[0].Partitions[0].Records, l.batch) {
		return nil, nil, false
	}
	l.cluster.DropControl()
	info := l.cluster.PartitionInfo(l.id.topic, l.id.number)
	if info != nil && info.HighWatermark == l.end && info.LastStableOffset == l.end {
		return nil, nil, false // kfake appends it
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	rt := kmsg.NewProduceResponseTopic()
	rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	rp := kmsg.NewProduceResponseTopicPartition()
	rp.Partition = l.id.number
	rp.ErrorCode = kerr.PolicyViolation.Code
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp, nil, true
}
