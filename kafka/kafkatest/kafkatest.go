// Package kafkatest starts a real Kafka for tests: [Start] for those who need an
// address, [StartBroker] for those who stop, kill and restart it too, [Open] for
// a cluster of several nodes, also outside of tests.
//
// The jars come from Maven (ci/kafka/pom.xml, fetched by "make setup" into
// .cache/kafka/lib, or where LIVEMAP_KAFKA_LIB points) and need a Java 17 on
// the PATH. A node is one process of a small heap that is broker and controller,
// keeps its data in the test's directory and ends with the test.
//
// What an operator does to topics is in admin.go, with the client library's own
// tools, and so is an independent reader of what was committed.
package kafkatest

import (
	"testing"

	"livemap/kafka"
)

// Start starts a broker that ends with the test and returns how to reach it.
func Start(t testing.TB, opts ...Option) kafka.Config {
	t.Helper()
	return StartBroker(t, opts...).Config()
}

// StartCluster starts a cluster that ends with the test.
func StartCluster(t testing.TB, nodes int, opts ...Option) *Cluster {
	t.Helper()
	lib, err := Lib()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(lib, t.TempDir(), nodes, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Broker is a Kafka of one node, of one test. It is for the test's goroutine.
type Broker struct {
	*Cluster
	t testing.TB
}

// StartBroker starts a broker that ends with the test.
func StartBroker(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	return &Broker{StartCluster(t, 1, opts...), t}
}

// Addr is where clients connect, host:port. It stays over restarts.
func (b *Broker) Addr() string { return b.nodes[0].Addr() }

// Stop ends the broker as an operator would and waits until it is gone.
func (b *Broker) Stop() {
	b.t.Helper()
	if err := b.nodes[0].Stop(); err != nil {
		b.t.Error(err)
	}
}

// Kill ends the broker without warning and waits until it is gone.
func (b *Broker) Kill() { b.nodes[0].Kill() }

// Restart starts a broker that was stopped or killed, on its data and address.
func (b *Broker) Restart() {
	b.t.Helper()
	if err := b.nodes[0].Start(); err != nil {
		b.t.Fatal(err)
	}
}
