package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

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
	// flinkUncommitted is how many of the last windows are left out: the job is
	// stopped as soon as it has caught up, and commits once a second.
	flinkUncommitted = 30
)

// flinkSaid is the last line of flink/bench.
var flinkSaid = regexp.MustCompile(`(?m)^flink_orders_per_s=(\d+) flink_orders_per_cpu_s=(\d+) `)

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
	out, err := exec.CommandContext(ctx, s.flink, "--kafka", k.Brokers[0], "--topic-prefix", flinkPrefix, //nolint:gosec // the operator's own command
		"--orders", strconv.FormatInt(expected.Orders, 10), "--classification", "file://"+products).CombinedOutput()
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
	r.parity, err = s.check(ctx, k, flinkPrefix+feed.TopicWindows, s.lastWindow()-flinkUncommitted, expected)
	return r, err
}
