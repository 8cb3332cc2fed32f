package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"livemap/feed"
	"livemap/kafka/kafkatest"
)

// flinkResult is what the same backlog took the other engine.
type flinkResult struct {
	perSecond    float64
	perCPUSecond float64
	parity       parity
}

const (
	// flinkPrefix begins the names of the topics that Flink writes.
	flinkPrefix = "flink."
	// flinkHeap holds two million products, a million shoppers, a minute of 200,000
	// orders a second, and all of it once more while a checkpoint is written.
	flinkHeap = "3g"
)

// flinkSaid is the last line of flink/bench.
var flinkSaid = regexp.MustCompile(`(?m)^flink_orders_per_s=(\d+) flink_orders_per_cpu_s=(\d+) `)

// besideFlink has both engines drain the orders that Flink gets: all of them, or
// so many of the first as it drains in minutes, in a Kafka of their own. It
// returns what Flink took and, of the same orders, livemap aggregate's CPU seconds
// by Flink's.
func (s settings) besideFlink(ctx context.Context, b *backlog, all result) (flinkResult, float64, error) {
	if s.flinkOrders >= s.Orders {
		f, err := s.drainByFlink(ctx, b.cluster, b.expected)
		return f, float64(s.Orders) / all.cpu / f.perCPUSecond, err
	}
	slog.Info("Flink drains only the first orders", "orders", s.flinkOrders, "of", s.Orders)
	part := s
	part.Orders, part.profile, part.kill, part.stall = s.flinkOrders, "", false, 0
	part.dir = filepath.Join(filepath.Dir(s.dir), part.name())
	var f flinkResult
	var ratio float64
	err := part.prepare(ctx, func(b *backlog) error {
		r, err := part.drain(ctx, b.cluster, b.program)
		if err != nil {
			return err
		}
		f, err = part.drainByFlink(ctx, b.cluster, b.expected)
		ratio = float64(part.Orders) / r.cpu / f.perCPUSecond
		return err
	})
	return f, ratio, err
}

// drainByFlink has flink/bench drain the same backlog from the same broker, and
// compares the windows that it wrote.
func (s settings) drainByFlink(ctx context.Context, cluster *kafkatest.Cluster, expected *expected) (flinkResult, error) {
	var r flinkResult
	k := cluster.Config()
	if err := s.forgetOutputs(ctx, k, flinkPrefix); err != nil {
		return r, err
	}
	products, err := filepath.Abs(filepath.Join(s.dir, "products.parquet"))
	if err != nil {
		return r, err
	}
	bench := exec.CommandContext(ctx, s.flink, "--kafka", k.Brokers[0], "--topic-prefix", flinkPrefix, //nolint:gosec // the operator's own command
		"--orders", strconv.FormatInt(expected.Orders, 10), "--heap", flinkHeap, "--classification", "file://"+products)
	bench.Cancel = func() error { return bench.Process.Signal(syscall.SIGTERM) } // it has the job to end
	out, err := bench.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", s.flink, err, out)
	}
	said := flinkSaid.FindSubmatch(out)
	if said == nil {
		return r, fmt.Errorf("%s did not print %q:\n%s", s.flink, flinkSaid, out)
	}
	if r.perSecond, err = strconv.ParseFloat(string(said[1]), 64); err != nil {
		return r, err
	}
	if r.perCPUSecond, err = strconv.ParseFloat(string(said[2]), 64); err != nil {
		return r, err
	}
	r.parity, err = s.check(ctx, k, flinkPrefix+feed.TopicWindows, s.lastWindow(), expected)
	return r, err
}
