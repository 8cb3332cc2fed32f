package server

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"livemap/feed"
	"livemap/hub"
	"livemap/kafka"
)

// waitingEvery is how often a server that waits for its topics says so.
const waitingEvery = 10 * time.Second

// ingest reads Kafka into the hub. It is the hub's one sequencer. All its
// fields but ready are owned by the goroutine of run.
type ingest struct {
	hub     *hub.Hub
	topics  map[string]*source // by name in Kafka
	logger  *slog.Logger
	metrics *metrics
	ready   chan struct{} // closed once every partition was read as far as it went
	isReady bool
	records []hub.Record
}

// source is one topic in Kafka.
type source struct {
	index   int
	seen    bool
	id      [16]byte
	pending map[int32]bool // partitions not read as far as they went
	started map[int32]bool // partitions whose start the hub knows
	count   int
}

// newIngest prepares to read the topics of a configuration whose defaults are
// filled in.
func newIngest(c Config, h *hub.Hub, m *metrics) (*ingest, *kafka.Tail, error) {
	in := &ingest{hub: h, topics: map[string]*source{}, logger: c.Logger, metrics: m, ready: make(chan struct{})}
	tail := kafka.TailConfig{Config: c.Kafka}
	for i, t := range h.Topics() {
		name := c.Topics[t.Name].Kafka
		in.topics[name] = &source{index: i, pending: map[int32]bool{}, started: map[int32]bool{}}
		from := kafka.TailTopic{Name: name, Kind: t.Kind}
		if t.Kind == feed.Log {
			from.Recent, from.MaxAge = t.Recent, t.MaxAge
		}
		tail.Topics = append(tail.Topics, from)
	}
	reader, err := kafka.NewTail(tail)
	return in, reader, err
}

// handle takes one event of the tail.
func (in *ingest) handle(e kafka.Event) error {
	switch e := e.(type) {
	case kafka.TopicSeen:
		return in.topicSeen(e)
	case kafka.Records:
		return in.publish(e)
	case kafka.CaughtUp:
		in.begin(e.Topic, e.Partition, e.Next)
		in.caughtUp(e.Topic, e.Partition)
	case kafka.NoLeader:
		in.logger.Warn("partition has no leader; going on without it", "topic", e.Topic, "partition", e.Partition)
		in.hub.SetAway(in.topics[e.Topic].index, e.Partition, true)
		in.caughtUp(e.Topic, e.Partition)
	case kafka.Led:
		in.logger.Info("partition has a leader again", "topic", e.Topic, "partition", e.Partition)
		in.hub.SetAway(in.topics[e.Topic].index, e.Partition, false)
	case kafka.Lost:
		in.logger.Warn("log does not hold what comes next", "topic", e.Topic, "partition", e.Partition, "from", e.From, "to", e.To)
		in.hub.SetLost(in.topics[e.Topic].index, e.Partition, e.From, e.To)
	case kafka.Skipped:
		in.logger.Warn("batch cannot be decoded; stepped over", "topic", e.Topic, "partition", e.Partition, "from", e.From, "to", e.To)
		in.metrics.skipped.Add(float64(e.To - e.From))
		in.hub.SetDamaged(in.topics[e.Topic].index, e.Partition, e.From, e.To)
	}
	return nil
}

func (in *ingest) topicSeen(e kafka.TopicSeen) error {
	t := in.topics[e.Topic]
	if t.seen && t.id != e.ID { // recreated: partitions begin anew
		clear(t.started)
		clear(t.pending)
		t.count = 0
	}
	t.seen, t.id = true, e.ID
	for p := t.count; p < e.Partitions; p++ {
		if !in.isReady {
			t.pending[int32(p)] = true
		}
	}
	t.count = e.Partitions
	if err := in.hub.SetTopic(t.index, e.ID, e.Partitions); err != nil {
		return fmt.Errorf("topic %s: %w", e.Topic, err)
	}
	return nil
}

// publish hands the records of one partition to the hub.
func (in *ingest) publish(e kafka.Records) error {
	t := in.topics[e.Topic]
	if len(e.Records) == 0 && !t.started[e.Partition] {
		in.hub.SetStart(t.index, e.Partition, e.Next)
	}
	t.started[e.Partition] = true
	in.records = in.records[:0]
	for _, r := range e.Records {
		in.records = append(in.records, hubRecord(t.index, r))
	}
	err := in.hub.Publish(in.records)
	clear(in.records)
	return err
}

// begin tells the hub, once, from where on it is given all of a partition. The
// first record would not do: before it there may be nothing but the markers of
// transactions, and an id that stands among those would seem to have missed
// something.
func (in *ingest) begin(topic string, partition int32, offset int64) {
	t := in.topics[topic]
	if !t.started[partition] {
		t.started[partition] = true
		in.hub.SetStart(t.index, partition, offset)
	}
}

// caughtUp notes that a partition was read as far as it went, and opens the
// server once all were.
func (in *ingest) caughtUp(topic string, partition int32) {
	delete(in.topics[topic].pending, partition)
	if in.isReady {
		return
	}
	for _, t := range in.topics {
		if !t.seen || len(t.pending) > 0 {
			return
		}
	}
	in.isReady = true
	in.hub.SetReady()
	close(in.ready)
}

// say logs from time to time what a server that is not ready waits for.
func (in *ingest) say(ctx context.Context) {
	tick := time.NewTicker(waitingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.ready:
			return
		case <-tick.C:
			in.logger.Info("not listening yet: waiting until every topic is there and was read to its end",
				"topics", strings.Join(slices.Sorted(maps.Keys(in.topics)), ","))
		}
	}
}
