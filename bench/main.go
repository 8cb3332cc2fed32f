// Command bench measures livemap beside the servers that people use instead, in
// one run on one machine: memory per client, CPU per event, latency, and what is
// delivered when more is offered than an event a call can carry.
//
//	make bench                        three rounds, about sixteen minutes
//	make bench ROUNDS=1 ONLY=floor,livemap
//	go -C bench run . past            a crowd that comes back from the past while others listen
//	go -C bench run . -quick          a look whether all of it works
//
//	go -C bench run . conformance     what ../conformance finds of all of them
//
//	go -C bench run . scale           what ours delivers with 1, 2, 4, 8 shards
//
// The same program is also the swarm and the publisher ("bench swarm", "bench
// publish"), which it starts itself. Start at package trial for what is done,
// report for what is made of it, servers for who takes part.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"livemap/bench/publish"
	"livemap/bench/report"
	"livemap/bench/swarm"
	"livemap/bench/trial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "swarm":
			return runSwarm(args[1:], stdout)
		case "publish":
			return runPublish(ctx, args[1:])
		case "scale":
			return runScale(ctx, args[1:], stdout)
		case "put":
			return runPut(ctx, args[1:])
		case "conformance":
			return runConformance(ctx, args[1:], stdout, stderr)
		case "past":
			return runPast(ctx, args[1:], stdout, stderr)
		}
	}
	return measure(ctx, args, stdout, stderr)
}

func runSwarm(args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("swarm", flag.ContinueOnError)
	address := f.String("address", "", "of the server, as IP:PORT")
	path := f.String("path", "/", "of the stream")
	clients := f.Int("clients", 1, "connections")
	since := f.Int64("since", 0, "when the past begins that is asked for, in milliseconds since the epoch")
	spread := f.Int64("spread", 0, "milliseconds over which the clients are spread; 0: they ask for no past")
	topic := f.String("topic", "", "that tokens permit, signed with the secret in "+trial.SecretVariable+"; empty: no tokens")
	if err := f.Parse(args); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(*address)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	cfg := swarm.Config{Address: to, Path: *path, Clients: *clients, Topic: *topic, Since: *since, Spread: *spread}
	if *topic != "" {
		cfg.Secret = []byte(os.Getenv(trial.SecretVariable))
	}
	return swarm.Run(cfg, int(os.Stdin.Fd()), stdout)
}

func runPublish(ctx context.Context, args []string) (err error) {
	f := flag.NewFlagSet("publish", flag.ContinueOnError)
	to := f.String("to", "", "target: tcp://…, http://… or kafka://…/TOPIC")
	var p publish.Plan
	f.Float64Var(&p.Rate, "rate", 1, "events a second")
	f.Int64Var(&p.Count, "count", 1, "events")
	f.Int64Var(&p.First, "first", 1, "number of the first")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := p.Validate(); err != nil {
		return err
	}
	target, err := publish.Open(ctx, *to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return publish.Run(ctx, p, target)
}

// runPast measures what a crowd from the past does to those who listen.
func runPast(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := trial.Config{Logger: slog.New(slog.NewTextHandler(stderr, nil))}
	var p trial.PastConfig
	f := flag.NewFlagSet("past", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.Root, "root", "..", "folder of the repository")
	f.IntVar(&p.Live, "live", 1000, "clients that listen")
	f.IntVar(&p.Crowd, "crowd", 15_000, "clients that come at once, each from a place of its own in the past")
	f.IntVar(&p.Records, "records", 500, "records of 200 bytes that the past holds")
	f.DurationVar(&p.Quiet, "quiet", 10*time.Second, "time before the crowd is cut off")
	f.DurationVar(&p.Remembered, "remembered", 5*time.Second, "age of records that the pod forgets")
	f.BoolVar(&c.Pinned, "pinned", true, "server on core 0, all else on core 1")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if c.Self, err = os.Executable(); err != nil {
		return err
	}
	if c.Root, err = filepath.Abs(c.Root); err != nil {
		return err
	}
	c.Work = filepath.Join(c.Root, ".cache", "bench")
	r, err := trial.RunPast(ctx, c, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "past live=%d crowd=%d back=%d seconds=%.1f events=%d missing=%d again=%d rss_mib=%.0f\n",
		p.Live, p.Crowd, r.Back, r.Seconds, r.Got, r.Missing+r.Storm.Missing, r.Again+r.Storm.Again, r.RSSMiB)
	fmt.Fprintf(stdout, "past quiet_p99_ms=%.1f storm_p99_ms=%.1f quiet_sent_p99_ms=%.1f storm_sent_p99_ms=%.1f\n",
		r.Live.P99, r.Storm.P99, r.QuietMs, r.StormMs)
	return nil
}

// settings are the flags of a measurement.
type settings struct {
	trial.Config
	quick bool
	only  string
	docs  string
}

func (s *settings) parse(args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.Root, "root", "..", "folder of the repository")
	f.StringVar(&s.only, "only", "", "servers, separated by commas, of "+strings.Join(trial.Names(), ",")+"; empty for all")
	f.IntVar(&s.Rounds, "rounds", 3, "rounds; the servers take turns in each")
	f.IntVar(&s.Clients, "clients", 10_000, "connections")
	f.DurationVar(&s.Few, "few", 3*time.Second, "time of events to a hundred clients")
	f.DurationVar(&s.Settle, "settle", 3*time.Second, "pause after connecting, before memory is read")
	f.DurationVar(&s.Quiet, "quiet", 6*time.Second, "time of events at the quiet rate")
	f.Float64Var(&s.QuietRate, "quiet-rate", 5, "events a second")
	f.DurationVar(&s.Overload, "overload", 4*time.Second, "time of overload that is measured; 0 for none")
	f.Float64Var(&s.OverloadRate, "overload-rate", 100, "events a second")
	f.Func("overload-more", "events a second that are tried besides where all of it is delivered, each more than the one before (default 150,200,300)", func(text string) (err error) {
		s.OverloadMore, err = rates(text)
		return err
	})
	f.IntVar(&s.HourEvents, "hour-events", 18_000, "events that a client of ours is given before memory is read the last time, in the first round: an hour at 5 a second; 0 for none")
	f.IntVar(&s.Storm, "storm", 19_000, "clients that drop and come back at once; 0 for none")
	f.BoolVar(&s.Pinned, "pinned", true, "server on core 0, all else on core 1")
	f.BoolVar(&s.quick, "quick", false, "one short round with 200 clients: shows that it works, measures nothing")
	f.StringVar(&s.docs, "docs", "", "file whose measurements are replaced, between their marks")
	if err := f.Parse(args); err != nil {
		return err
	}
	if s.only != "" {
		s.Only = strings.Split(s.only, ",")
	}
	if s.OverloadMore == nil {
		s.OverloadMore = []float64{150, 200, 300}
	}
	if s.quick {
		s.HourEvents, s.OverloadMore = 0, nil
		s.Rounds, s.Clients, s.Storm = 1, 200, 200
		s.Few, s.Settle, s.Quiet, s.Overload = time.Second, time.Second, 2*time.Second, time.Second
	}
	return nil
}

// rates reads numbers between commas.
func rates(text string) (all []float64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		r, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func measure(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s := &settings{}
	s.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	if err := s.parse(args, stderr); err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return err
	}
	var err error
	if s.Self, err = os.Executable(); err != nil {
		return err
	}
	if s.Root, err = filepath.Abs(s.Root); err != nil {
		return err
	}
	s.Work = filepath.Join(s.Root, ".cache", "bench")
	if err := trial.Build(ctx, s.Config); err != nil {
		return err
	}
	results, err := trial.Run(ctx, s.Config)
	if len(results) == 0 {
		return err
	}
	r := report.Report{
		Config: s.Config, Results: results, Quick: s.quick,
		Machine: report.ThisMachine(), Commit: report.Commit(ctx, s.Root),
		Command: strings.Join(append([]string{"go -C bench run ."}, args...), " "), At: time.Now(),
	}
	if s.docs != "" && !s.quick {
		err = errors.Join(err, r.Replace(s.docs))
	}
	fmt.Fprintln(stdout, r.Text())
	fmt.Fprintln(stdout, r.LastLine())
	return err
}
