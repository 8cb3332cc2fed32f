package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"livemap/aggregate"
	"livemap/aggregate/runner"
	"livemap/kafka"
	"livemap/orders"
)

// aggregateCmd reads orders and writes figures.
type aggregateCmd struct {
	kafkaFlags
	aggregateFlags
	Instance string `help:"Name of this process. Its successor of the same name takes over at once; without a name a successor waits until the checkpoint has been silent for 3 s." placeholder:"NAME"`
}

// aggregateFlags are the settings of the aggregation.
type aggregateFlags struct {
	Classification string        `help:"Parquet file, or folder of such files, with the columns product, title, category and optionally valid_from: file:///path. Read again when it changes." placeholder:"URL"`
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
	if f.TotalSince != "" {
		t, err := orders.ParseTime(f.TotalSince)
		if err != nil {
			return c, usage(fmt.Errorf("total-since: %w", err))
		}
		c.TotalSince = t
	}
	if f.Rates != "" {
		file, err := os.Open(f.Rates)
		if err != nil {
			return c, usage(fmt.Errorf("rates: %w", err))
		}
		defer file.Close()
		if c.Rates, err = aggregate.ParseRates(file); err != nil {
			return c, usage(fmt.Errorf("rates %s: %w", f.Rates, err))
		}
	}
	return c, usage(c.Validate())
}

// explicit turns a duration of zero that a person asked for into the negative
// one that package aggregate reads as zero; its own zero means the default.
func explicit(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func (c *aggregateCmd) Run(e env) error {
	metrics, connection := runner.NewMetrics(), kafka.NewMetrics()
	k, err := c.kafkaFlags.config(e, connection)
	if err != nil {
		return err
	}
	a, err := c.aggregateFlags.config()
	if err != nil {
		return err
	}
	cfg := runner.Config{Kafka: k, Aggregate: a, Classification: c.Classification, Instance: c.Instance, Logger: e.log, Metrics: metrics}
	if err := cfg.Validate(); err != nil {
		return usage(err)
	}
	return runAggregator(e.ctx, cfg)
}

// runAggregator runs the aggregator; a topic of the wrong kind is a matter of
// configuration.
func runAggregator(ctx context.Context, cfg runner.Config) error {
	return kafkaError(runner.Run(ctx, cfg))
}
