package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"livemap/internal/child"
	"livemap/kafka"
)

// Option changes how a cluster is started.
type Option func(*Cluster)

// Property sets a line of server.properties of every node.
func Property(key, value string) Option {
	return func(c *Cluster) { c.properties[key] = value }
}

// Stopped makes Open and StartBroker prepare the nodes but not start them:
// addresses are known and nobody answers there until they are started.
func Stopped() Option { return func(c *Cluster) { c.stopped = true } }

// Listener adds a listener with a security protocol of Kafka (SSL, SASL_SSL,
// SASL_PLAINTEXT) to every node; [Cluster.At] says where. Names are in capitals.
func Listener(name, protocol string) Option {
	return func(c *Cluster) { c.listeners = append(c.listeners, listener{name, protocol}) }
}

// Scram makes a user with a SCRAM password when the storage is formatted.
// mechanism is as Kafka writes it: SCRAM-SHA-256, SCRAM-SHA-512.
func Scram(mechanism, user, password string) Option {
	return func(c *Cluster) {
		c.formatArgs = append(c.formatArgs, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, password))
	}
}

// Kept makes a cluster go on with the data that one of the same folder left: what
// took minutes to write can be read again and again.
func Kept() Option { return func(c *Cluster) { c.kept = true } }

type listener struct{ name, protocol string }

// Cluster is one Kafka of one or more nodes. It is for one goroutine.
type Cluster struct {
	lib        string
	heapMiB    int
	properties map[string]string
	listeners  []listener
	formatArgs []string
	stopped    bool
	kept       bool
	nodes      []*Node
}

// Heap of a node. Three of a cluster share a small machine.
const (
	loneHeapMiB   = 600
	sharedHeapMiB = 320
)

// Open starts a cluster of so many nodes, with that many copies of every
// partition, on data below dir. lib is the folder of Kafka's jars. The caller
// closes it.
func Open(lib, dir string, nodes int, opts ...Option) (*Cluster, error) {
	found, err := filepath.Glob(filepath.Join(lib, "kafka_2.13-*.jar"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no Kafka in %s: run make setup", lib)
	}
	c := &Cluster{lib: lib, heapMiB: sharedHeapMiB, properties: map[string]string{}}
	if nodes == 1 {
		c.heapMiB = loneHeapMiB
	}
	for i := range nodes {
		c.nodes = append(c.nodes, &Node{cluster: c, id: i + 1, dir: filepath.Join(dir, "node"+strconv.Itoa(i+1))})
	}
	for _, o := range opts {
		o(c)
	}
	for range startTries {
		if err = c.open(); err == nil || !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	return c, nil
}

// open formats and starts all nodes, beside each other: one of a quorum does
// not answer before another is there.
func (c *Cluster) open() error {
	for _, n := range c.nodes {
		if err := n.pick(); err != nil {
			return err
		}
	}
	var group errgroup.Group
	for _, n := range c.nodes {
		group.Go(n.format)
	}
	if err := group.Wait(); err != nil || c.stopped {
		return err
	}
	for _, n := range c.nodes {
		if err := n.launch(); err != nil {
			return err
		}
	}
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.await())
	}
	if err := errors.Join(errs...); err != nil {
		c.Close()
		return err
	}
	return nil
}

// Close kills all nodes and waits until they are gone.
func (c *Cluster) Close() {
	for _, n := range c.nodes {
		n.Kill()
	}
}

// Nodes returns the nodes, in the order of their numbers.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Config returns how to reach the cluster, by any of its nodes.
func (c *Cluster) Config() kafka.Config {
	var config kafka.Config
	for _, n := range c.nodes {
		config.Brokers = append(config.Brokers, n.Addr())
	}
	return config
}

// At returns the addresses of a listener that was added with [Listener].
func (c *Cluster) At(name string) []string {
	var at []string
	for _, n := range c.nodes {
		at = append(at, child.Address(n.extra[name]))
	}
	return at
}

// Lib returns the folder of Kafka's jars: LIVEMAP_KAFKA_LIB, or where make
// setup puts them below the repository that the working folder is in.
func Lib() (string, error) {
	if dir := os.Getenv("LIVEMAP_KAFKA_LIB"); dir != "" {
		return dir, nil
	}
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, ".cache", "kafka", "lib"), nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("no go.mod above the working folder: set LIVEMAP_KAFKA_LIB")
		}
		at = up
	}
}
