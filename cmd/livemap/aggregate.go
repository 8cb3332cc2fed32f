package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/aggregate"
	"livemap/aggregate/runner"
	"livemap/orders"
)

// aggregateCmd reads orders and writes figures.
type aggregateCmd struct {
	kafkaFlags
	aggregateFlags
	AdminListen string `help:"Address of /healthz and /metrics, such as 127.0.0.1:9091; \"off\" for none." default:"off"`
	Instance    string `help:"Name of this process. Its successor of the same name takes over at once; without a name a successor waits until the checkpoint has been silent for 3 s." placeholder:"NAME"`
}

// aggregateFlags are the settings of the aggregation.
type aggregateFlags struct {
	Classification string        `help:"Parquet file, or folder of such files, with the columns product, title, category and optionally valid_from: file:///path, s3://bucket/path or gs://bucket/path. Read again when it changes." placeholder:"URL"`
	Rates          string        `help:"Exchange rates: a CSV file in the layout of the European Central Bank's history (Date,USD,JPY,…; units for one EUR)." placeholder:"FILE"`
	Currency       string        `help:"Currency of all sales figures, ISO 4217." default:"USD"`
	Disorder       time.Duration `help:"How far the orders of a partition may be out of order before they become corrections." default:"2s"`
	Lateness       time.Duration `help:"How far behind the watermark an order still corrects; later ones go to orders.late." default:"60s"`
	Idle           time.Duration `help:"Silence after which a partition that is caught up no longer holds the watermark back." default:"5s"`
	TotalSince     string        `help:"Where the totals begin, RFC 3339, a whole second. Default: all orders count." placeholder:"TIME"`
}

// config returns the settings, with the rates file read.
func (f aggregateFlags) config() (aggregate.Config, error) {
	c := aggregate.Config{
		Currency: f.Currency,
		Disorder: explicit(f.Disorder),
		Lateness: explicit(f.Lateness),
		Idle:     explicit(f.Idle),
	}
	var sinceErr, ratesErr error
	if f.TotalSince != "" {
		if c.TotalSince, sinceErr = orders.ParseTime(f.TotalSince); sinceErr != nil {
			sinceErr = fmt.Errorf("total-since: %w", sinceErr)
		}
	}
	if f.Rates != "" {
		c.Rates, ratesErr = readRates(f.Rates)
	}
	return c, errors.Join(notNegative("disorder", f.Disorder), notNegative("lateness", f.Lateness), notNegative("idle", f.Idle), sinceErr, ratesErr)
}

func readRates(path string) (*aggregate.Rates, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	defer file.Close()
	rates, err := aggregate.ParseRates(file)
	if err != nil {
		return nil, fmt.Errorf("rates %s: %w", path, err)
	}
	return rates, nil
}

// collectAt is how much memory may grow, in per cent, before the collector runs.
// What the aggregator holds are a few large tables without pointers, so that
// looking through them costs nothing, and keeping as much again in reserve, as
// is usual, would cost a gigabyte.
const collectAt = 25

// collect sets when the collector runs, unless the environment does.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// keptWithin is the memory that the program keeps within while it can: as long as
// what is in use leaves the collector some room below it.
const keptWithin = 928 << 20

// leastRoom is the room, in per cent of what is in use, that the collector is left in
// any case. A collection takes some 20 ms, so that it may well run twice a second.
const leastRoom = 10

// looksBeyond is how many looks in a row, a second apart, must find more in use than
// leaves room below the limit before it follows. A collection counts as in use what
// is allocated while it runs, and what a flush writes is there for a moment: a limit
// that followed that would be what the program then grows to.
const looksBeyond = 5

// keepWithin has the collector run earlier than collectAt says where that keeps the
// program's memory within limit, unless the environment sets one. What is in use may
// stay beyond it: then the limit follows, because a collector that cannot reach its
// limit runs all the time.
func keepWithin(ctx context.Context, limit int64) error {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var seen [looksBeyond]int64
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			metrics.Read(used)
			seen[n%looksBeyond] = int64(used[0].Value.Uint64()) //nolint:gosec // below 2^63
			live := slices.Min(seen[:])
			debug.SetMemoryLimit(max(limit, live+live*leastRoom/100))
		}
	}
}

func (c *aggregateCmd) Run(e env) error {
	settings, err := c.aggregateFlags.config()
	cfg := runner.Config{
		Kafka: c.kafkaFlags.config(e), Aggregate: settings, Classification: c.Classification,
		Instance: c.Instance, Logger: e.log, Metrics: runner.NewMetrics(),
	}
	if err := errors.Join(err, cfg.Validate()); err != nil {
		return usage(err)
	}
	collect(collectAt)
	group, ctx := errgroup.WithContext(e.ctx)
	group.Go(func() error {
		return serveAdmin(ctx, c.AdminListen, append(cfg.Metrics.Collectors(), cfg.Kafka.Metrics)...)
	})
	group.Go(func() error { return keepWithin(ctx, keptWithin) })
	group.Go(func() error { return runAggregator(ctx, cfg) })
	return group.Wait()
}

// runAggregator runs the aggregator. Topics of the wrong kind, a classification
// that cannot be read and a checkpoint of other settings are matters of
// configuration.
func runAggregator(ctx context.Context, cfg runner.Config) error {
	err := runner.Run(ctx, cfg)
	if errors.Is(err, runner.ErrClassification) || errors.Is(err, runner.ErrCheckpoint) {
		return usage(err)
	}
	return kafkaError(err)
}
