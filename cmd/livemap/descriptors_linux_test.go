package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/internal/child"
	"livemap/internal/testkit"
	"livemap/kafka"
)

// What a pod with few descriptors is given, and how many come to it.
const (
	fewDescriptors = 700
	manyClients    = 650
)

// TestOutOfDescriptors: more clients come than the pod has descriptors for. As
// many are served as there is room for, the surplus is told to come back, and the
// admin address and Kafka go on working, for descriptors are kept back for them.
func TestOutOfDescriptors(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	broker, public, admin := testkit.FreeAddress(t), testkit.FreeAddress(t), testkit.FreeAddress(t)
	dir := t.TempDir()
	begin := func(name, command string) *child.Process {
		p, err := child.Options{Dir: dir}.Start(filepath.Join(dir, name), "bash", "-c", "exec -a livemap \"$0\" "+command, self)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	defer begin("broker.log", "broker --data-dir data --listen "+broker).Kill()
	if makeTopic(broker, "events", feed.Log) != 0 {
		t.Fatal("no topic")
	}
	if err := os.WriteFile(filepath.Join(dir, "livemap.yaml"), []byte("topics: {events: {kind: log, recent: 0}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := child.Options{Dir: dir}.Start(filepath.Join(dir, "serve.log"), "bash", "-c",
		fmt.Sprintf("ulimit -n %d; exec -a livemap \"$0\" serve --anonymous --config livemap.yaml --kafka %s --listen %s --admin-listen %s",
			fewDescriptors, broker, public, admin), self)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	patient(t, "the pod listens", func() bool {
		conn, err := net.Dial("tcp", public)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	before := descriptorsOf(t, p.PID())
	var conns []net.Conn
	var served, told []*bufio.Reader
	for range manyClients {
		conn, err := net.Dial("tcp", public)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(2 * helperLimit))
		if _, err := io.WriteString(conn, "GET /v1/events?topics=events HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		switch first := eventName(t, r); first {
		case "hello":
			served = append(served, r)
		case "goodbye":
			told = append(told, r)
		default:
			t.Fatalf("first event %q", first)
		}
	}
	t.Logf("%d served, %d told to come back", len(served), len(told))
	if want := fewDescriptors - 256; len(served) < want-20 || len(served) > want {
		t.Errorf("%d of %d are served, want about %d", len(served), manyClients, want)
	}
	metrics := adminMetrics(t, admin)
	if want := fmt.Sprintf("livemap_hub_clients %d\n", len(served)); !strings.Contains(metrics, want) {
		t.Errorf("metrics lack %q", want)
	}
	producer, err := kafka.NewProducer(kafka.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.Produce(t.Context(), kafka.Record{Topic: "events", Key: []byte("k"), Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	for _, r := range served {
		for eventName(t, r) != "events" { // heartbeats may come before it
		}
	}
	for _, c := range conns {
		c.Close()
	}
	patient(t, "all descriptors are closed", func() bool { return descriptorsOf(t, p.PID()) <= before+8 })
}

// descriptorsOf returns how many a process has open.
func descriptorsOf(t *testing.T, pid int) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// eventName returns the name of the next event.
func eventName(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			return strings.TrimSpace(name)
		}
	}
}

func adminMetrics(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// patient asks until something is so.
func patient(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * helperLimit); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, 2*helperLimit)
		}
	}
}
