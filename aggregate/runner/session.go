package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"livemap/aggregate"
	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

// session is one life of an aggregator: from the checkpoint until a fault. All
// of it belongs to one goroutine.
type session struct {
	*runner
	products *catalogue
	agg      *aggregate.Aggregator
	producer *kafka.TxnProducer
	reader   *kafka.Reader
	prepare  *preparers
	backlog  backlog
	lent     []lent // to the aggregator, oldest first

	committing chan error // of the transaction that is being committed, nil: none

	handled   map[int32]int64 // by partition: records before were dealt with before the restart
	pending   []kafka.Record  // dead and late orders of the next transaction
	lastFlush time.Time
	lastFetch time.Time
	lastFull  time.Time // when more was fetched than could be taken at once
	lastBeat  time.Time
	unread    int64           // records that were no order, since the counts were last logged
	told      time.Time       // when the counts were last logged
	toldStats aggregate.Stats // and what they were
	counted   aggregate.Stats // as the metrics have them
}

// session loads the checkpoint and aggregates until a fault or the end of ctx.
func (r *runner) session(ctx context.Context, products *catalogue) error {
	s := &session{runner: r, products: products}
	var err error
	if s.producer, err = kafka.OpenTxnProducer(ctx, r.cfg.Kafka, transactionalID); err != nil {
		return fmt.Errorf("become the writer: %w", err)
	}
	defer s.producer.Close()
	defer func() { _ = s.committed() }() // the session's error is the one that ended it
	// Whoever stands by must hear of us before the load, however long it takes.
	if err := s.commit(ctx, s.beat(s.clock.now()), nil, nil); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	defer s.reader.Close()
	s.prepare = startPreparers(runtime.GOMAXPROCS(0), r.cfg.Aggregate)
	defer s.prepare.stop()
	defer s.agg.Share()()
	for {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
}

// load takes over the aggregator of the checkpoint and opens the reader where it
// has to read again.
func (s *session) load(ctx context.Context) error {
	began := time.Now()
	l, err := s.current(ctx)
	if err != nil {
		return err
	}
	s.agg = l.agg
	s.agg.SetClassification(s.products.current())
	offsets := map[int32]int64{}
	s.handled = map[int32]int64{}
	for p, at := range s.agg.Positions() {
		offsets[p], s.handled[p] = at.Replay, at.Next
		s.backlog.grow(int(p) + 1)
		s.backlog.parts[p].replayUntil = at.Next
	}
	s.reader, err = kafka.NewReader(kafka.ReaderConfig{Config: s.cfg.Kafka, Topic: feed.TopicOrders, Offsets: offsets, FetchBytes: fetchBytes})
	s.log.Info("aggregating", "partitions_in_checkpoint", len(offsets), "loaded_in", time.Since(began).Round(time.Millisecond))
	return err
}

// step fetches, aggregates until the next flush is due, and has what came of it
// committed. The commit goes on beside the next steps, because waiting for the
// broker would leave a core idle: if it fails, all that was aggregated meanwhile
// is dropped with the session. There is one at a time.
func (s *session) step(ctx context.Context) error {
	if err := s.fetch(ctx); err != nil {
		return err
	}
	if err := s.consume(); err != nil {
		return err
	}
	now := time.Now()
	if now.Before(s.due()) {
		return nil
	}
	if err := s.committed(); err != nil {
		return err
	}
	s.agg.SetClassification(s.products.current())
	out, err := s.agg.Flush(s.clock.now())
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	s.metrics.observe(s.agg, now)
	s.metrics.count(s.agg.Stats(), &s.counted)
	s.tell(now)
	done, beat, pending := make(chan error, 1), s.beat(s.clock.now()), s.pending
	s.committing, s.pending = done, nil
	go func() {
		ctx, cancel := outlast(ctx, commitWithin)
		defer cancel()
		done <- s.commit(ctx, beat, &out, pending)
	}()
	s.lastFlush = time.Now()
	return nil
}

// outlast returns a context that ends some time after ctx: what is on its way to the
// broker when the process is told to end is still committed.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// committed waits for the transaction that is being committed.
func (s *session) committed() error {
	if s.committing == nil {
		return nil
	}
	err := <-s.committing
	s.committing = nil
	return err
}

// due returns when the next flush is. While a backlog is read nobody waits for
// figures that are seconds old, and fewer of them leave more time to read it,
// unless the watermark waits for a flush: then it would fall ever further behind
// what is read, and all of that would be open. A window of the present that can
// become final waits for nothing but the flush.
func (s *session) due() time.Time {
	at, ok := s.agg.Watermark()
	behind := ok && s.lastFetch.Sub(at.Std()) > behindBy
	switch {
	case behind && s.lastFetch.Sub(s.lastFull) < flushBehind && !s.agg.Held():
		return s.lastFlush.Add(flushBehind)
	case !behind && s.agg.WindowDue():
		return s.lastFlush.Add(flushFinal)
	}
	return s.lastFlush.Add(flushEvery)
}

// tell logs what became of the orders since the last time, if anything did not
// go into the figures.
func (s *session) tell(now time.Time) {
	if now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	stats, args := s.agg.Stats(), []any{}
	for _, v := range aggregate.Verdicts() {
		if n := stats.Verdicts[v] - s.toldStats.Verdicts[v]; n > 0 && v != aggregate.Accepted && v != aggregate.Replayed {
			args = append(args, v.String(), n)
		}
	}
	if n := s.unread; n > 0 {
		args = append(args, "unreadable", n)
		s.unread = 0
	}
	if n := stats.UnitsLeftOut - s.toldStats.UnitsLeftOut; n > 0 {
		args = append(args, "units_left_out_of_trending", n)
	}
	s.toldStats = stats
	if len(args) > 0 {
		s.log.Info("orders that were not simply counted", args...)
	}
}

// fetch takes over what the reader has; it waits only while there is nothing
// to do, and never beyond the next flush.
func (s *session) fetch(ctx context.Context) error {
	wait := time.Until(s.due())
	if s.nextPartition() >= 0 {
		wait = 0
	}
	poll, cancel := context.WithTimeout(ctx, max(wait, time.Millisecond))
	defer cancel()
	batches, err := s.reader.Poll(poll)
	if err != nil && poll.Err() == nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.takeOver(batches)
}

// takeOver queues what was fetched.
func (s *session) takeOver(batches []kafka.PartitionBatch) error {
	if err := s.recognize(); err != nil {
		return err
	}
	s.lastFetch = time.Now()
	if err := s.agg.SetPartitions(s.reader.Partitions()); err != nil {
		return err
	}
	s.backlog.grow(s.reader.Partitions())
	for _, batch := range batches {
		s.metrics.lost.Add(float64(max(batch.Lost, 0)))
		var f *fetched
		if batch.Records.Len() > 0 {
			f = s.prepare.do(batch.Records)
		} else {
			batch.Records.Release()
		}
		if s.backlog.add(int(batch.Partition), f, batch.Next, batch.CaughtUp) {
			s.reader.Pause(batch.Partition)
		}
	}
	if s.backlog.full() {
		s.lastFull = s.lastFetch
	}
	s.tellCaughtUp(s.clock.now())
	return nil
}

// recognize makes sure that the topic orders is the one whose offsets the
// checkpoint holds: those of a topic that was deleted and made again mean
// nothing, and reading on from them would lose or repeat orders silently.
func (s *session) recognize() error {
	id := s.reader.TopicID()
	if id == s.topicID || id == [16]byte{} {
		return nil
	}
	if s.topicID != [16]byte{} && len(s.handled) > 0 {
		return fmt.Errorf("%w: topic %s was deleted and made again since it was written; delete the topic %s too, to begin all figures anew",
			ErrCheckpoint, feed.TopicOrders, feed.TopicCheckpoint)
	}
	s.topicID = id
	return nil
}

// tellCaughtUp tells the aggregator which partitions have nothing waiting: the
// condition for a partition to become idle.
func (s *session) tellCaughtUp(now orders.Time) {
	for i := range s.backlog.parts {
		p := &s.backlog.parts[i]
		if p.waiting == 0 && p.next > 0 {
			s.agg.Advance(int32(i), p.next)
		}
		s.agg.CaughtUp(int32(i), s.backlog.caughtUp(i), now)
	}
}

func (s *session) nextPartition() int {
	return s.backlog.pick(s.agg)
}

// consume aggregates what was fetched until the next flush is due, and takes
// over what is fetched meanwhile.
func (s *session) consume() error {
	for {
		now := time.Now()
		i := s.nextPartition()
		if i < 0 || !now.Before(s.due()) {
			return nil
		}
		c, of, last, resume := s.backlog.take(i)
		if resume {
			s.reader.Resume(int32(i))
		}
		s.add(int32(i), c, of.records, s.clock.now())
		s.lend(c, of.records, last)
		if now.Sub(s.lastFetch) >= fetchEvery {
			batches, err := s.reader.AtHand()
			if err != nil {
				return fmt.Errorf("read orders: %w", err)
			}
			if err := s.takeOver(batches); err != nil {
				return err
			}
		}
	}
}

// lent is a chunk that the aggregator may still be at work on.
type lent struct {
	chunk   *chunk
	records *kafka.Packed // nil: other chunks are of the same
}

// lend notes a chunk that was added, and takes back those that are done with: as
// many as an aggregator works on at once are left.
func (s *session) lend(c *chunk, records *kafka.Packed, last bool) {
	l := lent{chunk: c}
	if last {
		l.records = records
	}
	s.lent = append(s.lent, l)
	n := 0
	for n < len(s.lent) && !s.lent[n].chunk.prepared.Busy() {
		s.lent[n].records.Release()
		spareChunks.Put(s.lent[n].chunk)
		n++
	}
	s.lent = slices.Delete(s.lent, 0, n)
}

// add aggregates a chunk of records and keeps those for orders.dead and
// orders.late that belong there.
func (s *session) add(partition int32, c *chunk, records *kafka.Packed, now orders.Time) {
	s.agg.AddPrepared(partition, &c.prepared, now)
	for i, verdict := range c.prepared.Verdicts() {
		switch {
		case verdict.Dead():
			rec := records.Record(c.first + i)
			s.dead(&rec, verdict.String(), deadDetail(verdict, &rec))
		case verdict == aggregate.Late:
			rec := records.Record(c.first + i)
			s.pending = append(s.pending, lateRecord(&rec))
		}
	}
	if c.refused >= 0 {
		rec := records.Record(c.refused)
		s.unreadable(&rec, c.why)
	}
}

// lateRecord returns the record that keeps a late order: as it was, but for
// what of its key and headers exceeds maxLateBytes. Its value is an order and so
// at most orders.MaxRecordBytes; with the rest bounded too the topic takes it,
// whatever the topic orders takes.
func lateRecord(rec *kafka.Record) kafka.Record {
	late := kafka.Record{Topic: feed.TopicOrdersLate, At: rec.At, Key: rec.Key, Value: rec.Value}
	late.Key = late.Key[:min(len(late.Key), maxLateBytes)]
	room := maxLateBytes
	for _, h := range rec.Headers {
		if room -= len(h.Key) + len(h.Value); room < 0 {
			break
		}
		late.Headers = append(late.Headers, h)
	}
	return late
}

// maxLateBytes bounds the key, and all headers, of a late order.
const maxLateBytes = 64 << 10

func (s *session) unreadable(rec *kafka.Record, err error) {
	s.agg.Advance(rec.Partition, rec.Offset+1)
	if rec.Offset < s.handled[rec.Partition] {
		return // kept before the restart
	}
	s.unread++
	reason := string(orders.Malformed)
	var invalid *orders.Invalid
	if errors.As(err, &invalid) {
		reason = string(invalid.Reason)
	}
	s.dead(rec, reason, err.Error())
}

func (s *session) dead(rec *kafka.Record, reason, detail string) {
	s.metrics.dead.WithLabelValues(reason).Inc()
	s.pending = append(s.pending, kafka.DeadRecord(*rec, reason, detail))
}

func deadDetail(v aggregate.Verdict, rec *kafka.Record) string {
	o, err := orders.Decode(rec.Value)
	if err != nil {
		return err.Error() // which cannot be: it was an order before
	}
	if v == aggregate.DeadRate {
		return fmt.Sprintf("no exchange rate for %s on %s", o.Currency, o.At)
	}
	return fmt.Sprintf("at is %s, Kafka's timestamp %s; allowed: from 2000 on and at most 60 s after Kafka's timestamp", o.At, rec.At)
}

// commit writes what a flush returned, the orders set aside since the last one
// and the leader record beat, in one transaction; nothing, if there is only the
// leader record and it is not due. A nil out writes the leader record alone. Of s
// it uses the producer and lastBeat, which are its own until it is done.
func (s *session) commit(ctx context.Context, beat kafka.Record, out *aggregate.Output, pending []kafka.Record) error {
	now := time.Now()
	due := now.Sub(s.lastBeat) >= beatEvery
	if out != nil && len(out.Records)+len(out.Changes)+len(pending) == 0 && !due {
		return nil
	}
	if err := s.producer.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	s.producer.Produce(beat)
	if out != nil {
		for _, rec := range out.Records {
			s.producer.Produce(kafka.Record{Topic: rec.Topic, Key: []byte(rec.Key), Value: rec.Value})
		}
		for _, c := range out.Changes {
			s.producer.Produce(kafka.Record{Topic: feed.TopicCheckpoint, Key: []byte(c.Key), Value: c.Value})
		}
	}
	for _, rec := range pending {
		s.producer.Produce(rec)
	}
	if err := s.producer.Commit(ctx); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	s.lastBeat = now
	s.metrics.commits.Observe(time.Since(now).Seconds())
	return nil
}
