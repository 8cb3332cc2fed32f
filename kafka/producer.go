package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
)

// Bounds of producers. Beyond maxBufferedBytes, each record counted with
// recordOverhead, Produce blocks until brokers have acknowledged some of it.
const (
	maxBufferedBytes = 64 << 20
	recordOverhead   = 256
	producerLinger   = 5 * time.Millisecond
	// topicRetries is how often metadata may say that a topic does not exist,
	// right after it was made, before its records are refused.
	topicRetries = 20
)

// MaxBatchBytes is the largest batch that producers send, before compression,
// and so the largest record with key, headers and some 80 bytes of framing; a
// larger one is [ErrTooLarge]. [EnsureTopics] makes topics that take as much,
// unless told otherwise. A topic that somebody else has made may take less (the
// default of brokers is 1,048,588 bytes, compressed): there a batch beyond it is
// refused whole with ErrTooLarge, be it one large record or many small ones that
// compress badly.
const MaxBatchBytes = 2 << 20

// producerOpts are common to plain and transactional producers. Records are
// written idempotently, acknowledged by all replicas in sync, lz4, placed by
// key as Kafka's own clients do; those without key stick to a partition for a
// batch.
func producerOpts() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerBatchMaxBytes(MaxBatchBytes),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.MaxBufferedRecords(maxBufferedBytes / recordOverhead),
		kgo.UnknownTopicRetries(topicRetries),
	}
}

// outcome gathers what became of asynchronously produced records. It is safe
// for concurrent use.
type outcome struct {
	metrics *Metrics
	mu      sync.Mutex
	err     error // guarded by mu; the first one
}

// done is the promise of each record.
func (o *outcome) done(r *kgo.Record, err error) {
	if err == nil {
		o.metrics.recordsWritten.WithLabelValues(r.Topic).Inc()
		return
	}
	o.metrics.writeErrors.WithLabelValues(r.Topic).Inc()
	o.mu.Lock()
	defer o.mu.Unlock()
	if isTooLarge(err) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if o.err == nil {
		o.err = fmt.Errorf("write to topic %s: %w", r.Topic, err)
	}
}

func (o *outcome) first() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outcome) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = nil
}

// Producer writes records without transactions: asynchronously, each at least
// once and in order, for as long as it takes. It is safe for concurrent use.
type Producer struct {
	cl   *kgo.Client
	room *semaphore.Weighted // bytes, up to maxBufferedBytes
	out  outcome
}

// NewProducer returns a Producer. It does not connect.
func NewProducer(c Config) (*Producer, error) {
	cl, err := c.newClient(append(producerOpts(), kgo.ProducerLinger(producerLinger))...)
	if err != nil {
		return nil, err
	}
	return &Producer{cl: cl, room: semaphore.NewWeighted(maxBufferedBytes), out: outcome{metrics: c.metrics()}}, nil
}

// Produce queues a record, blocking while 64 MiB are not yet acknowledged,
// each record counted with 256 bytes of overhead. Its slices belong to the
// Producer until Flush returns. The error is that of ctx, which bounds the
// wait for room only, or the first record's that could not be written: a
// broker that is away is waited for, a record that is refused (no such topic, not
// allowed, [ErrTooLarge]) is an error.
func (p *Producer) Produce(ctx context.Context, r Record) error {
	if err := p.out.first(); err != nil {
		return err
	}
	size := min(r.bytes()+recordOverhead, maxBufferedBytes)
	if err := p.room.Acquire(ctx, size); err != nil {
		return fmt.Errorf("write to topic %s: wait for room: %w", r.Topic, err)
	}
	p.cl.Produce(context.WithoutCancel(ctx), r.toKgo(), func(r *kgo.Record, err error) {
		p.room.Release(size)
		p.out.done(r, err)
	})
	return nil
}

// Flush waits until all records are acknowledged and returns the first error of
// any since the Producer was made.
func (p *Producer) Flush(ctx context.Context) error {
	if err := p.cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush producer: %w", err)
	}
	return p.out.first()
}

// Close drops what is not acknowledged and closes the connections.
func (p *Producer) Close() { p.cl.Close() }
