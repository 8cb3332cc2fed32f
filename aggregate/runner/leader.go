package runner

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

// leaderKey is the key of the checkpoint record that says who writes.
const leaderKey = "leader"

// leader is its value. It is written at least every beatEvery, so that a
// standby can tell a leader that has nothing to write from one that is gone.
type leader struct {
	V        int         `json:"v"`
	Instance string      `json:"instance"`
	Writer   string      `json:"writer"` // random, one per process
	At       orders.Time `json:"at"`
	// OrdersID is the UUID of the topic whose offsets the checkpoint holds.
	OrdersID string `json:"orders_id"`
}

// standBy returns when this process may write: at once if nobody ever did or
// the last writer had our own name, otherwise when the checkpoint has been
// silent for standbyAfter of our own clock. Comparing clocks of two machines
// would be a guess; a silence that we measured ourselves is not. Whoever goes on
// nevertheless is fenced by the transactional id.
func (r *runner) standBy(ctx context.Context) error {
	last, next, err := r.lastLeader(ctx)
	if err != nil {
		return err
	}
	if last != nil {
		hex.Decode(r.topicID[:], []byte(last.OrdersID)) //nolint:errcheck // what is not an id matches no topic
	}
	if last == nil || (r.cfg.Instance != "" && last.Instance == r.cfg.Instance) {
		return nil
	}
	r.log.Info("standing by while another aggregator may be writing", "last_writer", last.Instance, "takes_over_after", standbyAfter)
	return r.awaitSilence(ctx, next)
}

// lastLeader returns who wrote last, nil if nobody ever did, and the position
// after what was read.
func (r *runner) lastLeader(ctx context.Context) (last *leader, next map[int32]int64, err error) {
	next, err = kafka.ReadState(ctx, r.cfg.Kafka, feed.TopicCheckpoint, func(rec kafka.Record) error {
		if string(rec.Key) == leaderKey {
			last = new(leader)
			return json.Unmarshal(rec.Value, last)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	return last, next, nil
}

// takenOver reports, after this process was fenced, whether another one is the
// reason. A broker that lost its memory of a transaction in a crash fences too,
// and then this process is still the one to go on. A successor writes its
// leader record before anything else, so that a moment is enough to see it; if
// it is slower than that, it finds itself fenced and asks the same question.
func (r *runner) takenOver(ctx context.Context) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(beatEvery):
	}
	last, _, err := r.lastLeader(ctx)
	if err != nil {
		return false, err
	}
	return last != nil && last.Writer != r.writer, nil
}

// awaitSilence follows the checkpoint until it has been silent for
// standbyAfter.
func (r *runner) awaitSilence(ctx context.Context, from map[int32]int64) error {
	watch, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silent := errors.New("silent")
	timer := time.AfterFunc(standbyAfter, func() { stop(silent) })
	defer timer.Stop()
	err := kafka.Watch(watch, r.cfg.Kafka, feed.TopicCheckpoint, from, func(kafka.Record) error {
		timer.Reset(standbyAfter)
		return nil
	})
	if context.Cause(watch) == silent {
		return nil
	}
	return err
}

// beat returns the leader record of this process.
func (r *runner) beat(now orders.Time) kafka.Record {
	value, err := json.Marshal(leader{
		V: feed.Version, Instance: r.cfg.Instance, Writer: r.writer, At: now, OrdersID: hex.EncodeToString(r.topicID[:]),
	})
	if err != nil {
		panic(err) // plain fields only
	}
	return kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte(leaderKey), Value: value}
}
