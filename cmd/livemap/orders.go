package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"livemap/aggregate/runner"
	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
	"livemap/orders/classification"
	"livemap/orders/journey"
	"livemap/orders/pacer"
	"livemap/orders/synthetic"
)

// ordersCmd produces orders.
type ordersCmd struct {
	kafkaFlags
	Source            string  `help:"Where orders come from: synthetic, or journey:DIR with the Parquet files of The Complete Journey." default:"synthetic"`
	Rate              string  `help:"Orders per second, or max. Default: 200 for synthetic; a journey goes by its own times." placeholder:"N|max"`
	Speed             float64 `help:"Journey: how much faster than life; 0 keeps the times of the data." default:"1440"`
	Start             string  `help:"Time of the first order, RFC 3339. Default: now, or for synthetic orders at --rate max so long ago that the last of --count is in the past." placeholder:"TIME"`
	Count             int64   `help:"Send so many orders; 0 for all, and synthetic ones for ever."`
	Seed              uint64  `help:"Synthetic: which of the possible worlds."`
	Partitions        int32   `help:"Partitions of the topic orders where it does not exist." default:"4"`
	ClassificationOut string  `help:"Also write what the source knows of its products as the Parquet file that livemap aggregate reads." placeholder:"FILE"`
}

func (c *ordersCmd) Run(e env) error {
	k := c.kafkaFlags.config(e)
	src, pace, err := openSource(c, orders.TimeOf(time.Now()))
	if err := errors.Join(err, pace.Validate(), atLeastOne("partitions", int(c.Partitions)), k.Validate()); err != nil {
		return usage(err)
	}
	if c.ClassificationOut != "" {
		if err := writeClassification(c.ClassificationOut, src); err != nil {
			return usage(err)
		}
	}
	pace.Progress, pace.Terminal = e.stderr, term.IsTerminal(int(os.Stderr.Fd()))
	if err := kafka.WaitReady(e.ctx, k); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(e.ctx, k, runner.OrdersTopic(c.Partitions)); err != nil {
		return kafkaError(err)
	}
	stats, err := sendOrders(e.ctx, k, src, pace)
	e.log.Info("orders sent", "orders", stats.Sent, "newest", stats.Newest, "in", stats.Elapsed.Round(time.Millisecond))
	return err
}

// openSource opens the source that the flags describe and says at which pace
// its orders go out.
func openSource(c *ordersCmd, now orders.Time) (orders.Source, pacer.Config, error) {
	pace := pacer.Config{Rate: pacer.ByArrival, Count: c.Count}
	var start orders.Time
	var errs []error
	var err error
	if c.Rate != "" {
		if pace.Rate, err = pacer.ParseRate(c.Rate); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Start != "" {
		if start, err = orders.ParseTime(c.Start); err != nil {
			errs = append(errs, fmt.Errorf("start: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, pace, err
	}
	dir, isJourney := strings.CutPrefix(c.Source, "journey:")
	switch {
	case isJourney:
		return openJourney(c, dir, start, now, pace)
	case c.Source == "synthetic":
		return openSynthetic(c, start, now, pace)
	}
	return nil, pace, fmt.Errorf("source %q: allowed: synthetic, or journey:DIR", c.Source)
}

func openJourney(c *ordersCmd, dir string, start, now orders.Time, pace pacer.Config) (orders.Source, pacer.Config, error) {
	cfg := journey.Config{Dir: dir, Speed: c.Speed, Start: start}
	if pace.Rate != pacer.ByArrival {
		cfg.NotAfter = now // not paced by the clock: it must not run into the future
		if start == 0 && c.Speed > 0 {
			return nil, pace, errors.New("start: a journey at a --rate needs the time of its first order, such as 2026-01-05T00:00:00Z, so that its last is not in the future")
		}
	}
	if cfg.Start == 0 {
		cfg.Start = now
	}
	src, err := journey.Open(cfg)
	if err != nil {
		return nil, pace, err
	}
	pace.Total = int64(src.Len())
	return src, pace, nil
}

// openSynthetic gives the world the rate that was asked for and sends each
// order when it arrives. At max the world has the default rate, and its orders
// are sent as fast as they are taken.
func openSynthetic(c *ordersCmd, start, now orders.Time, pace pacer.Config) (orders.Source, pacer.Config, error) {
	cfg := synthetic.Config{Seed: c.Seed, Start: start, Rate: synthetic.DefaultRate}
	switch {
	case pace.Rate == pacer.Max && c.Count == 0 && start == 0:
		return nil, pace, errors.New("count: synthetic orders at --rate max need a --count, or a --start in the past to catch up from")
	case pace.Rate == pacer.Max && c.Count == 0:
		pace.Rate = pacer.ByArrival // at once up to now, then as they come
	case pace.Rate == pacer.Max && start == 0:
		// Twice the time that the orders need on average: at night they need longer,
		// and none may be in the future.
		cfg.Start = now - orders.Time(2*c.Count*1000/synthetic.DefaultRate)
	case pace.Rate != pacer.ByArrival && pace.Rate != pacer.Max:
		cfg.Rate, pace.Rate = float64(pace.Rate), pacer.ByArrival
	}
	if cfg.Start > now {
		return nil, pace, fmt.Errorf("start %s: is in the future; synthetic orders begin now or in the past", cfg.Start)
	}
	if cfg.Start == 0 {
		cfg.Start = now
	}
	src, err := synthetic.New(cfg)
	return src, pace, err
}

func writeClassification(path string, src orders.Source) error {
	products, err := src.Products()
	if err != nil {
		return fmt.Errorf("classification-out: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("classification-out: %w", err)
	}
	if err := errors.Join(classification.Write(f, products), f.Close()); err != nil {
		return fmt.Errorf("classification-out %s: %w", path, err)
	}
	return nil
}

// sendOrders sends until the source ends or ctx does; then it waits until what
// was sent is acknowledged. The error is nil when ctx ended.
func sendOrders(ctx context.Context, k kafka.Config, src orders.Source, pace pacer.Config) (pacer.Stats, error) {
	producer, err := kafka.NewProducer(k)
	if err != nil {
		return pacer.Stats{}, err
	}
	defer producer.Close()
	stats, err := pacer.Run(ctx, src, pace, func(o *orders.Order) error {
		return producer.Produce(ctx, kafka.Record{Topic: feed.TopicOrders, Key: []byte(o.Shop), Value: orders.AppendJSON(nil, o)})
	})
	if ctx.Err() != nil {
		err = nil
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return stats, errors.Join(err, producer.Flush(flush))
}

// flushTimeout is how long the last orders may take to be acknowledged.
const flushTimeout = 10 * time.Second
