package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/aggregate"
	"livemap/aggregate/runner"
	"livemap/auth"
	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
	"livemap/orders/pacer"
	"livemap/server"
)

// How much of the past a first start invents, so that the map begins with a
// last hour, and with products that are compared with one, instead of an empty
// page: an hour and the minute that is not over, or as many whole minutes as
// have demoPastOrders, which are done in seconds.
const (
	demoPast       = 61 * time.Minute
	demoPastOrders = 750_000
)

// What the demo keeps of each log topic: enough for the last hour.
const (
	demoRetention      = 2 * time.Hour
	demoRetentionBytes = 512 << 20
)

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
	if err := canListen(e.ctx, "listen", c.Listen); err != nil {
		return err
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
	if err := kafka.EnsureTopics(e.ctx, k, demoTopics()...); err != nil {
		return kafkaError(err)
	}
	now := orders.TimeOf(time.Now())
	since, fresh, err := c.firstStart(dir, now)
	if err != nil {
		return usage(err)
	}
	src, pace, err := c.source(since, fresh, now)
	if err != nil {
		return usage(err)
	}
	catalogue := filepath.Join(dir, "classification.parquet")
	if err := writeClassification(catalogue, src); err != nil {
		return err
	}
	everything, err := auth.Anonymous("*")
	if err != nil {
		return err
	}
	branding, err := configuredPage(e.config)
	if err != nil {
		return usage(err)
	}
	s, err := server.New(server.Config{
		Door:   &auth.Door{Anonymous: everything},
		Listen: c.Listen, AdminListen: "off", Kafka: k, Logger: log, Drain: -1, Branding: branding,
		Listening: func(public, _ net.Addr) { fmt.Fprintf(e.stdout, "livemap is at http://%s\n", public) },
	})
	if err != nil {
		return usage(err)
	}
	group, ctx := errgroup.WithContext(e.ctx)
	group.Go(func() error {
		return runAggregator(ctx, runner.Config{
			Kafka: k, Aggregate: aggregate.Config{TotalSince: since},
			Classification: "file://" + catalogue, Instance: "demo", Logger: log,
		})
	})
	group.Go(func() error {
		_, err := sendOrders(ctx, k, src, pace)
		return err
	})
	group.Go(func() error { return serverError(s.Run(ctx)) })
	return group.Wait()
}

// demoTopics are the topics of the demo: the aggregator's, kept so briefly that a
// demo left running does not fill a disk.
func demoTopics() []kafka.TopicSpec {
	topics := runner.Topics(1)
	for i := range topics {
		t := &topics[i]
		if t.Kind == feed.Log {
			t.Retention = min(t.Retention, demoRetention)
			t.RetentionBytes = min(t.RetentionBytes, demoRetentionBytes)
		}
	}
	return topics
}

// past returns how much a first start invents. A rate that is wrong is told by
// whoever opens the source.
func (c *demoCmd) past() time.Duration {
	rate, err := pacer.ParseRate(c.Rate)
	if err != nil || rate <= 0 {
		return time.Minute
	}
	fits := time.Duration(demoPastOrders/float64(rate)) * time.Second
	return max(time.Minute, min(demoPast, fits.Truncate(time.Minute)))
}

// firstStart returns where the totals begin: the past before the first start on
// the folder, which a file in it remembers, and whether this is that start.
func (c *demoCmd) firstStart(dir string, now orders.Time) (since orders.Time, fresh bool, err error) {
	path := filepath.Join(dir, "totals-since")
	text, err := os.ReadFile(path)
	if err == nil {
		since, err := orders.ParseTime(strings.TrimSpace(string(text)))
		if err != nil {
			return 0, false, fmt.Errorf("%s: %w; delete the folder to begin anew", path, err)
		}
		return since, false, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return 0, false, err
	}
	since = now.Add(-c.past())
	since -= since % orders.Time(time.Minute.Milliseconds()) // a time that the page can write
	return since, true, os.WriteFile(path, []byte(since.String()+"\n"), 0o600)
}

// source opens the source of orders. A synthetic world that is new begins where
// the totals do; one that goes on begins now.
func (c *demoCmd) source(since orders.Time, fresh bool, now orders.Time) (orders.Source, pacer.Config, error) {
	if c.Rate == pacer.Max.String() {
		return nil, pacer.Config{}, fmt.Errorf("rate %q: the demo goes on for ever; give orders per second", c.Rate)
	}
	flags := ordersCmd{Source: c.Source, Rate: c.Rate, Speed: 1440, Seed: uint64(now)}
	if c.Source != "synthetic" {
		flags.Rate = "" // by its own times
	} else if fresh {
		flags.Start = since.String()
	}
	return openSource(&flags, now)
}

// atLeast passes on log lines from a level up.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}
