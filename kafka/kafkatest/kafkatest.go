// Package kafkatest starts a real Kafka broker for tests: [Start] for those who
// need an address, [StartBroker] for those who stop, kill and restart it too.
//
// The jars come from Maven (ci/kafka/pom.xml, fetched by "make setup" into
// .cache/kafka/lib, or where LIVEMAP_KAFKA_LIB points) and need a Java 17 on
// the PATH. A broker is one process of at most 600 MB of heap that acts as its own
// controller, keeps its data in the test's directory and ends with the test.
package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"livemap/kafka"
)

// Patience with the broker. It starts in some four seconds on an idle machine.
const (
	startWithin = 90 * time.Second
	stopWithin  = 30 * time.Second
	startTries  = 3 // another process may take a port that was free a moment ago
)

// Option changes how a broker is started.
type Option func(*Broker)

// Property sets a line of server.properties.
func Property(key, value string) Option {
	return func(b *Broker) { b.properties[key] = value }
}

// Stopped makes StartBroker prepare the broker but not start it: its address is
// known and nobody answers there until Restart.
func Stopped() Option { return func(b *Broker) { b.stopped = true } }

// Start starts a broker that ends with the test and returns how to reach it.
func Start(t testing.TB, opts ...Option) kafka.Config {
	t.Helper()
	return StartBroker(t, opts...).Config()
}

// Broker is a broker of one test. It is for the test's goroutine.
type Broker struct {
	t          testing.TB
	lib        string
	dir        string
	port       int // of clients
	controller int // port of the quorum
	properties map[string]string
	stopped    bool
	process    *process // nil when not running
}

// StartBroker starts a broker that ends with the test.
func StartBroker(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	b := &Broker{t: t, lib: jars(t), dir: t.TempDir(), properties: map[string]string{}}
	for _, o := range opts {
		o(b)
	}
	var err error
	for range startTries {
		if err = b.prepare(); err != nil {
			break
		}
		if b.stopped {
			break
		}
		if err = b.run(); err == nil || !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		t.Fatalf("start kafka: %v", err)
	}
	t.Cleanup(b.Kill)
	return b
}

// Addr is where clients connect, host:port. It stays over restarts.
func (b *Broker) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// Config returns how to reach the broker.
func (b *Broker) Config() kafka.Config { return kafka.Config{Brokers: []string{b.Addr()}} }

// Stop ends the broker as an operator would and waits until it is gone.
func (b *Broker) Stop() { b.end(syscall.SIGTERM) }

// Kill ends the broker without warning and waits until it is gone.
func (b *Broker) Kill() { b.end(syscall.SIGKILL) }

// Restart starts a broker that was stopped or killed, on its data and address.
func (b *Broker) Restart() {
	b.t.Helper()
	if b.process != nil {
		b.t.Fatal("restart kafka: it is running")
	}
	if err := b.run(); err != nil {
		b.t.Fatalf("restart kafka: %v", err)
	}
}

func (b *Broker) end(sig syscall.Signal) {
	if b.process == nil {
		return
	}
	if !b.process.end(sig, stopWithin) {
		b.t.Errorf("kafka did not end within %s of signal %q; it was killed", stopWithin, sig)
	}
	b.process = nil
}

// prepare picks ports and formats the storage.
func (b *Broker) prepare() error {
	var err error
	if b.port, err = freePort(); err != nil {
		return err
	}
	if b.controller, err = freePort(); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.WriteFile(b.path("server.properties"), b.serverProperties(data), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(b.path("log4j2.xml"), []byte(log4j2), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, "java", b.java("kafka.tools.StorageTool", //nolint:gosec // our own paths
		"format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", b.path("server.properties"))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format storage: %w\n%s", err, out)
	}
	return nil
}

func (b *Broker) path(name string) string { return filepath.Join(b.dir, name) }

// java returns the arguments to run a class of Kafka. The quick compiler alone
// and a serial collector suit a broker that lives for seconds on two cores.
func (b *Broker) java(class string, args ...string) []string {
	return append([]string{
		"-Xms128m", "-Xmx600m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + b.path("log4j2.xml"),
		"-cp", filepath.Join(b.lib, "*"), class,
	}, args...)
}

const log4j2 = `<Configuration status="WARN"><Appenders><Console name="out" target="SYSTEM_OUT">
<PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>`

// serverProperties is a node that is broker and controller, with one copy of
// everything and cleaning that tests can watch.
func (b *Broker) serverProperties(data string) []byte {
	client := b.Addr()
	controller := net.JoinHostPort("127.0.0.1", strconv.Itoa(b.controller))
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + controller,
		"listeners":                                        "PLAINTEXT://" + client + ",CONTROLLER://" + controller,
		"advertised.listeners":                             "PLAINTEXT://" + client,
		"controller.listener.names":                        "CONTROLLER",
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
		"log.dirs":                                         data,
		"num.partitions":                                   "1",
		"default.replication.factor":                       "1",
		"min.insync.replicas":                              "1",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"auto.create.topics.enable":                        "false",
		"log.segment.bytes":                                "134217728",
		"log.retention.check.interval.ms":                  "1000",
		"log.initial.task.delay.ms":                        "500",
		"log.cleaner.backoff.ms":                           "500",
		"log.cleaner.dedupe.buffer.size":                   "16777216",
		"controlled.shutdown.enable":                       "false",
	}
	maps.Copy(p, b.properties)
	var out bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&out, "%s=%s\n", k, p[k])
	}
	return out.Bytes()
}

// freePort returns a port that is free now and lies below those that systems
// hand out by themselves, so that it is likely to stay free until it is used
// and over restarts.
func freePort() (int, error) {
	const first, count, tries = 20_000, 10_000, 50
	for range tries {
		port := first + int(time.Now().UnixNano()/1000)%count
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, ln.Close()
		}
	}
	return 0, errors.New("no free port between 20000 and 29999")
}

// jars finds the folder of Kafka's jars.
func jars(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LIVEMAP_KAFKA_LIB")
	if dir == "" {
		at, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(at)
			if up == at {
				t.Fatal("no go.mod above the test's directory")
			}
			at = up
		}
		dir = filepath.Join(at, ".cache", "kafka", "lib")
	}
	found, err := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no Kafka in %s: run make setup", dir)
	}
	return dir
}
