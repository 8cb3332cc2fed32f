package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/kafka/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is what the suite runs against.
type cluster interface {
	Config() kafka.Config
	Stop()
	Restart()
}

// suite holds for the embedded log and for Kafka. The cases share a cluster and
// use topics of their own; those that stop it come last.
var suite = []struct {
	name string
	run  func(*testing.T, cluster)
}{
	{"topics have their kind", topicsHaveTheirKind},
	{"a wrong policy is refused", wrongPolicyIsRefused},
	{"records arrive whole and in order", recordsArrive},
	{"a reader goes on where it stood", readerGoesOn},
	{"paused partitions wait", pausedPartitionsWait},
	{"what is under way while paused is kept", pausedAnswersAreKept},
	{"a tail begins a little before the end", tailBeginsBeforeTheEnd},
	{"committed is seen, aborted never", committedIsSeen},
	{"an open transaction is waited for", openTransactionIsWaitedFor},
	{"a newer producer fences the older", newerProducerFences},
	{"a producer goes on after an abort", producerGoesOnAfterAbort},
	{"a refused record is an error", refusedRecordIsAnError},
	{"foreign timestamps are warned about", foreignTimestampsAreWarnedAbout},
	{"an answer is shared out", answersAreSharedOut},
	{"large records arrive", largeRecordsArrive},
	{"too large is named", tooLargeIsNamed},
	{"state survives compaction", stateSurvivesCompaction},
	{"a state is watched from where it was read", stateIsWatched},
	{"added partitions are read from their start", addedPartitionsAreRead},
	{"a recreated topic is told", recreatedTopicIsTold},
	{"a missing topic is waited for", missingTopicIsWaitedFor},
	{"offsets out of range are told", offsetsOutOfRange},
	{"history reads from anywhere", historyReadsAnything},
	{"history finds times", historyFindsTimes},
	{"history of a topic made again", historyOfRecreated},
	{"append time is the brokers", appendTimeIsTheBrokers},
	{"a restart loses nothing", restartLosesNothing},
	{"a broker that is down at start is waited for", downAtStart},
}

func TestEmbedded(t *testing.T) { runSuite(t, startEmbedded(t)) }

func TestRealKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	c := kafkatest.StartBroker(t)
	runSuite(t, c)
	nobodySharedPartitions(t, c.Config())
}

// nobodySharedPartitions: all of the suite took no group, so that no reader waits
// for a place among others or for a partition that another holds.
func nobodySharedPartitions(t *testing.T, c kafka.Config) {
	groups, err := admin(t, c).ListGroups(patience(t))
	if err != nil || len(groups) > 0 {
		t.Errorf("groups %v, %v", groups.Groups(), err)
	}
	topics, err := admin(t, c).ListTopicsWithInternal(patience(t))
	if err != nil || topics.Has("__consumer_offsets") {
		t.Errorf("topics %v, %v", topics.Names(), err)
	}
}

func runSuite(t *testing.T, c cluster) {
	for _, test := range suite {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
}

// embeddedCluster is the embedded log as a cluster.
type embeddedCluster struct {
	t   *testing.T
	cfg embedded.Config
	b   *embedded.Broker
}

func startEmbedded(t *testing.T) *embeddedCluster {
	c := &embeddedCluster{t: t, cfg: embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), CleanEvery: 50 * time.Millisecond}}
	c.Restart()
	c.cfg.Listen = c.b.Addr()
	t.Cleanup(c.Stop)
	return c
}

func (c *embeddedCluster) Config() kafka.Config { return kafka.Config{Brokers: []string{c.cfg.Listen}} }

func (c *embeddedCluster) Stop() {
	if c.b == nil {
		return
	}
	if err := c.b.Close(); err != nil {
		c.t.Error(err)
	}
	c.b = nil
}

func (c *embeddedCluster) Restart() {
	b, err := embedded.Open(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.b = b
}

// within bounds what a case waits for.
const within = 30 * time.Second

// config is how a case reaches the cluster, with a log that fails the test's eyes only.
func config(t *testing.T, c cluster) kafka.Config {
	cfg := c.Config()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	return cfg
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// topicOf makes a topic for a case.
func topicOf(t *testing.T, c kafka.Config, kind feed.Kind, partitions int32) string {
	t.Helper()
	name := nameOf(t)
	if err := kafka.EnsureTopics(patience(t), c, kafka.TopicSpec{Name: name, Kind: kind, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return name
}

// nameOf is a topic name for a case.
func nameOf(t *testing.T) string {
	name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
	return strings.Map(func(r rune) rune {
		if r == ',' {
			return -1
		}
		return r
	}, name)
}

func admin(t *testing.T, c kafka.Config) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func producer(t *testing.T, c kafka.Config) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// produce writes records and waits until they are there.
func produce(t *testing.T, c kafka.Config, records ...kafka.Record) {
	t.Helper()
	p := producer(t, c)
	for _, r := range records {
		if err := p.Produce(patience(t), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(patience(t)); err != nil {
		t.Fatal(err)
	}
}

// numbered returns the records from to to-1 of a topic, spread over seven keys.
func numbered(topic string, from, to int) []kafka.Record {
	var out []kafka.Record
	for n := from; n < to; n++ {
		out = append(out, kafka.Record{Topic: topic, Key: fmt.Append(nil, "key", n%7), Value: strconv.AppendInt(nil, int64(n), 10)})
	}
	return out
}

// ledger checks that numbered records arrive once each and in order per key.
type ledger struct {
	t    *testing.T
	mu   sync.Mutex
	last map[string]int
	seen map[int]int
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, last: map[string]int{}, seen: map[int]int{}}
}

func (l *ledger) add(records []kafka.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			l.t.Errorf("value %q at offset %d is not a number", r.Value, r.Offset)
			continue
		}
		if before, ok := l.last[string(r.Key)]; ok && n <= before {
			l.t.Errorf("key %s: %d came after %d", r.Key, n, before)
		}
		l.last[string(r.Key)] = n
		l.seen[n]++
	}
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

func (l *ledger) want(from, to int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var missing, repeated, strange []int
	for n := from; n < to; n++ {
		switch {
		case l.seen[n] == 0:
			missing = append(missing, n)
		case l.seen[n] > 1:
			repeated = append(repeated, n)
		}
	}
	for n := range l.seen {
		if n < from || n >= to {
			strange = append(strange, n)
		}
	}
	if missing != nil || repeated != nil || strange != nil {
		l.t.Errorf("of %d to %d: %d missing %.10v, %d repeated %.10v, %d not expected %.10v",
			from, to-1, len(missing), missing, len(repeated), repeated, len(strange), strange)
	}
}

func reader(t *testing.T, c kafka.Config, topic string, offsets map[int32]int64) *kafka.Reader {
	t.Helper()
	r, err := kafka.NewReader(kafka.ReaderConfig{Config: c, Topic: topic, Offsets: offsets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// positions is what a Reader has said of each partition.
type positions struct {
	next     map[int32]int64
	caughtUp map[int32]bool
	lost     int64
}

// poll polls until done.
func poll(t *testing.T, r *kafka.Reader, l *ledger, at *positions, done func() bool) {
	t.Helper()
	if at.next == nil {
		at.next, at.caughtUp = map[int32]int64{}, map[int32]bool{}
	}
	ctx := patience(t)
	for !done() {
		batches, err := r.Poll(ctx)
		if err != nil {
			t.Fatalf("poll: %v; positions %+v", err, at)
		}
		for _, b := range batches {
			records := unpacked(b)
			for _, rec := range records {
				if rec.Partition != b.Partition || rec.Offset >= b.Next || rec.Offset < at.next[b.Partition] && b.Lost >= 0 {
					t.Errorf("record %d/%d in a batch of partition %d from %d to %d", rec.Partition, rec.Offset, b.Partition, at.next[b.Partition], b.Next)
				}
			}
			l.add(records)
			at.next[b.Partition], at.caughtUp[b.Partition] = b.Next, b.CaughtUp
			at.lost += b.Lost
		}
	}
}

// unpacked returns the records of a batch and gives the batch back.
func unpacked(b kafka.PartitionBatch) []kafka.Record {
	var records []kafka.Record
	for i := range b.Records.Len() {
		records = append(records, b.Records.Record(i))
	}
	b.Records.Release()
	return records
}

// allCaughtUp: n partitions have been read to the end.
func (p *positions) allCaughtUp(n int) bool {
	for _, c := range p.caughtUp {
		if !c {
			return false
		}
	}
	return len(p.caughtUp) == n
}

// tail runs a Tail until done says so of an event.
func tail(t *testing.T, c kafka.TailConfig, done func(kafka.Event) bool) {
	t.Helper()
	follow, err := kafka.NewTail(c)
	if err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	err = follow.Run(patience(t), func(e kafka.Event) error {
		fmt.Fprintf(&seen, "%T%+.200v\n", e, e)
		if done(e) {
			return errDone
		}
		return nil
	})
	if err != errDone {
		t.Fatalf("tail: %v; it told\n%s", err, seen.String())
	}
}

var errDone = fmt.Errorf("done")
