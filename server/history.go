package server

import (
	"context"
	"time"

	"livemap/hub"
	"livemap/kafka"
)

// history is the hub's way to records that its journals no longer hold: topics
// by their index there, by their name here.
type history struct {
	kafka  *kafka.History
	topics []string
}

func newHistory(c Config) (*history, error) {
	k, err := kafka.NewHistory(c.Kafka)
	if err != nil {
		return nil, err
	}
	h := &history{kafka: k}
	for _, t := range c.hubConfig().Topics {
		h.topics = append(h.topics, c.Topics[t.Name].Kafka)
	}
	return h, nil
}

// Read implements hub.History.
func (h *history) Read(ctx context.Context, topic int, partition int32, from int64, maxBytes int) (hub.Stretch, error) {
	s, err := h.kafka.Read(ctx, h.topics[topic], partition, from, maxBytes)
	if err != nil {
		return hub.Stretch{}, err
	}
	out := hub.Stretch{UUID: s.TopicID, From: s.From, Next: s.Next, Damaged: s.Damaged}
	for _, r := range s.Records {
		out.Records = append(out.Records, hubRecord(topic, r))
	}
	return out, nil
}

// Find implements hub.History.
func (h *history) Find(ctx context.Context, topic int, at time.Time) ([16]byte, []int64, error) {
	if at.IsZero() {
		id, begin, _, err := h.kafka.Bounds(ctx, h.topics[topic])
		return id, begin, err
	}
	return h.kafka.Find(ctx, h.topics[topic], at)
}

// Ends implements hub.History.
func (h *history) Ends(ctx context.Context, topic int) ([16]byte, []int64, error) {
	id, _, end, err := h.kafka.Bounds(ctx, h.topics[topic])
	return id, end, err
}

// hubRecord converts a record.
func hubRecord(topic int, r kafka.Record) hub.Record {
	return hub.Record{Topic: topic, Partition: r.Partition, Offset: r.Offset, At: r.At, Key: r.Key, Value: r.Value}
}
