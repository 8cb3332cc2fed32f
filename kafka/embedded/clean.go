package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cleaner deletes old records and compacts state topics, in place of kfake's
// own cleaner, which is switched off because a log that is to be kept cannot
// live with it:
//
//   - its retention may delete the last batch of a partition, after which the
//     partition's offsets begin at 0 again on reopening; ours keeps it;
//   - its compaction deletes the segments before it writes the new ones, so that
//     a kill in between loses the topic; it takes records of open transactions
//     for values; it keeps every transaction marker for ever, some hundred
//     megabytes a day; and it holds up all requests while it runs.
//
// A cleaner works through the protocol, like any client, but for trimming the
// head of a partition (kfake's DeleteRecords) and the conditional append of
// append.go. Owned by the goroutine of run.
type cleaner struct {
	dir     string
	cfg     Config
	log     *slog.Logger
	cluster *kfake.Cluster
	stamper *stamper // to be told of our own batches
	cl      *kgo.Client
	zip     kgo.Compressor
	live    map[partitionID]int64 // bytes of the live records at the last compaction
}

// partitionID names a partition.
type partitionID struct {
	topic  string
	id     [16]byte
	number int32
}

func newCleaner(b *Broker) (*cleaner, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ClientID("livemap-cleaner"), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	zip, err := kgo.DefaultCompressor(kgo.Lz4Compression())
	if err != nil {
		cl.Close()
		return nil, err
	}
	return &cleaner{
		dir: b.cfg.DataDir, cfg: b.cfg, log: b.cfg.Logger, cluster: b.cluster, stamper: b.stamper,
		cl: cl, zip: zip, live: map[partitionID]int64{},
	}, nil
}

// run cleans every CleanEvery until ctx ends.
func (c *cleaner) run(ctx context.Context) {
	defer c.cl.Close()
	tick := time.NewTicker(c.cfg.CleanEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.clean(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("embedded log: cleaning failed; trying again later", "err", err)
		}
	}
}

// clean goes once over all partitions; one that fails does not hold the others.
func (c *cleaner) clean(ctx context.Context) error {
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, c.cl)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var errs []error
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		info := c.cluster.TopicInfo(*t.Topic)
		if info == nil {
			continue // deleted meanwhile
		}
		s := c.settings(info.Configs)
		for _, p := range t.Partitions {
			id := partitionID{*t.Topic, t.TopicID, p.Partition}
			if s.compact {
				err = c.compact(ctx, id, s)
			} else {
				err = c.retain(ctx, id, s)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s/%d: %w", id.topic, id.number, err))
			}
		}
	}
	return errors.Join(errs...)
}

// settings are what a topic's configuration means for cleaning.
type settings struct {
	compact       bool
	retention     time.Duration // negative: for ever
	retentionSize int64         // bytes, negative: without bound
	tombstones    time.Duration // how long compaction keeps them
}

// settings reads a topic's configuration; what it leaves out is Kafka's
// default, but for the size, which is bounded.
func (c *cleaner) settings(configs map[string]*string) settings {
	number := func(key string, otherwise int64) int64 {
		if v := configs[key]; v != nil {
			if n, err := strconv.ParseInt(*v, 10, 64); err == nil {
				return n
			}
		}
		return otherwise
	}
	const week, day = 7 * 24 * time.Hour, 24 * time.Hour
	s := settings{
		retention:     time.Duration(number("retention.ms", week.Milliseconds())) * time.Millisecond,
		retentionSize: number("retention.bytes", c.cfg.RetentionBytes),
		tombstones:    time.Duration(number("delete.retention.ms", day.Milliseconds())) * time.Millisecond,
	}
	if policy := configs["cleanup.policy"]; policy != nil {
		s.compact = strings.Contains(*policy, "compact")
	}
	return s
}

// retain deletes the head of a log that is too old or too large: of what is too
// large whole segments, so that retention.bytes are there at least and a segment
// more at most, as in Kafka. The last record always stays, so that the partition remembers its offsets.
func (c *cleaner) retain(ctx context.Context, id partitionID, s settings) error {
	info := c.cluster.PartitionInfo(id.topic, id.number)
	if info == nil || info.HighWatermark == info.LogStartOffset {
		return nil
	}
	cut := info.LogStartOffset
	if s.retentionSize >= 0 {
		segs, err := segments(partitionDir(c.dir, id.topic, id.number))
		if err != nil {
			return err
		}
		var total int64
		for _, seg := range segs {
			total += seg.size
		}
		for i := 0; i < len(segs)-1 && total-segs[i].size >= s.retentionSize; i++ {
			total -= segs[i].size
			cut = max(cut, segs[i+1].base)
		}
	}
	if s.retention >= 0 {
		young, err := c.firstSince(ctx, id, time.Now().Add(-s.retention))
		if err != nil {
			return err
		}
		if young < 0 {
			young = info.HighWatermark
		}
		cut = max(cut, young)
	}
	cut = min(cut, info.LastStableOffset, info.HighWatermark-1)
	if cut <= info.LogStartOffset {
		return nil
	}
	c.log.Debug("embedded log: deleting old records", "topic", id.topic, "partition", id.number, "below", cut)
	return c.cluster.DeleteRecords(id.topic, id.number, cut)
}

// firstSince returns the offset of the first record with a timestamp of at
// least t, or -1.
func (c *cleaner) firstSince(ctx context.Context, id partitionID, t time.Time) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = id.topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition = id.number
	rp.Timestamp = t.UnixMilli()
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := c.ask(ctx, req)
	if err != nil {
		return 0, err
	}
	for _, rt := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, rp := range rt.Partitions {
			return rp.Offset, kerr.ErrorForCode(rp.ErrorCode)
		}
	}
	return 0, errors.New("list offsets: empty answer")
}

// ask sends a request to the one broker there is.
func (c *cleaner) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	const node = 0
	return c.cl.Broker(node).RetriableRequest(ctx, req)
}
