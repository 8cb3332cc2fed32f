package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
)

func history(t *testing.T, c kafka.Config) *kafka.History {
	t.Helper()
	h, err := kafka.NewHistory(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// readAll reads a partition from an offset to its end in small stretches, which
// must join. It returns where the first began and how many offsets were damaged.
func readAll(t *testing.T, h *kafka.History, l *ledger, topic string, partition int32, from int64) (begin, end, damaged int64) {
	t.Helper()
	begin = -1
	for {
		s, err := h.Read(patience(t), topic, partition, from, 512)
		if err != nil {
			t.Fatal(err)
		}
		if begin < 0 {
			begin = s.From
		} else if s.From != from {
			t.Errorf("asked for %d, read from %d", from, s.From)
		}
		if s.Damaged {
			damaged += s.Next - s.From
		}
		for _, r := range s.Records {
			if r.Partition != partition || r.Offset < s.From || r.Offset >= s.Next {
				t.Errorf("record %d/%d in a stretch from %d to %d", r.Partition, r.Offset, s.From, s.Next)
			}
		}
		l.add(s.Records)
		if s.Next == s.From {
			return begin, s.Next, damaged
		}
		from = s.Next
	}
}

// historyReadsAnything: from anywhere, without what was aborted or is not
// committed yet, and what is no longer there is told.
func historyReadsAnything(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 2)
	p := openTxn(t, cfg, topic)
	for n := 0; n < 100; n += 20 {
		commit(t, p, numbered(topic, n, n+20)...)
	}
	abort(t, cfg, p, topic, numbered(topic, 1000, 1100))
	commit(t, p, numbered(topic, 100, 200)...)
	abort(t, cfg, p, topic, numbered(topic, 1100, 1200))
	begin(t, p, numbered(topic, 2000, 2100)...)

	h, l := history(t, cfg), newLedger(t)
	_, first, last, err := h.Bounds(patience(t), topic)
	if err != nil || len(first) != 2 || first[0] != 0 {
		t.Fatalf("bounds %v %v, %v", first, last, err)
	}
	for partition := range int32(2) {
		if _, end, _ := readAll(t, h, l, topic, partition, 0); end != last[partition] {
			t.Errorf("partition %d ends at %d, its last stable offset is %d", partition, end, last[partition])
		}
	}
	l.want(0, 200)
	if s, err := h.Read(patience(t), topic, 0, last[0]+1000, 512); err != nil || s.From != s.Next || len(s.Records) > 0 {
		t.Errorf("beyond the end: %+v, %v", s, err)
	}
	if _, err := h.Read(patience(t), topic+"-none", 0, 0, 512); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("of no topic: %v", err)
	}

	cut := kadm.Offsets{}
	cut.AddOffset(topic, 0, 30, -1)
	if _, err := admin(t, cfg).DeleteRecords(patience(t), cut); err != nil {
		t.Fatal(err)
	}
	if from, _, _ := readAll(t, h, newLedger(t), topic, 0, 10); from != 30 {
		t.Errorf("what was deleted: read from %d, the log begins at 30", from)
	}
}

// historyFindsTimes: the first record at or after a time, the end where there is
// none.
func historyFindsTimes(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	records := numbered(topic, 0, 60)
	for i := range records {
		records[i].At = orders.TimeOf(begin.Add(time.Duration(i) * time.Minute))
		produce(t, cfg, records[i])
	}
	h := history(t, cfg)
	for _, test := range []struct {
		at   time.Time
		want int64
	}{
		{begin.Add(-time.Hour), 0}, {begin, 0}, {begin.Add(time.Millisecond), 1}, {begin.Add(30 * time.Minute), 30},
		{begin.Add(59 * time.Minute), 59}, {begin.Add(2 * time.Hour), 60},
	} {
		if _, got, err := h.Find(patience(t), topic, test.at); err != nil || len(got) != 1 || got[0] != test.want {
			t.Errorf("at %s: %v, %v; want %d", test.at.Sub(begin), got, err, test.want)
		}
	}
}

// historyOfRecreated: what is read belongs to the topic with the UUID told.
func historyOfRecreated(t *testing.T, c cluster) {
	cfg := config(t, c)
	topic := topicOf(t, cfg, feed.Log, 1)
	produce(t, cfg, numbered(topic, 0, 20)...)
	h := history(t, cfg)
	before, err := h.Read(patience(t), topic, 0, 0, 1<<20)
	if err != nil || len(before.Records) != 20 {
		t.Fatalf("%d records, %v", len(before.Records), err)
	}
	recreate(t, cfg, topic)
	produce(t, cfg, numbered(topic, 100, 110)...)
	after, err := h.Read(patience(t), topic, 0, 0, 1<<20)
	for err == nil && len(after.Records) == 0 { // a broker that has not heard of it answers with the old end
		after, err = h.Read(patience(t), topic, 0, 0, 1<<20)
	}
	if err != nil || after.TopicID == before.TopicID || string(after.Records[0].Value) != "100" {
		t.Errorf("after it was made again: %+v, %v", after, err)
	}
}

// TestHistoryStepsOverPoison: a batch that cannot be decoded is told as such.
func TestHistoryStepsOverPoison(t *testing.T) {
	c, cfg := fake(t, kfake.NumBrokers(1))
	topic := topicOf(t, cfg, feed.Log, 1)
	produce(t, cfg, numbered(topic, 0, 10)...)
	const lz4 = 3
	writeRaw(t, cfg, c.TopicInfo(topic).TopicID, topic, batch(lz4, []byte("this is not lz4"), 3))
	produce(t, cfg, numbered(topic, 10, 20)...)
	l := newLedger(t)
	if _, end, damaged := readAll(t, history(t, cfg), l, topic, 0, 0); damaged != 3 || end != 23 {
		t.Errorf("%d offsets damaged, the end at %d", damaged, end)
	}
	l.want(0, 20)
}
