package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/kafka/kafkatest"
	"livemap/sse"
)

// TestPodsOverEmbedded and TestPodsOverKafka are the promise end to end: clients
// that come and go between two pods which remember next to nothing receive every
// committed record once and in order, or a gap that is true, while transactions
// abort, partitions are added, the beginning of a log is deleted, Kafka restarts
// and a pod ends.
func TestPodsOverEmbedded(t *testing.T) {
	config := embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()}
	b, err := embedded.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Listen = b.Addr()
	t.Cleanup(func() { b.Close() })
	testPods(t, kafka.Config{Brokers: []string{b.Addr()}}, func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if b, err = embedded.Open(config); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPodsOverKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	b := kafkatest.StartBroker(t)
	testPods(t, b.Config(), func() {
		b.Stop()
		b.Restart()
	})
}

func testPods(t *testing.T, k kafka.Config, restart func()) {
	c := &cluster{t: t, config: k}
	var err error
	if c.producer, err = kafka.NewProducer(k); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.producer.Close)
	c.topics("figures", "events")
	adm, err := kafkatest.NewAdmin(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(adm.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	txn, err := kafka.OpenTxnProducer(ctx, k, "pods")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(txn.Close)
	w := &writer{t: t, ctx: ctx, txn: txn}

	w.transactions(60)
	log := &truth{records: map[place]string{}}
	log.read(ctx, t, k)
	pods := &pods{}
	lively := func(c *Config) {
		forgetful(c)
		c.Hub.Heartbeat = 200 * time.Millisecond // a reader looks up now and then
	}
	first, ready := run(t, c, lively)
	await(t, "ready", ready)
	second, ready := run(t, c, lively)
	await(t, "ready", ready)
	pods.set(first.address, second.address)

	deleted := make(chan struct{})
	var roaming sync.WaitGroup
	var complete atomic.Bool
	var readers []*roamer
	for i := range 8 {
		r := &roamer{t: t, pods: pods, log: log, seen: map[place]int{}, next: map[int32]int64{}, rng: rand.New(rand.NewPCG(uint64(i), 3))}
		if i >= 6 {
			r.keys = []string{"k0", "k1"}
		}
		if i == 0 { // it is away for a while after its first visit
			r.away = deleted
		}
		readers = append(readers, r)
		roaming.Go(func() { r.roam(ctx, &complete) })
	}
	for _, r := range readers {
		eventually(t, "a reader has begun", func() bool { return r.reconnects.Load() > 0 })
	}
	log.delete(ctx, t, adm, 0, 150)
	close(deleted)
	w.transactions(30)
	if err := adm.AddPartitions(ctx, "events", 1); err != nil {
		t.Error(err)
	}
	w.transactions(30)
	log.read(ctx, t, k)
	restart()
	w.transactions(10)
	first.cancel()
	if err := <-first.ended; err != nil {
		t.Error(err)
	}
	pods.set(second.address)
	w.transactions(20)
	log.read(ctx, t, k)
	complete.Store(true)
	roaming.Wait()
	gaps := 0
	for i, r := range readers {
		if n := r.reconnects.Load(); n < 3 {
			t.Errorf("reader %d came back %d times only", i, n)
		}
		gaps += r.gaps
	}
	t.Logf("%d gaps", gaps) // where a pod still held what was deleted there is none

	// A topic that was deleted and made again.
	if err := adm.DeleteTopic(ctx, "events"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic can be made again", func() bool {
		return kafka.EnsureTopics(ctx, k, kafka.TopicSpec{Name: "events", Kind: "log", Partitions: 2}) == nil
	})
	c.produce("events", "k0", "new")
	s := (&site{t: t, address: second.address}).stream("/v1/events?topics=events", "Last-Event-ID", readers[0].id)
	s.want(`gap {"topic":"events","reason":"recreated"}`, "events new")
}

// pods are where a client may come to.
type pods struct {
	mu        sync.Mutex
	addresses []string
}

func (p *pods) set(addresses ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addresses = addresses
}

func (p *pods) pick(rng *rand.Rand) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addresses[rng.IntN(len(p.addresses))]
}

// writer writes numbered records in transactions, of which one in five aborts.
type writer struct {
	t    *testing.T
	ctx  context.Context
	txn  *kafka.TxnProducer
	next int
}

func (w *writer) transactions(n int) {
	w.t.Helper()
	for i := range n {
		if err := w.txn.Begin(); err != nil {
			w.t.Fatal(err)
		}
		abort := i%5 == 4
		for range 12 {
			value := fmt.Sprintf(`{"n":%d,"aborted":%t,"pad":%q}`, w.next, abort, strings.Repeat("x", 120))
			w.txn.Produce(kafka.Record{Topic: "events", Key: fmt.Append(nil, "k", w.next%7), Value: []byte(value)})
			w.next++
		}
		end := w.txn.Commit
		if abort {
			end = w.txn.Abort
		}
		if err := end(w.ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

type place struct {
	partition int32
	offset    int64
}

// truth is what the topic events held, by another way of reading it.
type truth struct {
	mu      sync.Mutex
	records map[place]string // keys
	begin   map[int32]int64  // what was deleted lies before
}

// read adds what there is now.
func (l *truth) read(ctx context.Context, t *testing.T, k kafka.Config) {
	t.Helper()
	err := kafkatest.ReadCommitted(ctx, k, "events", func(r kafka.Record) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.records[place{r.Partition, r.Offset}] = string(r.Key)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *truth) delete(ctx context.Context, t *testing.T, adm *kafkatest.Admin, partition int32, offset int64) {
	t.Helper()
	l.mu.Lock()
	l.begin = map[int32]int64{partition: offset}
	l.mu.Unlock()
	if err := adm.DeleteBefore(ctx, "events", partition, offset); err != nil {
		t.Fatal(err)
	}
}

// roamer is a client that comes and goes.
type roamer struct {
	t    *testing.T
	pods *pods
	log  *truth
	keys []string
	rng  *rand.Rand
	away <-chan struct{} // closed when it may come back

	id         string
	parser     sse.Parser
	seen       map[place]int
	next       map[int32]int64
	reconnects atomic.Int64
	gaps       int
	failed     bool
}

func (r *roamer) wrong(format string, args ...any) {
	if !r.failed {
		r.t.Errorf(format, args...)
	}
	r.failed = true
}

// roam comes and goes until it has all that there is once that is complete.
func (r *roamer) roam(ctx context.Context, complete *atomic.Bool) {
	for !r.failed && !(complete.Load() && r.whole()) {
		if ctx.Err() != nil {
			r.wrong("reader of %v is not done in time: %v", r.keys, r.next)
			return
		}
		r.visit(ctx, 1+r.rng.IntN(40), complete)
		r.reconnects.Add(1)
		if r.away != nil {
			<-r.away
		}
	}
}

// visit connects to a pod and reads some events.
func (r *roamer) visit(ctx context.Context, events int, complete *atomic.Bool) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	// Without an id a client begins at the beginning.
	path := "/v1/events?topics=events&envelope=1&since=1970-01-01T00:00:01Z"
	if r.keys != nil {
		path += "&keys=" + strings.Join(r.keys, ",")
	}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.pods.pick(r.rng)+path, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	if r.id != "" {
		req.Header.Set("Last-Event-ID", r.id)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		time.Sleep(20 * time.Millisecond) // the pod has ended, and nobody says when to come back
		return
	}
	defer resp.Body.Close()
	r.parser.Reset()
	b := make([]byte, 1+r.rng.IntN(16<<10))
	for events > 0 && !(complete.Load() && r.whole()) {
		n, err := resp.Body.Read(b)
		if perr := r.parser.Parse(b[:n], func(e *sse.Event) {
			events--
			if string(e.Name) == "heartbeat" { // nothing happens: come back later
				events -= 10
			}
			r.take(e)
		}); perr != nil {
			r.wrong("parsing: %v", perr)
		}
		if err != nil {
			return
		}
	}
}

func (r *roamer) take(e *sse.Event) {
	if e.HasID {
		r.id = string(e.ID)
	}
	var d struct {
		Partition int32
		Offset    int64
		Reason    string
		From, To  int64
		Value     struct{ Aborted bool }
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		r.wrong("%s: %v", e.Data, err)
	}
	switch string(e.Name) {
	case "events":
		at := place{d.Partition, d.Offset}
		if r.seen[at]++; r.seen[at] > 1 || d.Offset < r.next[d.Partition] {
			r.wrong("%v came again or late, after %d", at, r.next[d.Partition])
		}
		if d.Value.Aborted {
			r.wrong("%v was aborted", at)
		}
		r.next[d.Partition] = d.Offset + 1
	case "gap":
		r.log.mu.Lock()
		begin := r.log.begin[d.Partition]
		r.log.mu.Unlock()
		// It may begin behind what came last: who wants some keys knows of more
		// records than it was sent. One that it was owed would be missing at the end.
		if d.Reason != "expired" || d.From < r.next[d.Partition] || d.To > begin {
			r.wrong("gap %s, at %d, of a log that begins at %d", e.Data, r.next[d.Partition], begin)
		}
		for offset := d.From; offset < d.To; offset++ {
			r.seen[place{d.Partition, offset}]++
		}
		r.next[d.Partition] = d.To
		r.gaps++
	}
}

// whole says whether the client was given all that it wants, or a gap.
func (r *roamer) whole() bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for at, key := range r.log.records {
		if r.seen[at] == 0 && (r.keys == nil || slices.Contains(r.keys, key)) {
			return false
		}
	}
	return true
}
