// Package runner does the input and output around package aggregate: it reads
// orders from Kafka, hands them to an aggregator in event-time order of the
// partitions, and writes what comes out, together with the aggregator's
// checkpoint, in one Kafka transaction about every 100 ms. It also decides who
// may write: one process at a time. Start at [Run].
//
// It computes no figure: those are package aggregate's.
package runner

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"livemap/aggregate"
	"livemap/feed"
	"livemap/kafka"
)

// Timings. The standby's patience is a contract of the design: longer than any
// pause of a leader that is alive, shorter than anybody's patience.
const (
	flushEvery   = 100 * time.Millisecond // between two transactions
	flushFinal   = 20 * time.Millisecond  // likewise, when the watermark has passed the end of a window
	flushBehind  = time.Second            // likewise, while there is more to catch up than behindBy
	behindBy     = 10 * time.Second
	fetchEvery   = 5 * time.Millisecond   // between two looks at what was fetched, while aggregating
	commitWithin = 5 * time.Second        // what a transaction may take on when the process is told to end
	beatEvery    = time.Second            // between two leader records when nothing else is written
	standbyAfter = 3 * time.Second        // silence of the checkpoint after which a standby takes over
	tellEvery    = 30 * time.Second       // between two log lines with counts
	retryFirst   = 200 * time.Millisecond // wait before a session is begun again, doubling
	retryMost    = 2 * time.Second        // shorter than standbyAfter: a leader is back before a standby gives it up
)

// fetchBytes bounds an answer of a broker, compressed. There are up to three of them
// at a time, and each takes five times as much once it is decompressed and prepared.
const fetchBytes = 4 << 20

// transactionalID is what fences a second writer of the same cluster.
const transactionalID = "livemap-aggregate"

// maxRecordBytes is the largest record that the topics must take: a chunk of
// the checkpoint, with room for its key and framing.
const maxRecordBytes = 2 << 20

// Errors of Run that callers branch on.
var (
	// ErrTakenOver: another aggregator of the same instance name now writes.
	ErrTakenOver = errors.New("another aggregator of the same instance name has taken over; only one may write")
	// ErrCheckpoint: the checkpoint cannot be loaded. Trying again would not
	// help, and going on without it would write wrong figures.
	ErrCheckpoint = errors.New("the checkpoint cannot be used")
)

// Config says what is aggregated, from where, and by whom.
type Config struct {
	Kafka     kafka.Config
	Aggregate aggregate.Config
	// Classification is a Parquet file or folder as a file://, s3:// or gs:// URL;
	// empty: every product is unclassified.
	Classification string
	// Instance names this process. Its successor of the same name takes over
	// without waiting; an empty name always waits.
	Instance string
	// OrderPartitions is how many partitions the topic orders gets where it does
	// not exist; default 4.
	OrderPartitions int32
	// Logger receives starts, take-overs and faults. Default: discarded.
	Logger *slog.Logger
	// Metrics counts orders by verdict, transactions and lag. Default: counted nowhere.
	Metrics *Metrics

	clock source // tests only
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var err error
	if c.Classification != "" {
		err = validateShelf(c.Classification)
	}
	return errors.Join(c.Kafka.Validate(), c.Aggregate.Validate(), err)
}

const day = 24 * time.Hour

// OrdersTopic returns the topic that orders are read from.
func OrdersTopic(partitions int32) kafka.TopicSpec {
	return kafka.TopicSpec{Name: feed.TopicOrders, Kind: feed.Log, Partitions: partitions, Retention: 7 * day, RetentionBytes: 4 << 30, MaxMessageBytes: maxRecordBytes, AppendTime: true}
}

// Topics returns the topics that the aggregator reads and writes.
func Topics(orderPartitions int32) []kafka.TopicSpec {
	log := func(name string, retention time.Duration, bytes int64) kafka.TopicSpec {
		return kafka.TopicSpec{Name: name, Kind: feed.Log, Partitions: 1, Retention: retention, RetentionBytes: bytes, MaxMessageBytes: maxRecordBytes}
	}
	state := func(name string) kafka.TopicSpec {
		return kafka.TopicSpec{Name: name, Kind: feed.State, Partitions: 1, MaxMessageBytes: maxRecordBytes}
	}
	return []kafka.TopicSpec{
		OrdersTopic(orderPartitions),
		log(feed.TopicOrdersLate, 7*day, 256<<20),
		log(feed.TopicOrdersDead, 7*day, 256<<20),
		log(feed.TopicWindows, 2*day, 4<<30),
		log(feed.TopicShipments, 6*time.Hour, 1<<30),
		state(feed.TopicMetrics),
		state(feed.TopicHistory),
		state(feed.TopicTrending),
		state(feed.TopicCheckpoint),
	}
}

// Run aggregates until ctx ends or another process takes over. It waits for a
// broker, stands by while another process writes, and begins again from the
// checkpoint after every fault of the cluster: nothing is lost or written
// twice. The error is nil when ctx ended.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	r := &runner{cfg: cfg, writer: rand.Text(), log: cfg.Logger, metrics: cfg.Metrics, clock: cfg.clock.start()}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.metrics == nil {
		r.metrics = NewMetrics()
	}
	if r.cfg.OrderPartitions == 0 {
		r.cfg.OrderPartitions = 4
	}
	err := r.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// runner is a running aggregator process.
type runner struct {
	// Immutable.
	cfg     Config
	writer  string // random: tells this process from any other
	log     *slog.Logger
	metrics *Metrics
	clock   passing

	// Owned by the goroutine of run.
	topicID topicID // of the topic orders, as the checkpoint has it
	ready   *loaded // for the first session; nil: load it
}

func (r *runner) run(ctx context.Context) error {
	// The classification is read beside the checkpoint: each takes a second or more
	// where there is much of it, and who restarts is waited for.
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	loading, giveUp := context.WithCancel(ctx)
	defer giveUp()
	products, opened := &catalogue{address: r.cfg.Classification, log: r.log, metrics: r.metrics}, make(chan error, 1)
	watch.Go(func() {
		err := products.open(watching)
		if opened <- err; err != nil {
			giveUp()
			return
		}
		products.watch(watching)
	})
	err := r.load(loading)
	if err == nil || loading.Err() != nil {
		err = cmp.Or(<-opened, err)
	}
	if err != nil {
		return err
	}
	wait := retryFirst
	for {
		began := time.Now()
		err := r.session(ctx, products)
		// What a topic refuses for its size it will refuse again: its limit is for
		// the operator to raise.
		if ctx.Err() != nil || errors.Is(err, ErrCheckpoint) || errors.Is(err, kafka.ErrTooLarge) {
			return err
		}
		if errors.Is(err, kafka.ErrFenced) {
			if err := r.giveWay(ctx); err != nil {
				return err
			}
		}
		if time.Since(began) > retryMost {
			wait = retryFirst
		}
		r.metrics.restarts.Inc()
		r.log.Warn("aggregation interrupted; beginning again from the checkpoint", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMost)
	}
}

// load waits for the broker and prepares the first session.
func (r *runner) load(ctx context.Context) (err error) {
	if err := kafka.WaitReady(ctx, r.cfg.Kafka); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(ctx, r.cfg.Kafka, Topics(r.cfg.OrderPartitions)...); err != nil {
		return err
	}
	r.ready, err = r.prepare(ctx)
	return err
}

// prepare loads the checkpoint and returns when this process may write. Whoever
// could not load it must not fence the one who can: a second process with a
// changed setting would end both. Nor need it stand by before it says so.
func (r *runner) prepare(ctx context.Context) (*loaded, error) {
	l, err := r.restore(ctx)
	if err != nil {
		return nil, err
	}
	waited, err := r.standBy(ctx, l.last, l.next)
	if err != nil || !waited {
		return l, err
	}
	return r.restore(ctx) // another one wrote on meanwhile
}
