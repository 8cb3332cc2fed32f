package kafka

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"livemap/orders"
)

// Record is one Kafka record. Partition and Offset are set on records that
// were read; a producer ignores them and places a record by its key, as
// Kafka's own clients do (murmur2).
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	At        orders.Time // Kafka timestamp; zero when producing means now
	Key       []byte
	Value     []byte // nil is a tombstone
	Headers   []Header
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// bytes is what the key, value and headers take.
func (r *Record) bytes() int64 {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}

// maxDeadValueBytes bounds what a dead record keeps of the value, and
// maxDeadDetailBytes of the explanation.
const (
	maxDeadValueBytes  = 64 << 10
	maxDeadDetailBytes = 512
)

// DeadRecord returns the record that keeps rec in the topic "<topic>.dead":
// the same key and timestamp, the value cut to 64 KiB (header truncated=true),
// and headers reason, detail, topic, partition and offset that say what was
// wrong and where it was read. The slices of rec are shared, not copied.
func DeadRecord(rec Record, reason, detail string) Record {
	dead := Record{
		Topic: rec.Topic + ".dead",
		At:    rec.At,
		Key:   rec.Key,
		Value: rec.Value,
		Headers: []Header{
			{"reason", []byte(reason)},
			{"detail", []byte(cutText(detail, maxDeadDetailBytes))},
			{"topic", []byte(rec.Topic)},
			{"partition", strconv.AppendInt(nil, int64(rec.Partition), 10)},
			{"offset", strconv.AppendInt(nil, rec.Offset, 10)},
		},
	}
	if len(dead.Value) > maxDeadValueBytes {
		dead.Value = dead.Value[:maxDeadValueBytes]
		dead.Headers = append(dead.Headers, Header{"truncated", []byte("true")})
	}
	if len(dead.Key) > maxDeadValueBytes {
		dead.Key = dead.Key[:maxDeadValueBytes]
	}
	return dead
}

// cutText cuts s to at most n bytes without splitting a character.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// toKgo converts a record for producing. The slices are shared.
func (r *Record) toKgo() *kgo.Record {
	out := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
	if r.At != 0 {
		out.Timestamp = time.UnixMilli(int64(r.At))
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// fromKgo converts a record that was read. The slices are shared.
func fromKgo(r *kgo.Record) Record {
	out := Record{
		Topic:     r.Topic,
		Partition: r.Partition,
		Offset:    r.Offset,
		At:        orders.Time(r.Timestamp.UnixMilli()),
		Key:       r.Key,
		Value:     r.Value,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Header{Key: h.Key, Value: h.Value})
	}
	return out
}
