package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ReaderConfig says what a [Reader] reads.
type ReaderConfig struct {
	Config
	Topic string
	// Offsets are where partitions begin; those that are absent begin at the
	// earliest record. Typically the Next of the last batch that was processed.
	Offsets map[int32]int64
	// FetchBytes bounds one answer of a broker, compressed. Default 8 MiB. A
	// Reader holds at most two answers per broker. Of an answer a partition gets
	// at most its equal part, but 128 KiB and a whole batch in any case.
	FetchBytes int
}

// Validate reports all errors of the configuration.
func (c ReaderConfig) Validate() error {
	errs := []error{c.Config.Validate(), validateFetchBytes(c.FetchBytes)}
	if c.Topic == "" {
		errs = append(errs, errors.New("kafka reader: no topic"))
	}
	for p, o := range c.Offsets {
		if p < 0 || o < 0 {
			errs = append(errs, fmt.Errorf("kafka reader: partition %d, offset %d; allowed: not negative", p, o))
		}
	}
	return errors.Join(errs...)
}

// PartitionBatch is what one Poll found of one partition.
type PartitionBatch struct {
	Partition int32
	// Records in offset order, without transaction markers and aborted records.
	// There may be none: then Next, CaughtUp or Lost changed. They are the
	// caller's, to Release when done with.
	Records *Packed
	// Next is the offset after Records, markers included: where to begin after a
	// restart.
	Next int64
	// CaughtUp: the log holds nothing beyond Next, not even records of a
	// transaction that is still open. It stays as reported until the
	// partition's next batch.
	CaughtUp bool
	// Lost counts offsets before Records that were skipped because the log no
	// longer holds them or they cannot be decoded. It is negative after a
	// truncation, when reading goes on at a smaller offset.
	Lost int64
}

// Reader reads all partitions of one topic, read_committed, as [Packed] records, with
// back-pressure: it fetches at most one answer per broker ahead of Poll. A
// Reader is for one goroutine.
type Reader struct {
	f     *follower
	topic *topic
	lost  map[int32]int64 // not yet reported
}

// NewReader returns a Reader. It does not connect.
func NewReader(c ReaderConfig) (*Reader, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f, err := newFollower(c.Config, followConfig{
		topics:   []followTopic{{name: c.Topic, offsets: c.Offsets}},
		maxBytes: int32(c.FetchBytes),
		packed:   true,
		shared:   true,
	})
	if err != nil {
		return nil, err
	}
	return &Reader{f: f, topic: f.topics[0], lost: map[int32]int64{}}, nil
}

// AtHand returns what Poll would if it can do so without waiting, and nothing
// otherwise.
func (r *Reader) AtHand() ([]PartitionBatch, error) {
	r.f.landed(time.Now())
	if len(r.f.ready) == 0 {
		return nil, nil
	}
	return r.Poll(context.Background())
}

// Poll blocks until at least one partition has news and returns all that is at
// hand, in the order it was fetched. Brokers that do not answer are asked
// again for ever. The error is that of ctx, or [ErrRecreated].
func (r *Reader) Poll(ctx context.Context) ([]PartitionBatch, error) {
	var out []PartitionBatch
	for len(out) == 0 || len(r.f.ready) > 0 {
		d, err := r.f.next(ctx)
		if err != nil {
			return nil, err
		}
		switch d.kind {
		case deliverTopic:
			if r.topic.generation > 0 {
				return nil, fmt.Errorf("read topic %s: %w", r.topic.name, ErrRecreated)
			}
		case deliverLost, deliverSkipped:
			r.lost[d.partition.number] += d.to - d.from
		case deliverRecords:
			p := d.partition.number
			out = append(out, PartitionBatch{
				Partition: p, Records: d.packed, Next: d.to, CaughtUp: d.caughtUp, Lost: r.lost[p],
			})
			delete(r.lost, p)
		}
	}
	return out, nil
}

// Partitions returns how many partitions the topic has, as far as known: 0
// before the first answer of a broker.
func (r *Reader) Partitions() int { return len(r.topic.partitions) }

// TopicID returns Kafka's UUID of the topic, zero before the first answer of a
// broker. A caller that keeps offsets keeps it beside them: offsets of a topic
// with another UUID mean nothing.
func (r *Reader) TopicID() [16]byte { return r.topic.id }

// Pause stops fetching partitions until [Reader.Resume]. What is already on its
// way, at most one answer, is kept until then: who reads slower than a broker
// sends pauses partitions all the time, and would have most sent twice.
func (r *Reader) Pause(partitions ...int32) {
	r.each(partitions, func(p *partition) { p.paused = true })
}

// Resume fetches paused partitions again.
func (r *Reader) Resume(partitions ...int32) {
	r.f.resumed = true
	r.each(partitions, func(p *partition) {
		p.paused = false
		if held := p.held; held != nil {
			p.held = nil
			held()
		}
	})
}

func (r *Reader) each(partitions []int32, do func(*partition)) {
	for _, p := range partitions {
		if p >= 0 && int(p) < len(r.topic.partitions) {
			do(r.topic.partitions[p])
		}
	}
}

// Close ends what is under way and closes the connections.
func (r *Reader) Close() { r.f.close() }
