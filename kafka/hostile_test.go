package kafka_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"livemap/feed"
	"livemap/kafka"
)

// fake starts a cluster that can be made to misbehave.
func fake(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, kafka.Config) {
	t.Helper()
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kafka.Config{Brokers: c.ListenAddrs()}
}

// batch is a record batch of one record whose records are as given.
func batch(attributes int16, records []byte, count int32) []byte {
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: attributes, LastOffsetDelta: count - 1,
		FirstTimestamp: 1, MaxTimestamp: 1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: count, Records: records,
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// TestPoisonedBatchesAreSteppedOver: what lies behind them arrives, how much
// was left out is told and counted.
func TestPoisonedBatchesAreSteppedOver(t *testing.T) {
	c, cfg := fake(t, kfake.NumBrokers(1))
	cfg.Metrics = kafka.NewMetrics()
	topic := topicOf(t, cfg, feed.Log, 1)
	const lz4, zstd = 3, 4
	zip, err := kgo.DefaultCompressor(kgo.ZstdCompression())
	if err != nil {
		t.Fatal(err)
	}
	bomb, _ := zip.Compress(new(bytes.Buffer), make([]byte, 200<<20))
	produce(t, cfg, numbered(topic, 0, 10)...)
	for _, poison := range [][]byte{
		batch(lz4, []byte("this is not lz4"), 3),
		batch(0, []byte("these are not records"), 2),
		batch(0, nil, 4),
		batch(zstd, bomb, 1),
	} {
		writeRaw(t, cfg, c.TopicInfo(topic).TopicID, topic, poison)
	}
	produce(t, cfg, numbered(topic, 10, 20)...)

	l, at := newLedger(t), &positions{}
	poll(t, reader(t, cfg, topic, nil), l, at, func() bool { return at.allCaughtUp(1) })
	l.want(0, 20)
	if at.lost != 3+2+4+1 {
		t.Errorf("%d offsets are told as lost, want 10", at.lost)
	}
	skipped := 0
	tail(t, kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}}, func(e kafka.Event) bool {
		if e, ok := e.(kafka.Skipped); ok {
			skipped += int(e.To - e.From)
		}
		_, done := e.(kafka.CaughtUp)
		return done
	})
	if skipped != 10 {
		t.Errorf("the tail told of %d offsets skipped, want 10", skipped)
	}
	if n := series(t, cfg.Metrics, "livemap_kafka_batches_skipped_total"); n != 2 {
		t.Errorf("%d reasons are counted, want corrupt and compression", n)
	}
}

// series is how many label combinations a metric has.
func series(t *testing.T, m *kafka.Metrics, name string) int {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(m); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return len(f.GetMetric())
		}
	}
	return 0
}

// writeRaw appends a batch as it is.
func writeRaw(t *testing.T, cfg kafka.Config, id [16]byte, topic string, b []byte) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = b
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := cl.SeedBrokers()[0].RetriableRequest(patience(t), req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTopicThatOneBrokerHasNotHeardOf: the controller says that it exists, the
// broker that is asked for its settings that it does not. Both are asked again.
func TestTopicThatOneBrokerHasNotHeardOf(t *testing.T) {
	c, cfg := fake(t, kfake.NumBrokers(1))
	spec := kafka.TopicSpec{Name: "just.made", Kind: feed.State}
	if err := kafka.EnsureTopics(patience(t), cfg, spec); err != nil {
		t.Fatal(err)
	}
	var made, described atomic.Int32
	c.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if made.Add(1) != 2 {
			return nil, nil, false
		}
		resp := kreq.ResponseKind().(*kmsg.CreateTopicsResponse)
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.ErrorCode = spec.Name, kerr.RequestTimedOut.Code
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.DescribeConfigs), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if described.Add(1) > 1 {
			return nil, nil, false
		}
		resp := kreq.ResponseKind().(*kmsg.DescribeConfigsResponse)
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, spec.Name
		rr.ErrorCode = kerr.UnknownTopicOrPartition.Code
		resp.Resources = append(resp.Resources, rr)
		return resp, nil, true
	})
	if err := kafka.EnsureTopics(patience(t), cfg, spec); err != nil {
		t.Fatal(err)
	}
	if made.Load() < 3 || described.Load() < 2 {
		t.Errorf("asked to make it %d times, to describe it %d times", made.Load(), described.Load())
	}
}

// TestPartitionWithoutLeaderHoldsNobody: the others are read, it is told, and
// read as soon as it has a leader.
func TestPartitionWithoutLeaderHoldsNobody(t *testing.T) {
	c, cfg := fake(t, kfake.NumBrokers(1))
	topic := topicOf(t, cfg, feed.Log, 2)
	produce(t, cfg, numbered(topic, 0, 100)...)
	var led atomic.Bool
	id, addr := c.TopicInfo(topic).TopicID, c.ListenAddrs()[0]
	c.ControlKey(int16(kmsg.Metadata), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if led.Load() {
			return nil, nil, false
		}
		return leaderless(t, kreq.(*kmsg.MetadataRequest), addr, topic, id), nil, true
	})
	l := newLedger(t)
	caughtUp, told := 0, false
	tail(t, kafka.TailConfig{Config: cfg, RefreshEvery: 100 * time.Millisecond,
		Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.Led:
			if e.Partition != 1 || told {
				t.Errorf("%+v, told before: %t", e, told)
			}
			told = true
		case kafka.Records:
			if e.Partition == 1 && !told {
				t.Error("records of a partition without leader")
			}
			l.add(e.Records)
		case kafka.CaughtUp:
			caughtUp++
		case kafka.NoLeader:
			if e.Partition != 1 || caughtUp != 1 {
				t.Errorf("%+v after %d partitions caught up", e, caughtUp)
			}
			led.Store(true)
		}
		return caughtUp == 2
	})
	l.want(0, 100)
}

// leaderless describes a topic whose second partition has no leader.
func leaderless(t *testing.T, req *kmsg.MetadataRequest, addr, topic string, id [16]byte) kmsg.Response {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Error(err)
	}
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	broker := kmsg.NewMetadataResponseBroker()
	broker.Host = host
	for _, d := range port {
		broker.Port = broker.Port*10 + d - '0'
	}
	resp.Brokers = append(resp.Brokers, broker)
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.TopicID = &topic, id
	for number, leader := range []int32{0, -1} {
		rp := kmsg.NewMetadataResponseTopicPartition()
		rp.Partition, rp.Leader = int32(number), leader
		if leader < 0 {
			rp.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		rt.Partitions = append(rt.Partitions, rp)
	}
	resp.Topics = append(resp.Topics, rt)
	return resp
}

// TestDeadBrokerHoldsNobody: partitions of other brokers are read although the
// leader of some does not answer; when leadership moves these follow.
func TestDeadBrokerHoldsNobody(t *testing.T) {
	var dead atomic.Bool
	c, cfg := fake(t, kfake.NumBrokers(2))
	topic := topicOf(t, cfg, feed.Log, 2)
	for p := range int32(2) {
		if err := c.MoveTopicPartition(topic, p, p); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, cfg, numbered(topic, 0, 100)...)
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errDone, dead.Load() && c.CurrentNode() == 1 // closes the connection
	})
	dead.Store(true)
	l := newLedger(t)
	caughtUp := 0
	tail(t, kafka.TailConfig{Config: cfg, RefreshEvery: 100 * time.Millisecond,
		Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.Records:
			l.add(e.Records)
		case kafka.CaughtUp:
			if caughtUp++; caughtUp == 1 {
				if e.Partition != 0 {
					t.Errorf("partition %d was read from a dead broker", e.Partition)
				}
				if err := c.MoveTopicPartition(topic, 1, 0); err != nil {
					t.Error(err)
				}
			}
		}
		return caughtUp == 2
	})
	l.want(0, 100)
}
