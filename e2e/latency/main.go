// Command latency measures how long a record that Kafka has takes to the
// sockets of clients: of a pod directly, behind the shipped nginx, and while a
// storm of other clients comes back with old ids. It starts a Kafka of one node,
// a pod and nginx, and has livemap load hold the clients. Run it with nothing
// else on the machine:
//
//	go run ./e2e/latency -clients 1000 -storm 15000
//
// From: records carry the time at which the broker appended them, in whole
// milliseconds rounded down, so that latencies are up to a millisecond too long.
// To: the time at which the kernel received what a client then reads. Between
// the two all that the server does counts, and nothing that the clients do
// themselves: where a server has users they have machines of their own, and here
// they read 20 ms later. Two lines say what the figures are made of: that of
// one client is the way through Kafka's fetch and the pod, that of the floor is
// what as many calls of send cost here, see floor.go. Start at run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"livemap/e2e/stage"
	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// What is measured with.
const (
	topic       = "numbers"
	recordEvery = 100 * time.Millisecond
	recordBytes = 200
	// warmRecords are written one by one before anything is measured. Until a
	// virtual machine has seen a piece of code often enough it interprets it, and
	// at ten records a second a Kafka that was just started would for minutes.
	warmRecords = 5000
)

func main() {
	clients := flag.Int("clients", 1000, "clients whose latency is measured")
	rounds := flag.Int("rounds", 3, "how often all is measured, in turn")
	storm := flag.Int("storm", 15_000, "clients that come back at once, every ten seconds; 0: no storm")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *clients, *rounds, *storm)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

// scene is what the clients are connected to.
type scene struct {
	dir, program string
	log          *slog.Logger
	kafka        *kafkatest.Cluster
	pod          *stage.Pod
	proxy        *stage.Proxy
	swarms       int // that were made
}

func run(ctx context.Context, clients, rounds, storm int) (err error) {
	dir, err := os.MkdirTemp("", "livemap-latency-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nginx's workers are another user
		return err
	}
	s := &scene{dir: dir, log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.raise(ctx); err != nil {
		return err
	}
	if err := s.warm(ctx); err != nil {
		return err
	}
	return s.measure(ctx, clients, rounds, storm)
}

// beside does something while something else runs.
func beside(ctx context.Context, run func(context.Context) error, do func() error) error {
	running, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- run(running) }()
	err := do()
	stop()
	return errors.Join(err, <-ran)
}

func (s *scene) raise(ctx context.Context) error {
	var err error
	if s.program, err = stage.Build(ctx, s.dir); err != nil {
		return err
	}
	lib, err := kafkatest.Lib()
	if err != nil {
		return err
	}
	if s.kafka, err = kafkatest.Open(lib, filepath.Join(s.dir, "kafka"), 1); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(ctx, s.kafka.Config(), kafka.TopicSpec{Name: topic, Kind: feed.Log, AppendTime: true}); err != nil {
		return err
	}
	config := filepath.Join(s.dir, "livemap.yaml")
	if err := os.WriteFile(config, []byte("topics:\n  "+topic+": {kind: log}\n"), 0o600); err != nil {
		return err
	}
	s.pod, err = stage.NewPod(s.program, s.dir, "pod", s.kafka.Config().Brokers, "--config", config, "--anonymous", "--drain", "0s",
		"--trusted-proxies", "127.0.0.0/8", "--max-stream-age", "0s")
	if err != nil {
		return err
	}
	if err := s.pod.Start(ctx); err != nil {
		return err
	}
	if s.proxy, err = stage.NewProxy(filepath.Join(s.dir, "nginx"), stage.ProxyConfig{Workers: 2, Shutdown: time.Second}, s.pod); err != nil {
		return err
	}
	return s.proxy.Start(ctx)
}

func (s *scene) close() error {
	var errs []error
	if s.proxy != nil {
		errs = append(errs, s.proxy.Stop())
	}
	if s.pod != nil {
		errs = append(errs, s.pod.Stop())
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	return errors.Join(errs...)
}

// warm writes records as fast as Kafka takes one after the other.
func (s *scene) warm(ctx context.Context) error {
	p, err := kafka.NewProducer(s.kafka.Config())
	if err != nil {
		return err
	}
	defer p.Close()
	for n := range warmRecords {
		if err := errors.Join(p.Produce(ctx, kafka.Record{Topic: topic, Value: value(n)}), p.Flush(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// write writes a record every now and then until ctx is done.
func (s *scene) write(ctx context.Context) error {
	p, err := kafka.NewProducer(s.kafka.Config())
	if err != nil {
		return err
	}
	defer p.Close()
	ticks := time.NewTicker(recordEvery)
	defer ticks.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if err := p.Produce(ctx, kafka.Record{Topic: topic, Value: value(n)}); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// value is that of record n.
func value(n int) []byte { return fmt.Appendf(nil, `{"n":%d,"filler":"%0*d"}`, n, recordBytes, 0) }
