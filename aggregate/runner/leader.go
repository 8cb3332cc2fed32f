package runner

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
// nevertheless is fenced by the transactional id. last and next are who wrote last
// and the position after that; waited says that it was not at once.
func (r *runner) standBy(ctx context.Context, last *leader, next map[int32]int64) (waited bool, err error) {
	if last == nil || (r.cfg.Instance != "" && last.Instance == r.cfg.Instance) {
		return false, nil
	}
	r.log.Info("standing by while another aggregator may be writing", "last_writer", last.Instance, "takes_over_after", standbyAfter)
	return true, r.awaitSilence(ctx, last, next)
}

// lastLeader returns who wrote last, nil if nobody ever did, and the position
// after what was read.
func (r *runner) lastLeader(ctx context.Context) (last *leader, next map[int32]int64, err error) {
	return r.readCheckpoint(ctx, func(kafka.Record) {})
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
	last, next, err := r.lastLeader(ctx)
	switch {
	case err != nil:
		return err
	case last == nil || last.Writer == r.writer:
		return nil
	case r.cfg.Instance != "" && last.Instance == r.cfg.Instance:
		return ErrTakenOver
	}
	r.log.Warn("another aggregator has taken over", "instance", last.Instance)
	_, err = r.standBy(ctx, last, next)
	return err
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
		if last, next, err = r.lastLeader(ctx); err != nil {
			return err
		}
		if last == nil || last.At == heard.At && last.Writer == heard.Writer {
			return nil
		}
	}
}

// While it listens for a leader a standby asks the log every askEvery whether it
// is there; one that is says so within answersWithin.
const (
	askEvery      = 500 * time.Millisecond
	answersWithin = time.Second
)

// awaitQuiet follows the checkpoint until nothing has come for standbyAfter of a log
// that was there all the time, and returns the last leader record that has come.
func (r *runner) awaitQuiet(ctx context.Context, last *leader, from map[int32]int64) (*leader, error) {
	watch, stop := context.WithCancelCause(ctx)
	quiet := errors.New("quiet")
	began := time.Now()
	var heard atomic.Int64 // since began, when a record came last
	var asking sync.WaitGroup
	defer asking.Wait()
	defer stop(nil)
	asking.Go(func() {
		there := time.Duration(0) // since when the log has answered at once
		for pause(watch, askEvery) == nil {
			asked := time.Since(began)
			if kafka.WaitReady(watch, r.cfg.Kafka) != nil {
				return
			}
			now := time.Since(began)
			if now-asked > answersWithin {
				there = now
			}
			if now-max(time.Duration(heard.Load()), there) >= standbyAfter {
				stop(quiet)
			}
		}
	})
	err := kafka.Watch(watch, r.cfg.Kafka, feed.TopicCheckpoint, from, func(rec kafka.Record) error {
		heard.Store(int64(time.Since(began)))
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

// pause waits for d or the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
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
