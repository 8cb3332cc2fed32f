package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// head is a batch header of version 2 with nothing behind it but filler.
func head(base int64, count int32, filler int) []byte {
	b := make([]byte, batchHeaderLen+filler)
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchPreamble))
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint32(b[batchLastDelta:], uint32(count-1))
	return b
}

func TestBatchAt(t *testing.T) {
	two := append(head(10, 5, 40), head(15, 5, 40)...)
	old := head(7, 1, 40)
	old[batchMagicAt] = 1
	for name, test := range map[string]struct {
		b      []byte
		offset int64
		past   int64
		whole  bool
	}{
		"first":         {two, 12, 15, true},
		"second":        {two, 15, 20, true},
		"before both":   {two, 3, 15, true}, // a gap, then the first
		"behind both":   {two, 20, 0, false},
		"second is cut": {two[:len(two)-1], 15, 0, false},
		"header is cut": {two[:20], 10, 0, false},
		"empty":         {nil, 10, 0, false},
		"old format":    {old, 7, 8, true},
	} {
		if past, whole := batchAt(test.b, test.offset); past != test.past || whole != test.whole {
			t.Errorf("%s: %d, %t; want %d, %t", name, past, whole, test.past, test.whole)
		}
	}
}

func FuzzBatchAt(f *testing.F) {
	f.Add(append(head(10, 5, 40), head(15, 5, 40)...), int64(12))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, offset int64) {
		if past, whole := batchAt(b, offset); whole && past <= offset {
			t.Errorf("offset %d is not passed: %d", offset, past)
		}
	})
}

func TestStartOffset(t *testing.T) {
	for name, test := range map[string]struct {
		start start
		b     bounds
		want  int64
	}{
		"the last 50":                {start{back: 50}, bounds{earliest: 0, end: 1000}, 950},
		"more than there are":        {start{back: 50}, bounds{earliest: 990, end: 1000}, 990},
		"age reaches further":        {start{back: 50, age: time.Hour}, bounds{earliest: 0, end: 1000, aged: 700}, 700},
		"records reach further":      {start{back: 50, age: time.Hour}, bounds{earliest: 0, end: 1000, aged: 990}, 950},
		"nothing is young enough":    {start{age: time.Hour}, bounds{earliest: 0, end: 1000, aged: -1}, 1000},
		"few and nothing young":      {start{back: 50, age: time.Hour}, bounds{earliest: 0, end: 1000, aged: -1}, 950},
		"aged is where the log is":   {start{age: time.Hour}, bounds{earliest: 500, end: 1000, aged: 400}, 500},
		"the log is empty, was full": {start{back: 50}, bounds{earliest: 1000, end: 1000}, 1000},
	} {
		if got := test.start.offset(test.b); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// An answer may have any order, leave partitions out, and hold what nobody asked for.
func TestFindPartition(t *testing.T) {
	a, b := &topic{followTopic: followTopic{name: "a"}}, &topic{followTopic: followTopic{name: "b"}}
	ps := []*partition{{topic: a, number: 1}, {topic: b, number: 0}, {topic: a, number: 0}}
	for _, test := range []struct {
		from   int
		name   string
		number int32
		want   int
	}{
		{0, "a", 1, 0},
		{1, "b", 0, 1},
		{2, "a", 0, 2},
		{3, "a", 1, 0}, // behind the last
		{1, "a", 1, 0},
		{0, "b", 1, -1},
		{2, "c", 0, -1},
		{0, "", 0, -1},
	} {
		if got := find(ps, test.from, test.name, test.number); got != test.want {
			t.Errorf("%s/%d from %d: %d, want %d", test.name, test.number, test.from, got, test.want)
		}
	}
	if got := find(nil, 0, "a", 0); got != -1 {
		t.Errorf("in nothing: %d", got)
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range []time.Duration{backoffFirst, backoffFirst, 2 * backoffFirst, 4 * backoffFirst} {
		if got := backoff(failures); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
	if got := backoff(1000); got != backoffMost {
		t.Errorf("after many failures %s, want %s", got, backoffMost)
	}
}

func TestWhatABrokerMeans(t *testing.T) {
	for err, want := range map[error]string{
		kerr.SaslAuthenticationFailed:           "refused",
		kerr.UnsupportedSaslMechanism:           "refused",
		kerr.InvalidProducerEpoch:               "fenced",
		kerr.ProducerFenced:                     "fenced",
		kerr.InvalidTxnState:                    "fenced",
		kerr.CoordinatorNotAvailable:            "in motion",
		kerr.ConcurrentTransactions:             "in motion",
		errors.New("connection refused"):        "in motion",
		kerr.TransactionalIDAuthorizationFailed: "final",
	} {
		wrapped := fmt.Errorf("asked: %w", err)
		got := "final"
		switch {
		case isRefused(wrapped):
			got = "refused"
		case isFenced(wrapped):
			got = "fenced"
		case inMotion(wrapped):
			got = "in motion"
		}
		if got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}
