// Command faults is the fault run: clients behind nginx follow numbered records
// over three pods while pods, nginx's workers, the leader in Kafka and the
// aggregator are killed, stopped and started again, by a plan that follows from
// the seed. At the end every client's receipts are held against what Kafka
// holds. See docs/faults.md; "make faults" runs it.
//
// Start at run. What is true of a stream is judged by e2e/numbered, processes
// are e2e/stage's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"livemap/e2e/numbered"
	"livemap/kafka/kafkatest"
)

// settings of a run.
type settings struct {
	seed       uint64
	length     time.Duration // of the plan
	clients    int
	reconnects int64         // that every client must have had
	each       time.Duration // mean time after which a client cuts its connection
	ledger     string        // file for the ledger by client; empty: none
	keep       bool
	rolling    bool // instead of the plan, pods are restarted one after the other
}

// naps says whether the run is long enough for clients that stay away for longer
// than the pods' memory.
func (s settings) naps() bool { return !s.rolling && s.length > 2*maxAge }

func main() {
	var s settings
	minutes := flag.Float64("minutes", 10, "length of the plan of faults")
	flag.Uint64Var(&s.seed, "seed", 1, "what the plan follows from")
	flag.IntVar(&s.clients, "clients", 5000, "clients")
	flag.Int64Var(&s.reconnects, "reconnects", 20, "how often every client must have come back")
	flag.DurationVar(&s.each, "each", 40*time.Second, "mean time after which a client cuts its connection by itself")
	flag.StringVar(&s.ledger, "ledger", "", "file for the ledger by client (CSV)")
	flag.BoolVar(&s.keep, "keep", false, "keep the folder with all logs")
	flag.BoolVar(&s.rolling, "rolling", false, "restart the pods one by one and break nothing: how users feel a deploy")
	flag.Parse()
	if s.rolling {
		s.reconnects, s.each = 1, 0
	}
	s.length = time.Duration(*minutes * float64(time.Minute))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	r, err := run(ctx, log, s)
	stop()
	if r != nil {
		r.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// run performs a run. It returns what was found as far as it got, and an error
// if a promise was broken or the run could not be carried out.
func run(ctx context.Context, log *slog.Logger, s settings) (r *report, err error) {
	dir, err := os.MkdirTemp("", "livemap-faults-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nginx's workers are another user
		return nil, err
	}
	what := whole
	if s.rolling {
		what = deploy
	}
	sc, err := raise(ctx, log, dir, s.seed, what)
	defer func() {
		err = errors.Join(err, sc.close())
		if err == nil && !s.keep {
			err = os.RemoveAll(dir)
			return
		}
		log.Info("logs are kept", "in", dir)
	}()
	if err != nil {
		return nil, err
	}
	crowd := gather(ctx, sc, s)
	defer crowd.disperse()
	log.Info("clients are coming", "clients", s.clients)
	// All are there before the first record, so that each is owed every one.
	if err := crowd.await(ctx, settle, "have no stream", (*numbered.Client).Connected); err != nil {
		return nil, err
	}
	r = &report{settings: s, began: time.Now()}
	if err := r.perform(ctx, sc, crowd); err != nil {
		return r, err
	}
	return r, r.judge(ctx, sc, crowd)
}

// perform has records written while the plan is carried out, and goes on until
// every client has come back often enough.
func (r *report) perform(ctx context.Context, sc *scene, c *crowd) error {
	producer := numbered.NewProducer(sc.producer(r.seed))
	written := beside(ctx, producer.Run)
	deleted := func() error { return nil }
	if r.naps() {
		old := &retention{admin: sc.admin, log: sc.log, truth: &r.deleted, read: sc.truth}
		deleted = beside(ctx, old.run)
	}
	err := r.misfortune(ctx, sc, c)
	r.length = time.Since(r.began)
	err = errors.Join(err, deleted(), written())
	r.wrote = producer.String()
	return err
}

// beside runs a function in a goroutine of its own. What it returns ends the
// function, waits for it and returns its error; it must be called once.
func beside(ctx context.Context, run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func (r *report) misfortune(ctx context.Context, sc *scene, c *crowd) error {
	faults := plan(r.seed, r.settings.length)
	if r.rolling {
		faults = oneByOne(r.settings.length)
	}
	var err error
	if r.kills, err = sc.inflict(ctx, faults); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(r.began.Add(r.settings.length))); err != nil {
		return err
	}
	sc.log.Info("faults are over", "kills", r.kills.String())
	return c.hurry(ctx, r.reconnects, settle)
}

// judge reads the truth, waits until all clients are there, and adds up.
func (r *report) judge(ctx context.Context, sc *scene, c *crowd) error {
	if err := kafkatest.AwaitEnds(ctx, sc.kafka.Config(), numbered.Topic, numbered.Board); err != nil {
		return err
	}
	truth, err := sc.truth(ctx)
	if err != nil {
		return err
	}
	truth.Behind(&r.deleted)
	// Who does not arrive has lost something, which the verdict tells better.
	late := c.await(ctx, settle, "have not all that is owed to them", func(n *numbered.Client) bool { return n.At(truth) })
	c.disperse()
	if err := r.add(truth, c); err != nil {
		return err
	}
	if !sc.aggregated {
		return errors.Join(late, r.broken())
	}
	if err := sc.orders.Stop(); err != nil {
		return err
	}
	for i, a := range sc.aggregators {
		if !a.Running() {
			return fmt.Errorf("aggregator %s ended by itself; it said:\n%s", sc.instances[i], a.Tail())
		}
	}
	f, err := readFigures(ctx, sc.kafka.Config(), settle)
	r.figures = f
	if err != nil {
		return errors.Join(late, err)
	}
	return errors.Join(late, f.check(), r.broken())
}
