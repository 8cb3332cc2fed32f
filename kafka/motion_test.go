package kafka_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"livemap/feed"
	"livemap/kafka"
)

// TestClusterInMotion: what a cluster says that has not settled is asked again,
// whatever the request, and ends nothing.
func TestClusterInMotion(t *testing.T) {
	const topic = "moving"
	spec := kafka.TopicSpec{Name: topic, Kind: feed.State}
	ensure := func(t *testing.T, cfg kafka.Config) error { return kafka.EnsureTopics(patience(t), cfg, spec) }
	read := func(t *testing.T, cfg kafka.Config) error {
		_, err := kafka.ReadState(patience(t), cfg, topic, func(kafka.Record) error { return nil })
		return err
	}
	write := func(t *testing.T, cfg kafka.Config) error {
		p, err := kafka.OpenTxnProducer(patience(t), cfg, "writer")
		if err != nil {
			return err
		}
		defer p.Close()
		if err := p.Begin(); err != nil {
			return err
		}
		p.Produce(kafka.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")})
		return p.Commit(patience(t))
	}
	for _, c := range []struct {
		name   string
		key    kmsg.Key
		code   *kerr.Error // nil: the connection is closed
		answer func(kmsg.Request, int16) kmsg.Response
		do     func(*testing.T, kafka.Config) error
	}{
		{"create, another controller", kmsg.CreateTopics, kerr.NotController, created(topic), ensure},
		{"create, no broker has joined yet", kmsg.CreateTopics, kerr.InvalidReplicationFactor, created(topic), ensure},
		{"create, the broker is restarted", kmsg.CreateTopics, nil, nil, ensure},
		{"read, a broker has not heard of the topic", kmsg.Metadata, kerr.UnknownTopicOrPartition, described(topic), read},
		{"read, no leader yet", kmsg.Metadata, kerr.LeaderNotAvailable, described(topic), read},
		{"read, the leader has moved", kmsg.ListOffsets, kerr.NotLeaderForPartition, listed(topic), read},
		{"write, no coordinator yet", kmsg.FindCoordinator, kerr.CoordinatorNotAvailable, coordinated("writer"), write},
		{"write, the coordinator loads", kmsg.InitProducerID, kerr.CoordinatorLoadInProgress, begun, write},
		{"write, the coordinator has moved", kmsg.InitProducerID, kerr.NotCoordinator, begun, write},
		{"write, a transaction is still being ended", kmsg.InitProducerID, kerr.ConcurrentTransactions, begun, write},
		{"commit, the coordinator has moved", kmsg.EndTxn, kerr.NotCoordinator, ended, write},
		{"commit, the transaction is still being ended", kmsg.EndTxn, kerr.ConcurrentTransactions, ended, write},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fake, cfg := fake(t, kfake.NumBrokers(1))
			if c.key != kmsg.CreateTopics {
				if err := ensure(t, cfg); err != nil {
					t.Fatal(err)
				}
			}
			var asked atomic.Int32
			fake.ControlKey(int16(c.key), func(req kmsg.Request) (kmsg.Response, error, bool) {
				fake.KeepControl()
				if m, ok := req.(*kmsg.MetadataRequest); ok && len(m.Topics) == 0 {
					return nil, nil, false // is anybody there?
				}
				if asked.Add(1) > 1 {
					return nil, nil, false
				}
				if c.code == nil {
					return nil, errDone, true // closes the connection
				}
				return c.answer(req, c.code.Code), nil, true
			})
			if err := c.do(t, cfg); err != nil {
				t.Error(err)
			}
			if asked.Load() < 2 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

func created(topic string) func(kmsg.Request, int16) kmsg.Response {
	return func(req kmsg.Request, code int16) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.ErrorCode = topic, code
		resp.Topics = append(resp.Topics, rt)
		return resp
	}
}

func described(topic string) func(kmsg.Request, int16) kmsg.Response {
	return func(req kmsg.Request, code int16) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic, rt.ErrorCode = kmsg.StringPtr(topic), code
		resp.Topics = append(resp.Topics, rt)
		return resp
	}
}

func listed(topic string) func(kmsg.Request, int16) kmsg.Response {
	return func(req kmsg.Request, code int16) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = topic
		rp := kmsg.NewListOffsetsResponseTopicPartition()
		rp.ErrorCode = code
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp
	}
}

func coordinated(key string) func(kmsg.Request, int16) kmsg.Response {
	return func(req kmsg.Request, code int16) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		resp.ErrorCode = code
		one := kmsg.NewFindCoordinatorResponseCoordinator()
		one.Key, one.ErrorCode = key, code
		resp.Coordinators = append(resp.Coordinators, one)
		return resp
	}
}

func begun(req kmsg.Request, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ErrorCode = code
	return resp
}

func ended(req kmsg.Request, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	resp.ErrorCode = code
	return resp
}
