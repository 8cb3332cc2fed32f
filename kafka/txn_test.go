package kafka_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"livemap/feed"
	"livemap/kafka"
)

func openTxn(t *testing.T, cfg kafka.Config, id string) *kafka.TxnProducer {
	t.Helper()
	p, err := kafka.OpenTxnProducer(patience(t), cfg, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// begin starts a transaction and writes records in it.
func begin(t *testing.T, p *kafka.TxnProducer, records ...kafka.Record) {
	t.Helper()
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		p.Produce(r)
	}
}

func commit(t *testing.T, p *kafka.TxnProducer, records ...kafka.Record) {
	t.Helper()
	begin(t, p, records...)
	if err := p.Commit(patience(t)); err != nil {
		t.Fatal(err)
	}
}

// committedIsSeen: all three ways of reading, with markers and aborted records
// between and at the end, where a position that only records moved would stay
// short of the end for ever.
func committedIsSeen(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 2)
	p := openTxn(t, cfg, topic)
	commit(t, p, numbered(topic, 0, 100)...)
	abort(t, cfg, p, topic, numbered(topic, 1000, 1100))
	commit(t, p, numbered(topic, 100, 200)...)
	abort(t, cfg, p, topic, numbered(topic, 1100, 1200))

	l, at := newLedger(t), &positions{}
	poll(t, reader(t, cfg, topic, nil), l, at, func() bool { return at.allCaughtUp(2) })
	l.want(0, 200)

	l = newLedger(t)
	next, err := kafka.ReadState(patience(t), cfg, topic, func(r kafka.Record) error {
		l.add([]kafka.Record{r})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.want(0, 200)
	if !maps.Equal(next, at.next) {
		t.Errorf("state ends at %v, the reader at %v", next, at.next)
	}

	l = newLedger(t)
	caughtUp, last := 0, map[int32]int64{}
	tail(t, kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: topic, Kind: feed.State}}}, func(e kafka.Event) bool {
		switch e := e.(type) {
		case kafka.Records:
			l.add(e.Records)
			last[e.Partition] = e.Next
		case kafka.CaughtUp:
			caughtUp++
		}
		return caughtUp == 2
	})
	l.want(0, 200)
	if !maps.Equal(next, last) {
		t.Errorf("state ends at %v, the tail at %v", next, last)
	}
}

// abort writes records, sees to it that they are in the log, and aborts.
func abort(t *testing.T, cfg kafka.Config, p *kafka.TxnProducer, topic string, records []kafka.Record) {
	t.Helper()
	adm := admin(t, cfg)
	end := func() (sum int64) {
		offsets, err := adm.ListEndOffsets(patience(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range offsets[topic] {
			sum += max(0, o.Offset)
		}
		return sum
	}
	before := end()
	begin(t, p, records...)
	for end() < before+int64(len(records)) {
	}
	if err := p.Abort(patience(t)); err != nil {
		t.Fatal(err)
	}
}

// openTransactionIsWaitedFor: a reader is not caught up while a transaction may
// still add records; a state is what is committed.
func openTransactionIsWaitedFor(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 1)
	p := openTxn(t, cfg, topic)
	commit(t, p, numbered(topic, 0, 10)...)
	r := reader(t, cfg, topic, nil)
	l, at := newLedger(t), &positions{}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(1) })

	begin(t, p, numbered(topic, 10, 20)...)
	poll(t, r, l, at, func() bool { return !at.caughtUp[0] })
	if l.count() != 10 {
		t.Errorf("%d records are seen, want the 10 committed", l.count())
	}
	n := 0
	if _, err := kafka.ReadState(patience(t), cfg, topic, func(kafka.Record) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	if n != 10 {
		t.Errorf("state has %d records, want the 10 committed", n)
	}
	if err := p.Commit(patience(t)); err != nil {
		t.Fatal(err)
	}
	poll(t, r, l, at, func() bool { return at.allCaughtUp(1) })
	l.want(0, 20)
}

func newerProducerFences(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 1)
	old := openTxn(t, cfg, topic)
	commit(t, old, numbered(topic, 0, 5)...)
	begin(t, old, numbered(topic, 100, 105)...)
	for { // until they are in the log, so that the newer one has something to abort
		offsets, err := admin(t, cfg).ListEndOffsets(patience(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		if offsets[topic][0].Offset >= 11 { // five, a marker, five
			break
		}
	}
	newer := openTxn(t, cfg, topic)
	if err := old.Commit(patience(t)); !errors.Is(err, kafka.ErrFenced) {
		t.Errorf("commit of the older: %v, want ErrFenced", err)
	}
	for name, err := range map[string]error{"begin": old.Begin(), "commit": old.Commit(patience(t)), "abort": old.Abort(patience(t))} {
		if !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("%s of the older afterwards: %v, want ErrFenced", name, err)
		}
	}
	commit(t, newer, numbered(topic, 5, 10)...)

	// Another that writes only after it was fenced.
	late := newer
	openTxn(t, cfg, topic)
	if err := late.Begin(); err == nil {
		late.Produce(numbered(topic, 200, 201)[0])
		err = late.Commit(patience(t))
		if !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("commit of a fenced producer: %v, want ErrFenced", err)
		}
	}
	l, at := newLedger(t), &positions{}
	poll(t, reader(t, cfg, topic, nil), l, at, func() bool { return at.allCaughtUp(1) })
	l.want(0, 10)
}

func producerGoesOnAfterAbort(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.State, 1)
	p := openTxn(t, cfg, topic)
	begin(t, p, append(numbered(topic, 100, 105), kafka.Record{Topic: topic, Key: []byte("large"), Value: make([]byte, 3<<20)})...)
	if err := p.Commit(patience(t)); err == nil || errors.Is(err, kafka.ErrFenced) || errors.Is(err, kafka.ErrUnconfirmed) {
		t.Errorf("commit with a record that is too large: %v, want an error of the record", err)
	}
	if err := p.Abort(patience(t)); err != nil {
		t.Fatal(err)
	}
	commit(t, p) // an empty one
	commit(t, p, numbered(topic, 0, 5)...)
	l, at := newLedger(t), &positions{}
	poll(t, reader(t, cfg, topic, nil), l, at, func() bool { return at.allCaughtUp(1) })
	l.want(0, 5)
}

func tailBeginsBeforeTheEnd(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	p := openTxn(t, cfg, topic)
	for n := range 40 { // a marker after each record
		commit(t, p, numbered(topic, n, n+1)...)
	}
	var values []string
	tail(t, kafka.TailConfig{Config: cfg, Topics: []kafka.TailTopic{{Name: topic, Kind: feed.Log, Recent: 10}}}, func(e kafka.Event) bool {
		if r, ok := e.(kafka.Records); ok {
			for _, rec := range r.Records {
				values = append(values, string(rec.Value))
			}
		}
		_, done := e.(kafka.CaughtUp)
		return done
	})
	// Where the last marker was not there yet when the tail asked for the end, it
	// begins one record earlier: at least Recent is what it promises.
	want := []string{"29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39"}
	if !slices.Equal(values, want) && !slices.Equal(values, want[1:]) {
		t.Errorf("the tail began with %v, want %v, or one more before them", values, want[1:])
	}
}
