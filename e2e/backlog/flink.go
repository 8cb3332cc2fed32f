package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"livemap/kafka/kafkatest"
)

// flinkResult is what the same backlog took the other engine.
type flinkResult struct {
	perSecond float64
	cpu       float64 // user and system seconds of all its processes
	parity    parity
}

// flinkSaid is the line by which -flink reports.
var flinkSaid = regexp.MustCompile(`(?m)^flink orders_per_s=([0-9.]+) cpu_s=([0-9.]+)$`)

// drainByFlink has the command of -flink drain the same backlog from the same
// broker, and compares what it wrote. The command is called as
//
//	CMD BROKER ORDERS CLASSIFICATION
//
// with the broker's address, the number of records in the topic orders and the
// path of a Parquet file. It runs the job until that many are read and the last
// windows are written, and then prints "flink orders_per_s=N cpu_s=N", the speed
// from the start of the job to the last order, and the CPU time of all processes.
func (s settings) drainByFlink(ctx context.Context, cluster *kafkatest.Cluster, expected *expected) (flinkResult, error) {
	var r flinkResult
	k := cluster.Config()
	if err := s.forgetOutputs(ctx, k); err != nil {
		return r, err
	}
	products := filepath.Join(s.dir, "products.parquet")
	out, err := exec.CommandContext(ctx, s.flink, k.Brokers[0], strconv.FormatInt(expected.Orders, 10), products).CombinedOutput() //nolint:gosec // the operator's own command
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
	if r.cpu, err = strconv.ParseFloat(string(said[2]), 64); err != nil {
		return r, err
	}
	r.parity, err = s.check(ctx, k, expected)
	return r, err
}
