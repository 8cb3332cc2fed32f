package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"livemap/e2e/numbered"
	"livemap/kafka/kafkatest"
)

// What retention keeps of the numbered topic. It is longer than a client may be
// away and still be owed everything, by more than a pod may lag behind while it is
// frozen or a leader moves: a client that is told of a gap, and was not away for
// longer than maxAge, was told something false.
const (
	keepFor     = maxAge + 15*time.Second
	sampleEvery = time.Second
	deleteEvery = 10 * time.Second
)

// retention deletes the beginning of the numbered topic while the run goes on, as
// Kafka's own does, but by the time at which records could be read. What it
// deletes is kept for the judge.
type retention struct {
	admin *kafkatest.Admin
	log   *slog.Logger
	truth *numbered.Truth
	read  func(context.Context) (*numbered.Truth, error)
}

// sample is where the partitions ended at a time.
type sample struct {
	at   time.Time
	ends map[int32]int64
}

// run deletes until ctx ends. What cannot be done while a leader is away is done
// later.
func (r *retention) run(ctx context.Context) error {
	var samples []sample
	for deleted := time.Now(); sleep(ctx, sampleEvery) == nil; {
		now := time.Now()
		if ends, err := r.admin.Ends(ctx, numbered.Topic); err == nil {
			samples = append(samples, sample{now, ends})
		}
		old := 0
		for old < len(samples) && now.Sub(samples[old].at) >= keepFor {
			old++
		}
		if old == 0 || now.Sub(deleted) < deleteEvery {
			continue
		}
		if err := r.delete(ctx, samples[old-1].ends); err != nil {
			r.log.Info("records cannot be deleted now", "err", err)
			continue
		}
		deleted, samples = now, samples[old:]
	}
	return nil
}

// delete keeps what lies before some offsets, and then deletes it.
func (r *retention) delete(ctx context.Context, before map[int32]int64) error {
	now, err := r.read(ctx)
	if err != nil {
		return err
	}
	r.truth.Keep(now, before)
	for p, offset := range before {
		if err := r.admin.DeleteBefore(ctx, numbered.Topic, p, offset); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}
