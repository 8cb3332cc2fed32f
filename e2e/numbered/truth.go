package numbered

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// Truth is what Kafka holds at the end, read with the client library's own
// consumer.
type Truth struct {
	partitions [][]entry        // of Topic, by offset
	board      map[string]int64 // latest number of each key
	begins     map[int32]int64  // by partition: what was deleted lies before
}

// entry is a committed record.
type entry struct{ offset, n int64 }

// Keep takes over the entries of now that lie before some offsets and after what is
// kept already: they are about to be deleted.
func (t *Truth) Keep(now *Truth, before map[int32]int64) {
	if t.begins == nil {
		t.begins = map[int32]int64{}
	}
	for p, offset := range before {
		t.begins[p] = max(t.begins[p], offset)
	}
	for p, entries := range now.partitions {
		for p >= len(t.partitions) {
			t.partitions = append(t.partitions, nil)
		}
		kept := &t.partitions[p]
		for _, e := range entries {
			if e.offset < before[int32(p)] && (len(*kept) == 0 || e.offset > (*kept)[len(*kept)-1].offset) { //nolint:gosec // a handful
				*kept = append(*kept, e)
			}
		}
	}
}

// Behind puts what was kept in front of what the log still held at the end.
func (t *Truth) Behind(kept *Truth) {
	t.begins = kept.begins
	for p := range t.partitions {
		if p >= len(kept.partitions) || len(kept.partitions[p]) == 0 {
			continue
		}
		all := slices.Clone(kept.partitions[p])
		last := all[len(all)-1].offset
		for _, e := range t.partitions[p] {
			if e.offset > last {
				all = append(all, e)
			}
		}
		t.partitions[p] = all
	}
}

// ReadTruth reads both topics. It refuses a log in which the numbers of a
// partition do not rise: nothing could be judged by it. While a producer writes
// it is the truth so far.
func ReadTruth(ctx context.Context, c kafka.Config) (*Truth, error) {
	t := &Truth{board: map[string]int64{}}
	var wrong error
	err := kafkatest.ReadCommitted(ctx, c, Topic, func(r kafka.Record) {
		n, ok := number(r.Value, `"n":`)
		for int(r.Partition) >= len(t.partitions) {
			t.partitions = append(t.partitions, nil)
		}
		p := &t.partitions[r.Partition]
		if !ok || n < 0 || len(*p) > 0 && n <= (*p)[len(*p)-1].n {
			wrong = fmt.Errorf("%s/%d at %d holds %q after %d records: its numbers do not rise", Topic, r.Partition, r.Offset, r.Value, len(*p))
		}
		*p = append(*p, entry{r.Offset, n})
	})
	if err != nil {
		return nil, err
	}
	err = kafkatest.ReadCommitted(ctx, c, Board, func(r kafka.Record) {
		n, ok := number(r.Value, `"n":`)
		if !ok || n < 0 {
			wrong = fmt.Errorf("%s at %d holds %q", Board, r.Offset, r.Value)
		}
		t.board[string(r.Key)] = n
	})
	if err != nil {
		return nil, err
	}
	return t, wrong
}

// Produced is how many numbers were committed to Topic.
func (t *Truth) Produced() int64 {
	n := 0
	for _, p := range t.partitions {
		n += len(p)
	}
	return int64(n)
}

// between returns the committed records of a partition at from <= offset < to.
func (t *Truth) between(partition int, from, to int64) []entry {
	if partition < 0 || partition >= len(t.partitions) {
		return nil
	}
	p := t.partitions[partition]
	at := func(o int64) int { return sort.Search(len(p), func(i int) bool { return p[i].offset >= o }) }
	return p[at(from):max(at(from), at(to))]
}

// holds says whether number n is committed in the partition.
func (t *Truth) holds(partition int, n int64) bool {
	if partition < 0 || partition >= len(t.partitions) {
		return false
	}
	p := t.partitions[partition]
	i := sort.Search(len(p), func(i int) bool { return p[i].n >= n })
	return i < len(p) && p[i].n == n
}

// number returns the integer after the first occurrence of a JSON field. The
// harness writes its own values and asks for envelopes, so that a look is
// enough, and ten thousand clients can take it.
func number(b []byte, field string) (int64, bool) {
	_, rest, ok := bytes.Cut(b, []byte(field))
	if !ok {
		return 0, false
	}
	end := 0
	for end < len(rest) && (rest[end] == '-' || rest[end] >= '0' && rest[end] <= '9') {
		end++
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, err == nil
}

// text returns the string after a JSON field, without escapes.
func text(b []byte, field string) string {
	_, rest, _ := bytes.Cut(b, []byte(field))
	rest = bytes.TrimPrefix(rest, []byte(`"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}
