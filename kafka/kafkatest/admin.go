package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"livemap/kafka"
	"livemap/orders"
)

// Admin does to topics what an operator does, through the client library's own
// tools. It is safe for concurrent use.
type Admin struct {
	cl  *kgo.Client
	adm *kadm.Client
}

// metadataAge bounds how old the library's view of the cluster may be.
const metadataAge = 250 * time.Millisecond

// NewAdmin returns an Admin of a cluster without TLS and SASL; it does not
// connect. The caller closes it.
func NewAdmin(c kafka.Config) (*Admin, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.MetadataMinAge(metadataAge), kgo.RetryTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	return &Admin{cl, kadm.NewClient(cl)}, nil
}

// Close closes the connections.
func (a *Admin) Close() { a.cl.Close() }

// Leader returns the number of the node that leads a partition; 0: none does.
func (a *Admin) Leader(ctx context.Context, topic string, partition int32) (int, error) {
	topics, err := a.adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("leader of %s/%d: %w", topic, partition, err)
	}
	p, ok := topics[topic].Partitions[partition]
	if !ok {
		return 0, fmt.Errorf("leader of %s/%d: there is no such partition", topic, partition)
	}
	return max(0, int(p.Leader)), nil
}

// Whole says whether every partition of all topics has all its copies in sync.
func (a *Admin) Whole(ctx context.Context) (bool, error) {
	topics, err := a.adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return false, fmt.Errorf("list topics: %w", err)
	}
	for _, t := range topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
				return false, nil
			}
		}
	}
	return true, nil
}

// Ends returns the last stable offset of each partition of a topic.
func (a *Admin) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	ends, err := committedEnds(ctx, a.adm, topic)
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	at := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { at[o.Partition] = o.Offset })
	return at, nil
}

// Uncommitted returns how many offsets at the end of a partition belong to
// transactions that are still open, or come after one of these.
func (a *Admin) Uncommitted(ctx context.Context, topic string, partition int32) (int64, error) {
	committed, err := a.adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("committed end of %s: %w", topic, err)
	}
	written, err := a.adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("end of %s: %w", topic, err)
	}
	from, _ := committed.Lookup(topic, partition)
	to, _ := written.Lookup(topic, partition)
	return to.Offset - from.Offset, errors.Join(from.Err, to.Err)
}

// AddPartitions adds n partitions to a topic.
func (a *Admin) AddPartitions(ctx context.Context, topic string, n int) error {
	answer, err := a.adm.CreatePartitions(ctx, n, topic)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return fmt.Errorf("add partitions to %s: %w", topic, err)
	}
	return nil
}

// DeleteTopic deletes a topic.
func (a *Admin) DeleteTopic(ctx context.Context, topic string) error {
	answer, err := a.adm.DeleteTopic(ctx, topic)
	if err == nil {
		err = answer.Err
	}
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}

// DeleteBefore deletes the records of a partition below an offset, as
// retention does.
func (a *Admin) DeleteBefore(ctx context.Context, topic string, partition int32, offset int64) error {
	var until kadm.Offsets
	until.AddOffset(topic, partition, offset, -1)
	answer, err := a.adm.DeleteRecords(ctx, until)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
	}
	return nil
}

// Place says which nodes keep the copies of a partition, the wanted leader
// first.
func (a *Admin) Place(ctx context.Context, topic string, partition int32, nodes ...int32) error {
	var wanted kadm.AlterPartitionAssignmentsReq
	wanted.Assign(topic, partition, nodes)
	answer, err := a.adm.AlterPartitionAssignments(ctx, wanted)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		return fmt.Errorf("place %s/%d: %w", topic, partition, err)
	}
	return nil
}

// ReadCommitted reads a topic from its first record to its present end with the
// library's own consumer, which is not the code under test, and calls yield for
// every record that is not part of an aborted transaction. The record is the
// callee's to keep.
func ReadCommitted(ctx context.Context, c kafka.Config, topic string, yield func(kafka.Record)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := committedEnds(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return fmt.Errorf("read %s: ends: %w", topic, err)
	}
	open := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			open[o.Partition] = o.Offset
		}
	})
	for len(open) > 0 {
		fetched := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("read %s: partitions %v are not at their end: %w", topic, open, err), fetched.Err())
		}
		fetched.EachRecord(func(r *kgo.Record) {
			end, ok := open[r.Partition]
			if !ok || r.Offset >= end {
				return
			}
			if !r.Attrs.IsControl() {
				yield(kafka.Record{Topic: topic, Partition: r.Partition, Offset: r.Offset, At: orders.Time(r.Timestamp.UnixMilli()), Key: r.Key, Value: r.Value})
			}
			if r.Offset == end-1 {
				delete(open, r.Partition)
			}
		})
	}
	return nil
}

// committedEnds returns the last stable offsets of a topic. While a leader moves
// it asks again.
func committedEnds(ctx context.Context, adm *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	for {
		ends, err := adm.ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if !kerr.IsRetriable(err) {
			return ends, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(metadataAge):
		}
	}
}

// AwaitEnds waits until no transaction is open in some topics: a commit is confirmed
// before all partitions have its marker, and until then readers are not shown it.
// Nobody may be writing.
func AwaitEnds(ctx context.Context, c kafka.Config, topics ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for {
		open := ""
		stable, err := adm.ListCommittedOffsets(ctx, topics...)
		if err == nil {
			err = stable.Error()
		}
		ends, endsErr := adm.ListEndOffsets(ctx, topics...)
		if err = errors.Join(err, endsErr); err == nil {
			ends.Each(func(end kadm.ListedOffset) {
				if o, ok := stable.Lookup(end.Topic, end.Partition); !ok || o.Offset < end.Offset {
					open = end.Topic
				}
			})
		}
		if err == nil && open == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("topic %s has an open transaction: %w", open, ctx.Err()), err)
		case <-time.After(metadataAge):
		}
	}
}

// KeyOf returns a key that producers place in the given partition of so many.
func KeyOf(partition, partitions int) string {
	placed := kgo.StickyKeyPartitioner(nil).ForTopic("")
	for i := 0; ; i++ {
		key := "k" + strconv.Itoa(i)
		if placed.Partition(&kgo.Record{Key: []byte(key)}, partitions) == partition {
			return key
		}
	}
}
