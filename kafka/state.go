package kafka

import (
	"context"
	"fmt"
)

// ReadState reads a topic, as a rule a compacted one, from its start to the
// last stable offset that each partition has when it is first seen, and hands
// every record to handle in offset order within a partition; the last one of a
// key is its value, a nil Value means deleted. It returns the position after
// what was read, to be handed to [Watch].
//
// Records may come twice: when the log is cut below the position (the embedded
// log compacts by cutting), a partition is read again from its new start.
//
// A topic that does not exist is [ErrNoTopic]. A partition without leader is
// waited for: a state with a part missing is none.
func ReadState(ctx context.Context, c Config, topic string, handle func(Record) error) (map[int32]int64, error) {
	return ReadStateFrom(ctx, c, topic, nil, handle)
}

// ReadStateFrom is [ReadState] from the given positions on: what has come since an
// earlier one returned them. A partition without position begins at its earliest
// record, as does one whose log was cut below it.
func ReadStateFrom(ctx context.Context, c Config, topic string, from map[int32]int64, handle func(Record) error) (map[int32]int64, error) {
	if err := c.requireTopic(ctx, topic); err != nil {
		return nil, fmt.Errorf("read state of %s: %w", topic, err)
	}
	f, err := newFollower(c, followConfig{topics: []followTopic{{name: topic, state: true, offsets: from}}})
	if err != nil {
		return nil, err
	}
	defer f.close()
	next := map[int32]int64{}
	for remaining := -1; remaining != 0; {
		d, err := f.next(ctx)
		if err != nil {
			return nil, fmt.Errorf("read state of %s: %w", topic, err)
		}
		switch d.kind {
		case deliverTopic:
			if d.topic.generation > 0 {
				return nil, fmt.Errorf("read state of %s: %w", topic, ErrRecreated)
			}
			remaining = 0
			for _, p := range d.topic.partitions {
				if !p.caught {
					remaining++
				}
			}
		case deliverRecords:
			next[d.partition.number] = d.to
			for _, r := range d.records {
				if err := handle(r); err != nil {
					return nil, err
				}
			}
		case deliverCaughtUp:
			next[d.partition.number] = d.to
			remaining--
		}
	}
	return next, nil
}

// Watch follows a topic from the given positions and hands every record to
// handle, until ctx ends or handle returns an error, which Watch returns. A
// partition without position begins at its earliest record.
func Watch(ctx context.Context, c Config, topic string, from map[int32]int64, handle func(Record) error) error {
	f, err := newFollower(c, followConfig{topics: []followTopic{{name: topic, state: true, offsets: from}}})
	if err != nil {
		return err
	}
	defer f.close()
	for {
		d, err := f.next(ctx)
		if err != nil {
			return err
		}
		if d.kind != deliverRecords {
			continue
		}
		for _, r := range d.records {
			if err := handle(r); err != nil {
				return err
			}
		}
	}
}
