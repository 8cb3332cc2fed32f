package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/e2e/numbered"
	"livemap/feed"
	"livemap/kafka"
)

// wholeWithin is how long Kafka may take to have all copies in sync again after
// a node is back.
const wholeWithin = 2 * time.Minute

// inflict carries out the plan and returns how many faults there were. Each
// target has a goroutine of its own, which does one fault after the other and
// mends each before the next; so a fault can come later than planned, but all
// come, in their order.
func (s *scene) inflict(ctx context.Context, faults []fault) (tally, error) {
	began := time.Now()
	var mu sync.Mutex
	done := tally{}
	group, ctx := errgroup.WithContext(ctx)
	for _, on := range targets {
		group.Go(func() error {
			for _, f := range faults {
				if f.on != on {
					continue
				}
				if err := sleep(ctx, time.Until(began.Add(f.at))); err != nil {
					return err
				}
				s.log.Info("fault", "planned", f.String(), "at", time.Since(began).Round(100*time.Millisecond))
				if err := s.commit(ctx, f); err != nil {
					return fmt.Errorf("%s: %w", f, err)
				}
				mu.Lock()
				done[on]++
				mu.Unlock()
			}
			return nil
		})
	}
	err := group.Wait()
	return done, err
}

func (s *scene) commit(ctx context.Context, f fault) error {
	switch f.on {
	case onPod:
		return s.harmPod(ctx, f)
	case onNginx:
		return s.harmNginx(ctx, f)
	case onLeader:
		return s.harmLeader(ctx, f)
	default:
		return s.harmAggregator(ctx, f)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *scene) harmPod(ctx context.Context, f fault) error {
	p := s.pods[f.which%len(s.pods)]
	switch f.kind {
	case freeze:
		if err := p.Freeze(); err != nil {
			return err
		}
		err := sleep(ctx, f.pause)
		if thawErr := p.Thaw(); thawErr != nil {
			return thawErr
		}
		return err
	case stop:
		if err := p.Stop(); err != nil {
			return err
		}
	default:
		p.Kill()
	}
	if err := sleep(ctx, f.pause); err != nil {
		return err
	}
	return p.Start(ctx)
}

func (s *scene) harmNginx(ctx context.Context, f fault) error {
	if f.kind == reload {
		return s.proxy.Reload()
	}
	pids, err := s.proxy.Workers()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return nil // the master is about to start others
	}
	pid := pids[f.which%len(pids)]
	if f.kind == kill {
		return s.proxy.SignalWorker(pid, syscall.SIGKILL)
	}
	if err := s.proxy.SignalWorker(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	err = sleep(ctx, f.pause)
	if thawErr := s.proxy.SignalWorker(pid, syscall.SIGCONT); thawErr != nil {
		return thawErr
	}
	return err
}

// harmLeader strikes the node that leads a partition of the numbered topic, and
// returns once Kafka is whole again: with two of three nodes away there would be
// no quorum, which is not what is asked here.
func (s *scene) harmLeader(ctx context.Context, f fault) error {
	id := 0
	for id == 0 { // brokers do not learn at the same moment that there is one
		if err := s.awaitWhole(ctx); err != nil {
			return err
		}
		var err error
		if id, err = s.admin.Leader(ctx, numbered.Topic, int32(f.which%partitions)); err != nil { //nolint:gosec // small
			return err
		}
	}
	node := s.kafka.Nodes()[id-1]
	switch f.kind {
	case freeze:
		if err := node.Freeze(); err != nil {
			return err
		}
		err := sleep(ctx, f.pause)
		if thawErr := node.Thaw(); thawErr != nil {
			return thawErr
		}
		if err != nil {
			return err
		}
		return s.awaitWhole(ctx)
	case stop:
		if err := node.Stop(); err != nil {
			return err
		}
	default:
		node.Kill()
	}
	if err := sleep(ctx, f.pause); err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	return s.awaitWhole(ctx)
}

func (s *scene) awaitWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wholeWithin)
	defer cancel()
	for {
		whole, err := s.admin.Whole(ctx)
		if whole && err == nil {
			return nil
		}
		if sleepErr := sleep(ctx, 250*time.Millisecond); sleepErr != nil {
			return fmt.Errorf("kafka is not whole after %s: %w (%w)", wholeWithin, sleepErr, err)
		}
	}
}

// harmAggregator strikes the one that writes. The other has been standing by; it
// takes over after three seconds of silence.
func (s *scene) harmAggregator(ctx context.Context, f fault) error {
	writer, err := s.writer(ctx)
	if err != nil {
		return err
	}
	a := s.aggregators[writer]
	if f.kind == kill {
		a.Kill()
		if err := sleep(ctx, f.pause); err != nil {
			return err
		}
		return a.Start()
	}
	if err := a.Freeze(); err != nil {
		return err
	}
	err = sleep(ctx, f.pause)
	if thawErr := a.Thaw(); thawErr != nil {
		return thawErr
	}
	return err
}

// writer returns which aggregator wrote last, by its record in the checkpoint.
func (s *scene) writer(ctx context.Context) (int, error) {
	return writerOf(ctx, s.kafka.Config(), s.instances)
}

// writerOf is writer, of some instances on a log.
func writerOf(ctx context.Context, c kafka.Config, instances []string) (int, error) {
	last := 0
	_, err := kafka.ReadState(ctx, c, feed.TopicCheckpoint, func(r kafka.Record) error {
		if string(r.Key) != "leader" || r.Value == nil {
			return nil
		}
		var leader struct{ Instance string }
		if err := json.Unmarshal(r.Value, &leader); err != nil {
			return err
		}
		for i, name := range instances {
			if name == leader.Instance {
				last = i
			}
		}
		return nil
	})
	return last, err
}
