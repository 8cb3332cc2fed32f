package runner

import (
	"context"
	"errors"
	"fmt"

	"livemap/aggregate"
	"livemap/feed"
	"livemap/kafka"
)

// loaded is an aggregator as the checkpoint had it.
type loaded struct {
	agg  *aggregate.Aggregator
	last *leader         // who had written last; nil: nobody ever did
	next map[int32]int64 // positions after what it was read from
}

// restore builds an aggregator from the checkpoint as it now stands.
func (r *runner) restore(ctx context.Context) (*loaded, error) {
	l, state := &loaded{}, aggregate.NewState()
	var err error
	l.last, l.next, err = r.readCheckpoint(ctx, func(rec kafka.Record) {
		state.Apply(aggregate.Change{Key: string(rec.Key), Value: rec.Value})
	})
	if err != nil {
		return nil, err
	}
	l.agg, err = aggregate.Restore(r.cfg.Aggregate, state)
	if err != nil {
		return nil, fmt.Errorf("%w (topic %s): %w; restore the topic or the settings it was written with, or delete it to begin all figures anew",
			ErrCheckpoint, feed.TopicCheckpoint, err)
	}
	return l, nil
}

// readCheckpoint hands on all records of the checkpoint but those of who writes. It
// returns who wrote last, nil if nobody ever did, and the positions after what was
// read.
func (r *runner) readCheckpoint(ctx context.Context, take func(kafka.Record)) (last *leader, next map[int32]int64, err error) {
	next, err = kafka.ReadState(ctx, r.cfg.Kafka, feed.TopicCheckpoint, func(rec kafka.Record) error {
		if string(rec.Key) != leaderKey {
			take(rec)
			return nil
		}
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

// current returns the aggregator of the checkpoint as it now stands: the one that
// was loaded before this process became the writer if nobody has written
// meanwhile, for loading takes seconds where there is much state.
func (r *runner) current(ctx context.Context) (*loaded, error) {
	l := r.ready
	r.ready = nil // it changes as it is used
	if l != nil {
		same, err := r.unchanged(ctx, l.next)
		if err != nil {
			return nil, err
		}
		if same {
			return l, nil
		}
	}
	return r.restore(ctx)
}

// errChanged says that the checkpoint is not what it was.
var errChanged = errors.New("the checkpoint has changed")

// unchanged reports whether nothing but our own word that we are the writer has
// come to the checkpoint behind the given positions.
func (r *runner) unchanged(ctx context.Context, from map[int32]int64) (bool, error) {
	next, err := kafka.ReadStateFrom(ctx, r.cfg.Kafka, feed.TopicCheckpoint, from, func(rec kafka.Record) error {
		if l, err := leaderOf(rec); err != nil || l == nil || l.Writer != r.writer {
			return errChanged
		}
		return nil
	})
	if errors.Is(err, errChanged) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read checkpoint: %w", err)
	}
	for partition, position := range from {
		if next[partition] < position { // the topic was made again
			return false, nil
		}
	}
	return true, nil
}
