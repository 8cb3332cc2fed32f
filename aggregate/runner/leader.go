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
	OrdersID topicID `json:"orders_id"`
}

// topicID is Kafka's UUID of a topic; zero: not known. In JSON it is 32
// hexadecimal digits.
type topicID [16]byte

// MarshalText implements encoding.TextMarshaler.
func (id topicID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *topicID) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("topic id %q: must be %d hexadecimal digits", b, hex.EncodedLen(len(id)))
	}
	_, err := hex.Decode(id[:], b)
	return err
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
	if last == nil || (r.cfg.Instance != "" && last.Instance == r.cfg.Instance) {
		return nil
	}
	r.log.Info("standing by while another aggregator may be writing", "last_writer", last.Instance, "takes_over_after", standbyAfter)
	return r.awaitSilence(ctx, last, next)
}

// lastLeader returns who wrote last, nil if nobody ever did, and the position
// after what was read.
func (r *runner) lastLeader(ctx context.Context) (last *leader, next map[int32]int64, err error) {
	next, err = kafka.ReadState(ctx, r.cfg.Kafka, feed.TopicCheckpoint, func(rec kafka.Record) error {
		l, err := leaderOf(rec)
		if l != nil {
			last = l
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if last != nil {
		r.topicID = last.OrdersID
	}
	return last, next, nil
}

// giveWay decides what a process does that was fenced. If nobody else writes it
// goes on: a broker that lost its memory of a transaction in a crash fences too.
// A successor writes its leader record before anything else, so that a moment is
// enough to see it. Behind a successor it stands by; but one of the same name
// would be ended by our waiting for nothing, so for that there is an error.
func (r *runner) giveWay(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(beatEvery):
	}
	last, _, err := r.lastLeader(ctx)
	switch {
	case err != nil:
		return err
	case last == nil || last.Writer == r.writer:
		return nil
	case r.cfg.Instance != "" && last.Instance == r.cfg.Instance:
		return ErrTakenOver
	}
	r.log.Warn("another aggregator has taken over", "instance", last.Instance)
	return r.standBy(ctx)
}

// awaitSilence returns when the checkpoint has been silent for standbyAfter while
// the log answered. The silence of a log that is away says nothing about the
// leader, who cannot write either; when it is back the leader gets its time anew.
func (r *runner) awaitSilence(ctx context.Context, last *leader, next map[int32]int64) error {
	for {
		heard, err := r.awaitQuiet(ctx, last, next)
		if err != nil {
			return err
		}
		asked := time.Now()
		if err := kafka.WaitReady(ctx, r.cfg.Kafka); err != nil {
			return err
		}
		wasThere := time.Since(asked) < answersWithin
		if last, next, err = r.lastLeader(ctx); err != nil {
			return err
		}
		if wasThere && (last == nil || last.At == heard.At) {
			return nil
		}
	}
}

// answersWithin is how long a log that is there takes to say so.
const answersWithin = time.Second

// awaitQuiet follows the checkpoint until nothing has come for standbyAfter, and
// returns the last leader record that has.
func (r *runner) awaitQuiet(ctx context.Context, last *leader, from map[int32]int64) (*leader, error) {
	watch, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	quiet := errors.New("quiet")
	timer := time.AfterFunc(standbyAfter, func() { stop(quiet) })
	defer timer.Stop()
	err := kafka.Watch(watch, r.cfg.Kafka, feed.TopicCheckpoint, from, func(rec kafka.Record) error {
		timer.Reset(standbyAfter)
		l, err := leaderOf(rec)
		if l != nil {
			last = l
		}
		return err
	})
	if context.Cause(watch) == quiet {
		return last, nil
	}
	return last, err
}

// leaderOf returns what a leader record says, nil if rec is none.
func leaderOf(rec kafka.Record) (*leader, error) {
	if string(rec.Key) != leaderKey || rec.Value == nil {
		return nil, nil
	}
	l := new(leader)
	if err := json.Unmarshal(rec.Value, l); err != nil {
		return nil, fmt.Errorf("%w (topic %s): record %q: %w", ErrCheckpoint, feed.TopicCheckpoint, leaderKey, err)
	}
	return l, nil
}

// beat returns the leader record of this process.
func (r *runner) beat(now orders.Time) kafka.Record {
	value, err := json.Marshal(leader{
		V: feed.Version, Instance: r.cfg.Instance, Writer: r.writer, At: now, OrdersID: r.topicID,
	})
	if err != nil {
		panic(err) // plain fields only
	}
	return kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte(leaderKey), Value: value}
}
