package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"livemap/e2e/numbered"
	"livemap/e2e/stage"
	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// What every scene holds.
const (
	pods       = 3
	workers    = 2 // of nginx
	partitions = 4 // of the numbered topic and of orders
	orderRate  = 20
	// maxAge is how long a client may be away and still be owed every record.
	maxAge = 40 * time.Second
	// shutdown is how long nginx's old workers keep their streams after a reload.
	shutdown = 3 * time.Second
)

// setting is what scenes differ in.
type setting struct {
	nodes      int  // of Kafka
	aggregated bool // with orders and aggregators
	// streamAge is when a stream is asked to reconnect, drain over what time a pod
	// that ends lets go of its streams.
	streamAge, drain time.Duration
}

// whole is the scene of the fault run. Streams are asked to reconnect about twice a
// minute, so that pods fill again after their death.
var whole = setting{nodes: 3, aggregated: true, streamAge: 30 * time.Second, drain: 2 * time.Second}

// scene is everything that runs: Kafka, pods, nginx, orders and aggregators.
type scene struct {
	setting
	log         *slog.Logger
	dir         string
	kafka       *kafkatest.Cluster
	admin       *kafkatest.Admin
	pods        []*stage.Pod
	proxy       *stage.Proxy
	orders      *stage.Command
	aggregators []*stage.Command // by instance
	instances   []string
}

// raise starts everything in dir. What was started is ended by close, also
// after an error.
func raise(ctx context.Context, log *slog.Logger, dir string, seed uint64, what setting) (*scene, error) {
	s := &scene{setting: what, log: log, dir: dir}
	program, err := stage.Build(ctx, dir)
	if err != nil {
		return s, err
	}
	lib, err := kafkatest.Lib()
	if err != nil {
		return s, err
	}
	log.Info("starting Kafka", "nodes", s.nodes)
	if s.kafka, err = kafkatest.Open(lib, filepath.Join(dir, "kafka"), s.nodes); err != nil {
		return s, err
	}
	if s.admin, err = kafkatest.NewAdmin(s.kafka.Config()); err != nil {
		return s, err
	}
	err = errors.Join(
		numbered.MakeTopics(ctx, s.producer(seed)),
		kafka.EnsureTopics(ctx, s.kafka.Config(), kafka.TopicSpec{Name: feed.TopicOrders, Kind: feed.Log, Partitions: partitions}))
	if err != nil {
		return s, err
	}
	log.Info("starting aggregators, pods and nginx")
	if s.aggregated {
		if err := s.raiseAggregation(program, seed); err != nil {
			return s, err
		}
	}
	return s, s.raisePods(ctx, program)
}

func (s *scene) producer(seed uint64) numbered.ProducerConfig {
	return numbered.ProducerConfig{Kafka: s.kafka.Config(), Partitions: partitions, Every: 400 * time.Millisecond, Seed: seed}
}

// truth reads what Kafka holds.
func (s *scene) truth(ctx context.Context) (*numbered.Truth, error) {
	return numbered.ReadTruth(ctx, s.kafka.Config())
}

func (s *scene) brokers() []string { return s.kafka.Config().Brokers }

func (s *scene) raiseAggregation(program string, seed uint64) error {
	brokers := strings.Join(s.brokers(), ",")
	s.orders = stage.NewCommand(program, s.dir, "orders", "orders", "--kafka", brokers, "--rate", strconv.Itoa(orderRate), "--seed", strconv.FormatUint(seed, 10))
	s.instances = []string{"a", "b"}
	for _, name := range s.instances {
		s.aggregators = append(s.aggregators, stage.NewCommand(program, s.dir, "aggregate-"+name, "aggregate", "--kafka", brokers, "--instance", name))
	}
	for _, c := range append(slices.Clone(s.aggregators), s.orders) {
		if err := c.Start(); err != nil {
			return err
		}
	}
	return nil
}

// topics is what the pods serve.
const topics = `topics:
  numbers: {kind: log, max_age: %s, recent: 50}
  board: {kind: state}
`

func (s *scene) raisePods(ctx context.Context, program string) error {
	config := filepath.Join(s.dir, "livemap.yaml")
	text := fmt.Appendf(nil, topics, maxAge)
	if s.aggregated {
		text = append(text, "  metrics: {kind: state}\n"...)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	for i := range pods {
		p, err := stage.NewPod(program, s.dir, "pod"+strconv.Itoa(i), s.brokers(), "--config", config, "--anonymous",
			"--heartbeat", "5s", "--max-stream-age", s.streamAge.String(), "--drain", s.drain.String(), "--trusted-proxies", "127.0.0.0/8")
		if err != nil {
			return err
		}
		s.pods = append(s.pods, p)
	}
	var group errgroup.Group
	for _, p := range s.pods {
		group.Go(func() error { return p.Start(ctx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var err error
	if s.proxy, err = stage.NewProxy(filepath.Join(s.dir, "nginx"), stage.ProxyConfig{Workers: workers, Shutdown: shutdown}, s.pods...); err != nil {
		return err
	}
	return s.proxy.Start(ctx)
}

// close ends everything and returns what did not end well.
func (s *scene) close() error {
	var errs []error
	if s.orders != nil {
		errs = append(errs, s.orders.Stop())
	}
	for _, a := range s.aggregators {
		errs = append(errs, a.Stop())
	}
	for _, p := range s.pods {
		errs = append(errs, p.Terminate())
	}
	for _, p := range s.pods {
		errs = append(errs, p.Stop())
	}
	if s.proxy != nil {
		errs = append(errs, s.proxy.Stop())
	}
	if s.admin != nil {
		s.admin.Close()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	return errors.Join(errs...)
}
