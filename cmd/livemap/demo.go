package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/aggregate/runner"
	"livemap/kafka"
	"livemap/orders"
	"livemap/orders/pacer"
	"livemap/server"
)

// demoHistory is how much of the past a first start invents, so that the map
// begins with a trend and a history instead of an empty page.
const demoHistory = 10 * time.Minute

// demoCmd runs everything in one process.
type demoCmd struct {
	Listen  string `help:"Address of the page." default:"127.0.0.1:8080"`
	Rate    string `help:"Orders per second." default:"200"`
	Source  string `help:"Where orders come from: synthetic, or journey:DIR with the Parquet files of The Complete Journey." default:"synthetic"`
	DataDir string `help:"Folder for the log; a second start on it goes on. Default: livemap/demo in your cache folder." placeholder:"DIR"`
}

func (c *demoCmd) Run(e env) error {
	dir := c.DataDir
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return usage(fmt.Errorf("data-dir: %w; name a folder", err))
		}
		dir = filepath.Join(cache, "livemap", "demo")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return usage(fmt.Errorf("data-dir: %w", err))
	}
	// The demo is for looking at: only what needs attention is logged.
	log := slog.New(atLeast{e.log.Handler(), slog.LevelWarn})
	if e.log.Enabled(e.ctx, slog.LevelDebug) {
		log = e.log
	}
	broker, err := openLog(log, "127.0.0.1:0", dir, false)
	if err != nil {
		return err
	}
	return errors.Join(c.run(e, log, broker.Addr(), dir), broker.Close())
}

// run runs the parts on the log at addr until ctx ends or one of them fails.
// Every part has the log for itself to find out when it may begin.
func (c *demoCmd) run(e env, log *slog.Logger, addr, dir string) error {
	k := kafka.Config{Brokers: []string{addr}, ClientID: "livemap", Logger: log, Metrics: kafka.NewMetrics()}
	if err := kafka.EnsureTopics(e.ctx, k, runner.Topics(1)...); err != nil {
		return kafkaError(err)
	}
	src, pace, err := c.source(dir)
	if err != nil {
		return usage(err)
	}
	catalogue := filepath.Join(dir, "classification.parquet")
	if err := writeClassification(catalogue, src); err != nil {
		return err
	}
	s, err := server.New(server.Config{
		Listen: c.Listen, AdminListen: "off", Kafka: k, Logger: log, Drain: -1,
		Listening: func(public, _ net.Addr) { fmt.Fprintf(e.stdout, "livemap is at http://%s\n", public) },
	})
	if err != nil {
		return usage(err)
	}
	group, ctx := errgroup.WithContext(e.ctx)
	group.Go(func() error {
		return runAggregator(ctx, runner.Config{Kafka: k, Classification: "file://" + catalogue, Instance: "demo", Logger: log})
	})
	group.Go(func() error {
		_, err := sendOrders(ctx, k, src, pace)
		return err
	})
	group.Go(func() error { return serverError(s.Run(ctx)) })
	return group.Wait()
}

// source opens the source of orders. A synthetic world that is new begins
// somewhat in the past; one that goes on begins now.
func (c *demoCmd) source(dir string) (orders.Source, pacer.Config, error) {
	now := time.Now()
	flags := ordersCmd{Source: c.Source, Rate: c.Rate, Speed: 1440, Seed: uint64(now.Unix())}
	marker := filepath.Join(dir, "classification.parquet")
	if _, err := os.Stat(marker); c.Source == "synthetic" && errors.Is(err, os.ErrNotExist) {
		flags.Start = orders.TimeOf(now.Add(-demoHistory)).String()
	}
	if c.Source != "synthetic" {
		flags.Rate = "" // by its own times
	}
	return openSource(&flags, orders.TimeOf(now))
}

// atLeast passes on log lines from a level up.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}
