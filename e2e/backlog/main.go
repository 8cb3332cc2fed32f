// Command backlog measures how fast livemap aggregate drains a backlog from a
// real Kafka beside it, and whether its figures are right:
//
//	make bench-aggregate                      60 million orders, 25 GB of JSON: once some minutes to make, then kept
//	go run ./e2e/backlog -orders 2000000      a look whether all of it works
//	go run ./e2e/backlog -beside FILE         another build in turn with this one: what a change is worth
//
// It makes the orders of a world of its own (world.go) and, while it does, adds
// up what the windows must hold, by other code than livemap's. Then it starts the
// program, waits until every order is counted and every window final, and compares
// (check.go). With -kill the program is killed on its way and started again. With
// -latency it measures orders of the present instead (latency.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "backlog:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	world
	dir     string
	runs    int
	kill    bool
	rate    int64 // orders a second of the present; 0: drain a backlog
	seconds int64
	flink   string
	// flinkOrders is how many orders Flink drains at most.
	flinkOrders int64
	stall       time.Duration
	plant       bool
	profile     string
	beside      string   // another build of the program, drained with in turn
	flags       []string // more of livemap aggregate
}

func run(ctx context.Context, args []string) error {
	s := settings{world: newWorld()}
	f := flag.NewFlagSet("backlog", flag.ContinueOnError)
	f.Int64Var(&s.Orders, "orders", 2_000_000, "orders of the backlog")
	f.Int64Var(&s.PerSecond, "per-second", s.PerSecond, "orders a second of event time")
	f.Int64Var(&s.Shoppers, "shoppers", s.Shoppers, "people who order")
	f.IntVar(&s.Partitions, "partitions", s.Partitions, "partitions of the topic orders")
	f.BoolVar(&s.Shuffled, "shuffled", false, "write the fields of each order in an order of its own")
	f.StringVar(&s.dir, "dir", ".cache/backlog", "where Kafka keeps the orders for the next time")
	f.IntVar(&s.runs, "runs", 1, "how often to drain it; the median counts")
	f.BoolVar(&s.kill, "kill", false, "kill -9 the program half way and start it again")
	f.DurationVar(&s.stall, "stall", 0, "freeze the broker for so long when a quarter is read")
	f.BoolVar(&s.plant, "plant", false, "expect one cent too much: the comparison must fail")
	f.Int64Var(&s.rate, "latency", 0, "measure no backlog but how soon so many orders a second show in metrics")
	f.Int64Var(&s.seconds, "seconds", 30, "how long, with -latency")
	f.StringVar(&s.flink, "flink", "", "flink/bench, to drain the same backlog with Flink too")
	f.Int64Var(&s.flinkOrders, "flink-orders", 8_000_000, "how many of the orders Flink drains at most")
	f.StringVar(&s.profile, "profile", "", "write a CPU profile of the program's first seconds to this file")
	f.StringVar(&s.beside, "beside", "", "another build of livemap, to drain the backlog with in turn: a machine that shares its cores is not the same twice")
	if err := f.Parse(args); err != nil {
		return err
	}
	s.flags = f.Args()
	if err := s.validate(); err != nil {
		return err
	}
	s.dir = filepath.Join(s.dir, s.name())
	if s.rate > 0 {
		s.dir += "-latency" // whose orders are of the present, not for keeping
	}
	return s.prepare(ctx, func(b *backlog) error {
		if s.rate > 0 {
			return s.latency(ctx, b.cluster, b.program)
		}
		return s.measure(ctx, b)
	})
}

// backlog is a running Kafka with orders in it, and the program to read them.
type backlog struct {
	cluster  *kafkatest.Cluster
	program  string
	expected *expected
}

// prepare builds the program, starts Kafka, makes the orders unless they are there,
// and hands all of it to do.
func (s settings) prepare(ctx context.Context, do func(*backlog) error) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lib, err := kafkatest.Lib()
	if err != nil {
		return err
	}
	b := &backlog{program: filepath.Join(s.dir, "livemap")}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.program, "livemap/cmd/livemap").CombinedOutput(); err != nil { //nolint:gosec // our own path
		return fmt.Errorf("build livemap: %w\n%s", err, out)
	}
	if b.cluster, err = kafkatest.Open(lib, s.dir, 1, kafkatest.Kept(), kafkatest.Property("log.retention.ms", "-1")); err != nil {
		return err
	}
	defer func() { _ = b.cluster.Nodes()[0].Stop() }() // an orderly end saves reading all logs at the next start
	if s.rate > 0 {
		err = s.writeClassification()
	} else {
		b.expected, err = s.ensureOrders(ctx, b.cluster.Config())
	}
	if err != nil {
		return err
	}
	return do(b)
}

// measure drains the backlog and prints what there is to say.
func (s settings) measure(ctx context.Context, b *backlog) error {
	if s.plant {
		b.expected.plant()
	}
	var list []result
	for i := range s.runs {
		r, err := s.drainAndCheck(ctx, b, b.program, i+1)
		if err != nil {
			return err
		}
		list = append(list, r)
		if s.beside != "" {
			if _, err := s.drainAndCheck(ctx, b, s.beside, i+1); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(list, func(a, b result) int { return int((a.cpu - b.cpu) * 1e3) })
	m := list[len(list)/2]
	verdict := m.parity
	for _, r := range list {
		if r.parity.wrong != nil {
			verdict = r.parity
		}
	}
	flink := "flink_orders_per_s=- flink_orders_per_cpu_s=- ratio=-" // it was not asked
	if s.flink != "" {
		f, ratio, err := s.besideFlink(ctx, b, m)
		if err != nil {
			return err
		}
		slog.Info("drained by Flink", "orders_per_s", int(f.perSecond), "cpu_s_per_million", 1e6/f.perCPUSecond, "compared", f.parity.compared, "parity", f.parity.verdict())
		flink = fmt.Sprintf("flink_orders_per_s=%.0f flink_orders_per_cpu_s=%.0f ratio=%.1f", f.perSecond, f.perCPUSecond, ratio)
		if f.parity.wrong != nil {
			verdict = f.parity
		}
	}
	fmt.Printf("orders_per_s=%.0f orders_per_cpu_s=%.0f %s rss_mib=%d compared=%d parity=%s\n",
		m.perSecond(s.Orders), float64(s.Orders)/m.cpu, flink, m.rssMiB, verdict.compared, verdict.verdict())
	return verdict.wrong
}

// drainAndCheck drains the backlog once with a build of the program.
func (s settings) drainAndCheck(ctx context.Context, b *backlog, program string, run int) (result, error) {
	r, err := s.drain(ctx, b.cluster, program)
	if err != nil {
		return r, err
	}
	r.parity, err = s.check(ctx, b.cluster.Config(), feed.TopicWindows, s.lastWindow(), b.expected)
	if err != nil {
		return r, err
	}
	slog.Info("drained", "program", program, "run", run, "seconds", r.seconds, "orders_per_s", int(r.perSecond(s.Orders)), "cpu_s_per_million", r.cpuPerMillion(s.Orders), "without_start", r.runningPerMillion(s.Orders), "start_cpu_s", r.startCPU,
		"broker_cpu_s_per_million", r.brokerCPU/float64(s.Orders)*1e6, "rss_mib", r.rssMiB, "back_s", r.back, "compared", r.parity.compared, "parity", r.parity.verdict(), "shoppers", r.parity.shoppers.String())
	return r, nil
}

func log() *slog.Logger { return slog.Default() }

// waitReady waits for the broker.
func waitReady(ctx context.Context, c kafka.Config) error {
	c.Logger = log()
	return kafka.WaitReady(ctx, c)
}
