package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"livemap/feed"
	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// flinkCluster is a session cluster with the job on it, whose processes a test
// kills one by one.
type flinkCluster struct {
	state string // folder of checkpoints, process ids and logs
	rest  string // port
	flags []string
	job   string
}

// newFlinkCluster starts a cluster and the job; both end with the test.
func newFlinkCluster(ctx context.Context, t *testing.T, state string, flags ...string) *flinkCluster {
	t.Helper()
	_, port, err := net.SplitHostPort(testkit.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	f := &flinkCluster{state: state, rest: port, flags: append(flags, "--topic-prefix", flinkPrefix)}
	t.Cleanup(func() {
		f.do(context.WithoutCancel(ctx), t, "stop")
		if t.Failed() {
			for _, log := range []string{"jobmanager", "taskmanager"} {
				b, _ := os.ReadFile(filepath.Join(state, "log", log+".log"))
				t.Logf("%s printed:\n%s", log, lastLines(b, 40))
			}
		}
	})
	f.do(ctx, t, "start")
	f.submit(ctx, t, "")
	return f
}

// do runs a command of flink/cluster and returns what it printed.
func (f *flinkCluster) do(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "../flink/cluster", args...)
	cmd.Env = append(os.Environ(), "LIVEMAP_FLINK_HEAP="+flinkHeap, "LIVEMAP_FLINK_STATE="+f.state, "LIVEMAP_FLINK_REST="+f.rest)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("flink/cluster %s: %v\n%s%s", args[0], err, out, lastLines(problems.Bytes(), 30))
	}
	return strings.TrimSpace(string(out))
}

var submitted = regexp.MustCompile(`livemap: job (\w+) runs`)

// submit starts the job, from a checkpoint or savepoint if from names one.
func (f *flinkCluster) submit(ctx context.Context, t *testing.T, from string) {
	t.Helper()
	args := append([]string{"submit"}, f.flags...)
	if from != "" {
		args = append(args, "-Dexecution.state-recovery.path="+from)
	}
	out := f.do(ctx, t, args...)
	m := submitted.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("flink/cluster submit did not name the job: %s", out)
	}
	f.job = m[1]
}

// kill ends a process of the cluster as a crash would, while a transaction
// with windows in it is open.
func (f *flinkCluster) kill(ctx context.Context, t *testing.T, c kafka.Config, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.state, name+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	open := awaitOpenTransaction(ctx, t, c, flinkPrefix+feed.TopicWindows)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for { // the kernel takes a moment to end it
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || bytes.Contains(status, []byte("State:\tZ")) {
			break
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s outlives its SIGKILL: %v", name, ctx.Err())
		}
	}
	t.Logf("%s killed with %d records in an open transaction", name, open)
}

// awaitOpenTransaction waits until the one partition of a topic ends with
// records that are not committed, and returns how many.
func awaitOpenTransaction(ctx context.Context, t *testing.T, c kafka.Config, topic string) int64 {
	t.Helper()
	admin, err := kafkatest.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for {
		open, err := admin.Uncommitted(ctx, topic, 0)
		if err == nil && open > 0 {
			return open
		}
		select {
		case <-time.After(5 * time.Millisecond): // the broker tells nobody
		case <-ctx.Done():
			t.Fatalf("no transaction is open on %s: %v (%v)", topic, ctx.Err(), err)
		}
	}
}

// newestCheckpointPath returns where the newest whole checkpoint lies.
func newestCheckpointPath(t *testing.T, state string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(state, "checkpoints", "*", "chk-"+strconv.Itoa(newestCheckpoint(t, state)), "_metadata"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no checkpoint in %s: %v", state, err)
	}
	return "file://" + filepath.Dir(found[0])
}

// goesOn waits for windows that were not there when it was called.
func (r *reading) goesOn(ctx context.Context, t *testing.T) {
	t.Helper()
	r.mu.Lock()
	before := r.records[feed.TopicWindows]
	r.mu.Unlock()
	r.await(ctx, t, "windows after a restart", func() bool { return r.records[feed.TopicWindows] > before })
}

// survive runs the job while orders come, and kills what runs it: the
// TaskManager, which the JobManager makes good from a checkpoint; the
// JobManager, after which the job is submitted again; and at last the job
// stops with a savepoint and goes on from that.
func (f *flinkCluster) survive(ctx context.Context, t *testing.T, c kafka.Config, seen *reading) {
	t.Helper()
	seen.goesOn(ctx, t)
	f.kill(ctx, t, c, "taskmanager")
	f.do(ctx, t, "start")
	seen.goesOn(ctx, t)
	f.kill(ctx, t, c, "jobmanager")
	f.do(ctx, t, "start")
	f.submit(ctx, t, newestCheckpointPath(t, f.state))
	seen.goesOn(ctx, t)
	awaitOpenTransaction(ctx, t, c, flinkPrefix+feed.TopicWindows)
	savepoint := f.do(ctx, t, "savepoint", f.job)
	f.submit(ctx, t, savepoint)
	seen.goesOn(ctx, t)
	t.Logf("the job went on from savepoint %s", filepath.Base(savepoint))
}

// trickle sends records at a pace that leaves time to kill something, and the
// rest at once when hurry is closed.
func trickle(ctx context.Context, c kafka.Config, records []kafka.Record, hurry <-chan struct{}) error {
	p, err := kafka.NewProducer(c)
	if err != nil {
		return err
	}
	defer p.Close()
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for i, r := range records {
		if i%5 == 0 { // a hundred a second
			select {
			case <-pace.C:
			case <-hurry:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r.Topic = feed.TopicOrders
		if err := p.Produce(ctx, r); err != nil {
			return err
		}
	}
	return p.Flush(ctx)
}
