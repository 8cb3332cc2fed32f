// Command latency measures how long a record that Kafka has takes to the
// sockets of clients: of a pod directly, behind the shipped nginx, and while a
// storm of other clients comes back with old ids. It starts a Kafka of one node,
// a pod and nginx, and has livemap load hold the clients. Run it with nothing
// else on the machine:
//
//	go run ./e2e/latency -clients 1000 -storm 15000
//
// Records carry the time at which the broker took them, in whole milliseconds
// rounded down: latencies are up to a millisecond too long. Start at run.
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
	"regexp"
	"strconv"
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
	ramp        = "5s"
	hold        = "20s"
	stormEvery  = "10s"
)

func main() {
	clients := flag.Int("clients", 1000, "clients whose latency is measured")
	storm := flag.Int("storm", 15_000, "clients that come back at once, every ten seconds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *clients, *storm)
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
}

func run(ctx context.Context, clients, storm int) (err error) {
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
	writing, stopWriting := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- s.write(writing) }()
	err = s.measure(clients, storm)
	stopWriting()
	return errors.Join(err, <-wrote)
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
		value := fmt.Appendf(nil, `{"n":%d,"filler":"%0*d"}`, n, recordBytes, 0)
		if err := p.Produce(ctx, kafka.Record{Topic: topic, Value: value}); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// measure prints a line for each situation.
func (s *scene) measure(clients, storm int) error {
	direct, behind := "http://"+s.pod.Addr, "http://"+s.proxy.Addr
	if err := s.show("direct", s.load("direct", direct, clients)); err != nil {
		return err
	}
	if err := s.show("nginx", s.load("nginx", behind, clients)); err != nil {
		return err
	}
	for _, pattern := range []string{"steady", "reconnect"} {
		crowd := s.load("crowd-"+pattern, direct, storm, "--pattern", pattern, "--storm-every", stormEvery, "--eager")
		watch := s.load("beside-"+pattern, direct, clients)
		if err := crowd.Start(); err != nil {
			return err
		}
		err := s.show("beside "+strconv.Itoa(storm)+" "+pattern, watch)
		<-crowd.Gone()
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", "the "+strconv.Itoa(storm)+" "+pattern, lastLine.FindString(crowd.Output()))
	}
	return nil
}

// load returns a swarm of clients.
func (s *scene) load(name, origin string, clients int, more ...string) *stage.Command {
	args := append([]string{"load", "--url", origin + "/v1/events?topics=" + topic + "&envelope=1", "--connections", strconv.Itoa(clients),
		"--ramp", ramp, "--duration", hold, "--slow", "0%"}, more...)
	return stage.NewCommand(s.program, s.dir, "load-"+name, args...)
}

var lastLine = regexp.MustCompile(`(?m)^connections=.*$`)

// show runs a swarm to its end and prints its last line.
func (s *scene) show(what string, load *stage.Command) error {
	if err := load.Start(); err != nil {
		return err
	}
	<-load.Gone()
	line := lastLine.FindString(load.Output())
	if line == "" {
		return fmt.Errorf("%s: livemap load says nothing but:\n%s", what, load.Tail())
	}
	fmt.Printf("%s: %s\n", what, line)
	return nil
}
