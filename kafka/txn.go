package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TxnTimeout is how long a transaction may stay open before the broker aborts
// it, which is ErrFenced for its producer. Until then an abandoned transaction
// holds up read_committed readers, unless a newer producer with the same
// transactional id fences its owner.
const TxnTimeout = 60 * time.Second

// TxnProducer writes records in transactions: all of one, over any topics, or
// none. It is for one goroutine.
type TxnProducer struct {
	id  string
	cl  *kgo.Client
	out outcome
	err error // why the producer is finished; nil while it is of use
}

// OpenTxnProducer returns the producer of a transactional id and fences any
// older one with that id: their open transaction is aborted, their next call
// returns [ErrFenced]. It waits for a broker until ctx ends.
func OpenTxnProducer(ctx context.Context, c Config, transactionalID string) (*TxnProducer, error) {
	if transactionalID == "" {
		return nil, errors.New("kafka: empty transactional id")
	}
	opts := append(producerOpts(), kgo.TransactionalID(transactionalID), kgo.TransactionTimeout(TxnTimeout),
		kgo.MaxBufferedBytes(maxBufferedBytes))
	var said time.Time
	for {
		cl, err := c.newClient(opts...)
		if err != nil {
			return nil, err
		}
		_, _, err = cl.ProducerID(ctx)
		if err == nil {
			return &TxnProducer{id: transactionalID, cl: cl, out: outcome{metrics: c.metrics()}}, nil
		}
		cl.Close()
		if ctx.Err() != nil || !inMotion(err) {
			return nil, fmt.Errorf("open transactional producer %s: %w", transactionalID, err)
		}
		if now := time.Now(); now.Sub(said) >= repeatLogEvery {
			said = now
			c.logger().Warn("transactional producer cannot be opened now; retrying", "id", transactionalID, "err", err)
		}
		if err := pause(ctx, backoffMost); err != nil {
			return nil, fmt.Errorf("open transactional producer %s: %w", transactionalID, err)
		}
	}
}

// Begin starts a transaction; the broker learns of it with the first record.
func (p *TxnProducer) Begin() error {
	if p.err != nil {
		return p.err
	}
	p.out.reset()
	if err := p.cl.BeginTransaction(); err != nil {
		return p.finish(fmt.Errorf("begin transaction of %s: %w", p.id, err))
	}
	return nil
}

// Produce queues a record of the transaction, blocking while 64 MiB are not yet
// acknowledged. Its slices belong to the producer until
// Commit or Abort returns. An error is kept and returned by Commit.
func (p *TxnProducer) Produce(r Record) {
	p.cl.Produce(context.Background(), r.toKgo(), p.out.done)
}

// Commit waits until all records are written and commits. The error says how to
// go on:
//   - [ErrFenced]: another producer may own the id; whether this transaction was
//     committed is what is found in the log;
//   - [ErrUnconfirmed]: open another producer, read back what was committed;
//   - [ErrTooLarge]: not committed, and never will be with that record; Abort;
//   - any other: not committed; Abort, then Begin again.
//
// After the first two the producer is finished and every call repeats the error.
func (p *TxnProducer) Commit(ctx context.Context) error {
	if p.err != nil {
		return p.err
	}
	err := p.cl.Flush(ctx)
	if err == nil {
		err = p.out.first()
	}
	if err != nil {
		p.count(txnFailed)
		return p.finish(fmt.Errorf("commit transaction of %s: %w", p.id, err))
	}
	if err := p.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return p.finishCommit(ctx, err)
	}
	p.count(txnCommitted)
	return nil
}

// finishCommit decides what a failed commit means.
func (p *TxnProducer) finishCommit(ctx context.Context, err error) error {
	if errors.Is(err, kerr.OperationNotAttempted) {
		// The client did not ask the broker, because its producer id had failed.
		if _, _, idErr := p.cl.ProducerID(ctx); idErr != nil {
			err = idErr
		}
		p.count(txnFailed)
		return p.finish(fmt.Errorf("commit transaction of %s: %w", p.id, err))
	}
	if isFenced(err) {
		return p.finish(fmt.Errorf("commit transaction of %s: %w", p.id, err))
	}
	p.count(txnUnconfirmed)
	p.err = fmt.Errorf("commit transaction of %s: %w: %w", p.id, ErrUnconfirmed, err)
	return p.err
}

// Abort drops what was queued and aborts the transaction. Without error the
// producer can Begin again; with one it is finished.
func (p *TxnProducer) Abort(ctx context.Context) error {
	if p.err != nil {
		return p.err
	}
	if err := p.cl.AbortBufferedRecords(ctx); err != nil {
		p.err = fmt.Errorf("abort transaction of %s: %w", p.id, err)
		return p.err
	}
	if err := p.cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		if p.finish(err); p.err == nil {
			p.err = fmt.Errorf("abort transaction of %s: %w", p.id, err)
		}
		return p.err
	}
	p.count(txnAborted)
	return nil
}

// finish returns err, and ends the producer if err means that it is fenced.
func (p *TxnProducer) finish(err error) error {
	if !isFenced(err) {
		return err
	}
	p.count(txnFenced)
	p.err = fmt.Errorf("%w: %w", ErrFenced, err)
	return p.err
}

func (p *TxnProducer) count(o txnOutcome) {
	p.out.metrics.transactions.WithLabelValues(string(o)).Inc()
}

// Close drops what is not committed and closes the connections. An open
// transaction is left to the broker, which aborts it when the id is opened
// again or after [TxnTimeout].
func (p *TxnProducer) Close() { p.cl.Close() }
