package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"livemap/internal/child"
	"livemap/kafka"
)

// Patience with a node. It starts in some four seconds on an idle machine.
const (
	startWithin = 90 * time.Second
	stopWithin  = 30 * time.Second
	startTries  = 3 // another process may take a port that was free a moment ago
)

// clusterID is that of every cluster here: they never meet.
const clusterID = "MkU3OEVBNTcwNTJENDM2Qg"

// errPortTaken: a node ended because its port was taken meanwhile.
var errPortTaken = errors.New("a port was taken meanwhile")

// Node is one process of Kafka, broker and controller at once. It is for one
// goroutine.
type Node struct {
	cluster    *Cluster
	id         int
	dir        string
	port       int            // of clients
	controller int            // of the quorum
	extra      map[string]int // ports of further listeners, by name
	process    *child.Process // nil when not running
}

// ID is the node's number, from 1.
func (n *Node) ID() int { return n.id }

// Addr is where clients connect, host:port. It stays over restarts.
func (n *Node) Addr() string { return child.Address(n.port) }

// PID is the number of the running process.
func (n *Node) PID() int { return n.process.PID() }

// Running says whether the node has been started and not ended by us.
func (n *Node) Running() bool { return n.process != nil }

// Start starts a node that was stopped or killed, on its data and address, and
// waits until it answers.
func (n *Node) Start() error {
	if n.process != nil {
		return fmt.Errorf("start kafka node %d: it is running", n.id)
	}
	if err := n.launch(); err != nil {
		return err
	}
	return n.await()
}

// Stop ends the node as an operator would and waits until it is gone. The error
// says that it had to be killed.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Kill ends the node without warning and waits until it is gone.
func (n *Node) Kill() { _ = n.end(syscall.SIGKILL) }

// Freeze stops the node in the middle of what it does, until Thaw.
func (n *Node) Freeze() error { return n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(sig syscall.Signal) error {
	if n.process == nil {
		return fmt.Errorf("signal kafka node %d: it is not running", n.id)
	}
	return n.process.Signal(sig)
}

func (n *Node) end(sig syscall.Signal) error {
	if n.process == nil {
		return nil
	}
	ended := n.process.End(sig, stopWithin)
	n.process = nil
	if !ended {
		return fmt.Errorf("kafka node %d did not end within %s of signal %q; it was killed", n.id, stopWithin, sig)
	}
	return nil
}

// pick chooses ports. It must be done for all nodes before any is formatted,
// for each knows the others.
func (n *Node) pick() error {
	var err error
	if n.port, err = child.FreePort(); err != nil {
		return err
	}
	if n.controller, err = child.FreePort(); err != nil {
		return err
	}
	n.extra = map[string]int{}
	for _, l := range n.cluster.listeners {
		if n.extra[l.name], err = child.FreePort(); err != nil {
			return err
		}
	}
	return nil
}

// format writes the node's settings and formats its storage.
func (n *Node) format() error {
	data := n.path("data")
	_, err := os.Stat(filepath.Join(data, "meta.properties"))
	if n.cluster.kept && err == nil {
		return os.WriteFile(n.path("server.properties"), n.serverProperties(data), 0o600)
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(n.path("server.properties"), n.serverProperties(data), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(n.path("log4j2.xml"), []byte(log4j2), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	args := append([]string{"format", "-t", clusterID, "-c", n.path("server.properties")}, n.cluster.formatArgs...)
	out, err := exec.CommandContext(ctx, "java", n.java("kafka.tools.StorageTool", args...)...).CombinedOutput() //nolint:gosec // our own paths
	if err != nil {
		return fmt.Errorf("format storage: %w\n%s", err, out)
	}
	return nil
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

// java returns the arguments to run a class of Kafka. The quick compiler alone
// and a serial collector suit a broker that lives for minutes on two cores.
func (n *Node) java(class string, args ...string) []string {
	return append([]string{
		"-Xms64m", "-Xmx" + strconv.Itoa(n.cluster.heapMiB) + "m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + n.path("log4j2.xml"),
		"-cp", filepath.Join(n.cluster.lib, "*"), class,
	}, args...)
}

const log4j2 = `<Configuration status="WARN"><Appenders><Console name="out" target="SYSTEM_OUT">
<PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>`

// serverProperties are the settings of the node: one that tests can watch
// cleaning, and whose death the others notice in seconds.
func (n *Node) serverProperties(data string) []byte {
	client, controller := n.Addr(), child.Address(n.controller)
	copies := strconv.Itoa(len(n.cluster.nodes))
	inSync := strconv.Itoa(len(n.cluster.nodes)/2 + 1)
	voters := make([]string, len(n.cluster.nodes))
	for i, o := range n.cluster.nodes {
		voters[i] = strconv.Itoa(o.id) + "@" + child.Address(o.controller)
	}
	listeners, advertised := "PLAINTEXT://"+client, "PLAINTEXT://"+client
	protocols := "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	for _, l := range n.cluster.listeners {
		at := "," + l.name + "://" + child.Address(n.extra[l.name])
		listeners, advertised = listeners+at, advertised+at
		protocols += "," + l.name + ":" + l.protocol
	}
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          strconv.Itoa(n.id),
		"controller.quorum.voters":                         strings.Join(voters, ","),
		"listeners":                                        listeners + ",CONTROLLER://" + controller,
		"advertised.listeners":                             advertised,
		"controller.listener.names":                        "CONTROLLER",
		"inter.broker.listener.name":                       "PLAINTEXT",
		"listener.security.protocol.map":                   protocols,
		"log.dirs":                                         data,
		"num.partitions":                                   "1",
		"default.replication.factor":                       copies,
		"min.insync.replicas":                              inSync,
		"offsets.topic.replication.factor":                 copies,
		"offsets.topic.num.partitions":                     "1",
		"transaction.state.log.replication.factor":         copies,
		"transaction.state.log.min.isr":                    inSync,
		"transaction.state.log.num.partitions":             copies,
		"share.coordinator.state.topic.replication.factor": copies,
		"share.coordinator.state.topic.min.isr":            inSync,
		"group.initial.rebalance.delay.ms":                 "0",
		"auto.create.topics.enable":                        "false",
		"log.segment.bytes":                                "134217728",
		"log.retention.check.interval.ms":                  "1000",
		"log.initial.task.delay.ms":                        "500",
		"log.cleaner.backoff.ms":                           "500",
		"log.cleaner.dedupe.buffer.size":                   "16777216",
		"controlled.shutdown.enable":                       strconv.FormatBool(len(n.cluster.nodes) > 1),
		"broker.session.timeout.ms":                        "4000",
		"broker.heartbeat.interval.ms":                     "500",
		"replica.lag.time.max.ms":                          "4000",
	}
	maps.Copy(p, n.cluster.properties)
	var out bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&out, "%s=%s\n", k, p[k])
	}
	return out.Bytes()
}

// launch starts the process.
func (n *Node) launch() error {
	var err error
	n.process, err = child.Start(n.path("kafka.log"), "java", n.java("kafka.Kafka", n.path("server.properties"))...)
	return err
}

// await returns when the node answers. A node that does not is killed.
func (n *Node) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- kafka.WaitReady(ctx, kafka.Config{Brokers: []string{n.Addr()}}) }()
	var err error
	select {
	case err = <-ready:
	case <-n.process.Gone():
		cancel()
		<-ready
		err = errors.New("it ended by itself")
	}
	if err == nil {
		return nil
	}
	n.Kill()
	out, _ := os.ReadFile(n.path("kafka.log")) // for the message only
	const most = 4 << 10
	out = out[max(0, len(out)-most):]
	if bytes.Contains(out, []byte("Address already in use")) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return fmt.Errorf("kafka node %d: %w; the end of its log:\n%s", n.id, err, out)
}
