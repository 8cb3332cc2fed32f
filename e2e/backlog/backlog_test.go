package main

import (
	"context"
	"testing"
	"time"

	"livemap/feed"
)

// TestBacklog drains a small backlog from a real Kafka that stalls, with a kill -9
// half way, from a topic of one partition and from one of 64: all windows must be
// right, and one cent too much in what is expected must be noticed.
func TestBacklog(t *testing.T) {
	for _, partitions := range []int{1, 64} {
		s := settings{world: newWorld(), dir: t.TempDir(), kill: true, stall: 2 * time.Second, runs: 1}
		s.Orders, s.PerSecond, s.Shoppers, s.Partitions = 200_000, 2_000, 20_000, partitions
		s.Products = countries * productsSold
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		if err := s.prepare(ctx, func(b *backlog) error {
			r, err := s.drain(ctx, b.cluster, b.program)
			if err != nil {
				return err
			}
			parity, err := s.check(ctx, b.cluster.Config(), feed.TopicWindows, s.lastWindow(), b.expected)
			if err != nil {
				return err
			}
			if parity.wrong != nil || parity.compared < 15_000 {
				t.Errorf("%d partitions: compared %d windows: %v", partitions, parity.compared, parity.wrong)
			}
			if parity.shoppers.minutes == 0 {
				t.Errorf("%d partitions: no minute's shoppers were compared", partitions)
			}
			t.Logf("%d partitions: %d windows, back after %.1f s; %s", partitions, parity.compared, r.back, &parity.shoppers)
			b.expected.plant()
			if parity, err = s.check(ctx, b.cluster.Config(), feed.TopicWindows, s.lastWindow(), b.expected); err == nil && parity.wrong == nil {
				t.Error("one cent too much is not noticed")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
