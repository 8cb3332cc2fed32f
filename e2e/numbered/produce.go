// Package numbered tells whether streams keep their promise: [Producer] writes
// records that carry numbers, [Client] receives them as a browser would, a
// [Ledger] for each client holds what it received against the [Truth], which is
// read from Kafka. It never imports the hub.
package numbered

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// The topics that a Producer writes.
const (
	Topic = "numbers" // a log: in each partition the numbers rise
	Board = "board"   // a state: each key's number rises
)

// Aborted is the number of records in transactions that are aborted: nobody may
// ever see it.
const Aborted = -1

// boardKeys is how many keys the board has.
const boardKeys = 8

// ProducerConfig says what is written.
type ProducerConfig struct {
	Kafka      kafka.Config
	Partitions int           // of Topic
	First      int64         // number of each partition to begin with
	Every      time.Duration // between two transactions
	Seed       uint64
}

// MakeTopics makes the topics of a Producer.
func MakeTopics(ctx context.Context, c ProducerConfig) error {
	return kafka.EnsureTopics(ctx, c.Kafka,
		kafka.TopicSpec{Name: Topic, Kind: feed.Log, Partitions: int32(c.Partitions)}, //nolint:gosec // a handful
		kafka.TopicSpec{Name: Board, Kind: feed.State})
}

// Producer writes transactions, each of one to three numbers for each of some
// partitions and a number for the board; about one in eight is aborted. A number
// is used once, whatever becomes of its transaction, so that the numbers of a
// partition rise but may leave some out: which ones are in the log is for Truth
// to find.
type Producer struct {
	config ProducerConfig
	keys   []string // by partition
	next   []int64  // by partition
	board  int64
	random *rand.Rand

	committed, aborted, unknown atomic.Int64 // transactions
}

// NewProducer returns a producer; it does not connect.
func NewProducer(c ProducerConfig) *Producer {
	p := &Producer{config: c, next: make([]int64, c.Partitions), board: c.First, random: rand.New(rand.NewPCG(c.Seed, 1))}
	for i := range c.Partitions {
		p.keys, p.next[i] = append(p.keys, kafkatest.KeyOf(i, c.Partitions)), c.First
	}
	return p
}

// Run writes until ctx is done. The error says why it cannot go on; brokers that
// are away, and commits of which nobody knows what became, are none.
func (p *Producer) Run(ctx context.Context) error {
	ticks := time.NewTicker(p.config.Every)
	defer ticks.Stop()
	for ctx.Err() == nil {
		if err := p.session(ctx, ticks.C); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// String says how many transactions there were, for people.
func (p *Producer) String() string {
	return fmt.Sprintf("%d transactions committed, %d aborted, %d of unknown outcome", p.committed.Load(), p.aborted.Load(), p.unknown.Load())
}

// session writes with one producer until it is of no more use.
func (p *Producer) session(ctx context.Context, ticks <-chan time.Time) error {
	tx, err := kafka.OpenTxnProducer(ctx, p.config.Kafka, "numbered")
	if err != nil {
		return err
	}
	defer tx.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
		}
		if err := p.transaction(context.WithoutCancel(ctx), tx); err != nil {
			return nil //nolint:nilerr // its outcome is counted; the next session opens another producer
		}
	}
}

// transaction writes one transaction to its end. An error means that the
// producer is finished.
func (p *Producer) transaction(ctx context.Context, tx *kafka.TxnProducer) error {
	if err := tx.Begin(); err != nil {
		return err
	}
	abort := p.random.IntN(8) == 0
	for i, key := range p.keys {
		for range p.random.IntN(4) {
			tx.Produce(kafka.Record{Topic: Topic, Key: []byte(key), Value: p.value(&p.next[i], abort)})
		}
	}
	key := fmt.Sprintf("board%d", p.random.IntN(boardKeys))
	tx.Produce(kafka.Record{Topic: Board, Key: []byte(key), Value: p.value(&p.board, abort)})
	if abort {
		p.aborted.Add(1)
		return tx.Abort(ctx)
	}
	err := tx.Commit(ctx)
	switch {
	case err == nil:
		p.committed.Add(1)
		return nil
	case errors.Is(err, kafka.ErrUnconfirmed) || errors.Is(err, kafka.ErrFenced):
		p.unknown.Add(1)
		return err
	}
	p.aborted.Add(1)
	return tx.Abort(ctx)
}

func (p *Producer) value(next *int64, abort bool) []byte {
	if abort {
		return fmt.Appendf(nil, `{"n":%d}`, Aborted)
	}
	*next++
	return fmt.Appendf(nil, `{"n":%d}`, *next-1)
}
