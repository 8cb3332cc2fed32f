package broken

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"livemap/e2e/numbered"
	"livemap/e2e/stage"
	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// patience is for what takes moments on an idle machine.
const patience = 2 * time.Minute

// scene is a cluster with a pod. The cases share it, one after the other, and
// leave it whole.
type scene struct {
	dir   string
	kafka *kafkatest.Cluster
	admin *kafkatest.Admin
	pod   *stage.Pod
	first int64 // number that the next producer begins with
}

func TestKafkasOwnFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three JVMs")
	}
	s := raise(t)
	t.Run("partitions are added while clients are connected", s.partitionsAreAdded)
	t.Run("a partition without a leader does not hold up the others", s.partitionWithoutLeader)
	t.Run("a topic is made again", s.topicIsMadeAgain)
	t.Run("a batch that rotted on its disk is stepped over", s.batchRots)
}

func raise(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	program, err := stage.Build(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	lib, err := kafkatest.Lib()
	if err != nil {
		t.Fatal(err)
	}
	if s.kafka, err = kafkatest.Open(lib, filepath.Join(s.dir, "kafka"), 3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if s.admin, err = kafkatest.NewAdmin(s.kafka.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.admin.Close)
	if err := numbered.MakeTopics(t.Context(), s.config(2)); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "livemap.yaml")
	// Clients are judged as if they had followed from the beginning, so what cases
	// before theirs wrote must come among the recent records.
	if err := os.WriteFile(config, []byte("topics:\n  numbers: {kind: log, max_age: 10m, recent: 10000}\n  board: {kind: state}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.pod, err = stage.NewPod(program, s.dir, "pod", s.kafka.Config().Brokers, "--config", config, "--anonymous", "--heartbeat", "2s", "--drain", "0s"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pod.Kill)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pod's last words:\n%s", s.pod.Tail())
		}
	})
	s.startPod(t)
	return s
}

func (s *scene) startPod(t *testing.T) {
	t.Helper()
	if err := s.pod.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) config(partitions int) numbered.ProducerConfig {
	s.first += 100_000
	return numbered.ProducerConfig{Kafka: s.kafka.Config(), Partitions: partitions, First: s.first, Every: 20 * time.Millisecond, Seed: uint64(s.first)} //nolint:gosec // positive
}

// client starts a client that ends with the test, and waits until it has a
// stream.
func (s *scene) client(t *testing.T) *numbered.Client {
	t.Helper()
	c := numbered.NewClient(numbered.ClientConfig{Addr: s.pod.Addr, Path: "/v1/events?topics=numbers,board&envelope=1", Board: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("a client came to %d, %d and %d, with %d reconnects and gaps %v", c.Last(0), c.Last(1), c.Last(2), c.Reconnects(), c.Gaps())
		}
	})
	eventually(t, "the client has a stream", c.Connected)
	return c
}

// produce writes transactions to so many partitions until yes says so.
func (s *scene) produce(t *testing.T, partitions int, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	producer := numbered.NewProducer(s.config(partitions))
	wrote := make(chan error, 1)
	go func() { wrote <- producer.Run(ctx) }()
	eventually(t, what, yes)
	cancel()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !yes(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// judge waits until the client is at the end of the log, and holds what it
// received against it.
func (s *scene) judge(t *testing.T, c *numbered.Client) (numbered.Verdict, numbered.Counts) {
	t.Helper()
	if err := kafkatest.AwaitEnds(t.Context(), s.kafka.Config(), numbered.Topic, numbered.Board); err != nil {
		t.Fatal(err)
	}
	truth, err := numbered.ReadTruth(t.Context(), s.kafka.Config())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client has all that is owed to it", func() bool { return c.At(truth) })
	return c.Judge(truth)
}

// partitionsAreAdded: ids grow, nobody reconnects for it, and the grown id
// resumes.
func (s *scene) partitionsAreAdded(t *testing.T) {
	c := s.client(t)
	s.produce(t, 2, "records of both partitions arrive", func() bool { return c.Last(0) > 0 && c.Last(1) > 0 })
	if err := s.admin.AddPartitions(t.Context(), numbered.Topic, 1); err != nil {
		t.Fatal(err)
	}
	s.produce(t, 3, "records of the new partition arrive", func() bool { return c.Last(2) > 0 })
	if n := c.Reconnects(); n != 0 {
		t.Errorf("the client reconnected %d times", n)
	}
	c.Hurry()
	s.produce(t, 3, "the client is back", func() bool { return c.Reconnects() > 0 })
	if v, _ := s.judge(t, c); !v.Good() || v.Gaps > 0 {
		t.Errorf("judged %+v", v)
	}
}

// partitionWithoutLeader: the other partitions go on, for connected clients, and
// for new ones at a pod that is started meanwhile; what the lost one holds comes
// when it is back, also to who has waited for that at such a pod.
func (s *scene) partitionWithoutLeader(t *testing.T) {
	c := s.client(t)
	const lost = 2 // node, and partition
	defer func() { s.first = 1_100_000 }()
	for p := range int32(3) {
		if err := s.admin.Place(t.Context(), numbered.Topic, p, p+1); err != nil { // one copy, on a node of its own
			t.Fatal(err)
		}
	}
	eventually(t, "each partition is on its node", func() bool {
		for p := range int32(3) {
			if leader, err := s.admin.Leader(t.Context(), numbered.Topic, p); err != nil || leader != int(p)+1 {
				return false
			}
		}
		return true
	})
	s.produce(t, 3, "records arrive", func() bool { return c.Last(0) > s.first })
	// A commit is confirmed before all partitions have its marker. One that a killed
	// node lacks is not always written when it is back, and until then brokers show
	// readers nothing of what follows.
	if err := kafkatest.AwaitEnds(t.Context(), s.kafka.Config(), numbered.Topic, numbered.Board); err != nil {
		t.Fatal(err)
	}
	node := s.kafka.Nodes()[lost]
	node.Kill()
	eventually(t, "the partition has no leader", func() bool {
		leader, err := s.admin.Leader(t.Context(), numbered.Topic, lost)
		return err == nil && leader == 0
	})
	s.produceOne(t, 0, 1_000_001)
	eventually(t, "a record of another partition arrives", func() bool { return c.Last(0) == 1_000_001 })
	s.pod.Kill()
	s.startPod(t)
	fresh := s.client(t)
	s.produceOne(t, 1, 1_000_002)
	eventually(t, "a pod that was started meanwhile serves the others, also to who knows the lost one", func() bool {
		return fresh.Last(1) == 1_000_002 && c.Last(1) == 1_000_002
	})
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	s.produceOne(t, lost, 1_000_003)
	eventually(t, "the lost partition is back, for old and new clients", func() bool {
		return c.Last(lost) == 1_000_003 && c.Last(1) == 1_000_002 && fresh.Last(lost) == 1_000_003
	})
	if v, _ := s.judge(t, c); !v.Good() || v.Gaps > 0 {
		t.Errorf("judged %+v", v)
	}
}

// produceOne writes one number to a partition of three, outside of a
// transaction.
func (s *scene) produceOne(t *testing.T, partition int, n int64) {
	t.Helper()
	p, err := kafka.NewProducer(s.kafka.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := kafka.Record{Topic: numbered.Topic, Key: []byte(kafkatest.KeyOf(partition, 3)), Value: []byte(`{"n":` + strconv.FormatInt(n, 10) + `}`)}
	if err := p.Produce(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// topicIsMadeAgain: the client is told, and has every record of the new topic.
func (s *scene) topicIsMadeAgain(t *testing.T) {
	c := s.client(t)
	if err := s.admin.DeleteTopic(t.Context(), numbered.Topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic can be made again", func() bool {
		return kafka.EnsureTopics(t.Context(), s.kafka.Config(), kafka.TopicSpec{Name: numbered.Topic, Kind: feed.Log, Partitions: 3, Replication: 1}) == nil
	})
	s.produce(t, 3, "records of the new topic arrive", func() bool { return c.Last(0) >= s.first && c.Last(1) >= s.first && c.Last(2) >= s.first })
	v, _ := s.judge(t, c)
	if v.Lost > 0 || v.Duplicated > 0 || v.Reordered > 0 {
		t.Errorf("judged %+v", v)
	}
	if gaps := c.Gaps(); len(gaps) == 0 || gaps[len(gaps)-1].Reason != "recreated" {
		t.Errorf("the client was told %+v, want recreated", gaps)
	}
}

var skipped = regexp.MustCompile(`(?m)^livemap_kafka_batches_skipped_total\{[^}]*topic="numbers"[^}]*\} ([1-9][0-9]*)`)

// batchRots: what lies before and behind it arrives, and it is counted.
func (s *scene) batchRots(t *testing.T) {
	c := s.client(t)
	s.produce(t, 3, "records arrive", func() bool { return c.Last(0) > s.first+20 })
	leader, err := s.admin.Leader(t.Context(), numbered.Topic, 0)
	if err != nil || leader == 0 {
		t.Fatalf("leader %d, %v", leader, err)
	}
	node := s.kafka.Nodes()[leader-1]
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	rot(t, filepath.Join(s.dir, "kafka", "node"+strconv.Itoa(leader), "data", numbered.Topic+"-0", "00000000000000000000.log"))
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	s.pod.Kill() // it has read the batch already; another reads it as it is now
	s.startPod(t)
	s.produce(t, 3, "what comes behind arrives", func() bool { return c.Last(0) > s.first })
	eventually(t, "the batch is counted", func() bool { return skipped.MatchString(s.metrics(t)) })
}

func (s *scene) metrics(t *testing.T) string {
	t.Helper()
	answer, err := http.Get("http://" + s.pod.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rot flips the last byte of a batch in the middle of a segment, so that its
// checksum is wrong.
func rot(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = 12 // base offset, and the length of what follows
	for at := 0; at+head <= len(text); {
		end := at + head + int(binary.BigEndian.Uint32(text[at+8:]))
		if end > len(text)/2 && end <= len(text) {
			text[end-1] ^= 0xff
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
		at = end
	}
	t.Fatalf("%s has no batch in its middle", path)
}
