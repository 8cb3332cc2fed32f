package hub

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"livemap/feed"
	"livemap/orders"
	"livemap/sse"
)

// encoding says how records stand in frames.
type encoding uint8

const (
	plain    encoding = iota // data is the record's value
	envelope                 // data is {topic,partition,offset,at,key,value}
	encodings
)

// record is what the hub keeps of a published record, or of a hole in a journal.
// It never changes once others may see it, which is when the sequencer lets go of
// its lock. A journal keeps very many: it has 96 bytes.
type record struct {
	topic     int32
	partition int32
	offset    int64
	hole      int64 // from offset up to here the log holds nothing; 0: a record
	at        orders.Time
	published int64 // milliseconds since the epoch, by the pod's own clock
	key       string
	value     []byte
	lender    *segment // of a ring, whose bytes value is; nil: it has its own
	why       uint8    // index into gapReasons: there is a hole
	hasKey    bool
	tombstone bool
}

// recordOverhead is what a kept record costs beside its key and value.
const recordOverhead = 96

// borrow takes a record's value from where it stands in a frame, for as long as
// the frame's ring keeps the segment, rather than keeping it twice. Where it does
// not stand there as it is, being encoded or of several lines, nothing happens.
func (r *record) borrow(s *segment, frame []byte) {
	if i := bytes.Index(frame, r.value); i >= 0 {
		end := i + len(r.value)
		r.value, r.lender = frame[i:end:end], s
	}
}

// own gives a record a value that is nobody else's.
func (r *record) own() { r.value, r.lender = bytes.Clone(r.value), nil }

func (r *record) size() int { return len(r.key) + len(r.value) + recordOverhead }

// end returns the offset behind r.
func (r *record) end() int64 { return max(r.offset+1, r.hole) }

// appendRecord appends the event of a record without its id line.
func appendRecord(b []byte, t *Topic, r *record, enc encoding) []byte {
	if r.tombstone && t.Kind == feed.State {
		return appendDelete(b, t.Name, r.key)
	}
	b = sse.AppendName(b, t.Name)
	if enc == plain && t.Format != FormatBase64 {
		if r.tombstone && t.Format == FormatJSON {
			return append(b, "data: null\n"...)
		}
		return sse.AppendData(b, r.value)
	}
	var data []byte
	if enc == plain {
		data = base64.StdEncoding.AppendEncode(data, r.value)
	} else {
		data = appendEnvelope(data, t, r)
	}
	return sse.AppendData(b, data)
}

// appendEnvelope appends a record with what Kafka knows of it. A value that
// claims to be JSON and is not stands there as a string: it must not be able to
// write fields of the envelope.
func appendEnvelope(b []byte, t *Topic, r *record) []byte {
	b = slices.Grow(b, len(r.value)+len(r.key)+128)
	b = append(b, `{"topic":`...)
	b = appendString(b, t.Name)
	b = append(b, `,"partition":`...)
	b = strconv.AppendInt(b, int64(r.partition), 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, r.offset, 10)
	b = append(b, `,"at":"`...)
	b = r.at.Append(b)
	b = append(b, `","key":`...)
	if r.hasKey {
		b = appendString(b, r.key)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"value":`...)
	switch {
	case r.tombstone:
		b = append(b, "null"...)
	case t.Format == FormatBase64:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, r.value)
		b = append(b, '"')
	case t.Format == FormatJSON && json.Valid(r.value):
		b = append(b, r.value...)
	default:
		b = appendString(b, string(r.value))
	}
	return append(b, '}')
}

// appendDelete appends the event of a deleted key of a state topic.
func appendDelete(b []byte, topic, key string) []byte {
	b = append(sse.AppendName(b, "delete"), `data: {"topic":`...)
	b = appendString(b, topic)
	b = append(b, `,"key":`...)
	b = appendString(b, key)
	return append(b, "}\n"...)
}

// appendHeartbeat appends a heartbeat without its id line.
func appendHeartbeat(b []byte, now orders.Time) []byte {
	b = append(sse.AppendName(b, "heartbeat"), `data: {"now":"`...)
	b = now.Append(b)
	return append(b, "\"}\n"...)
}

// gap is a hole in what a client was sent. Offsets are Absent where nothing is
// known of them.
type gap struct {
	topic     int32
	partition int32 // -1: the whole topic
	reason    GapReason
	from, to  int64 // missing are from <= offset < to
}

// appendGap appends a gap without its id line. Offsets skip the markers of
// transactions and what compaction removed, so that their distance only bounds
// the number of records missed.
func appendGap(b []byte, topic string, g gap) []byte {
	b = append(sse.AppendName(b, "gap"), `data: {"topic":`...)
	b = appendString(b, topic)
	number := func(name string, n int64) {
		if n >= 0 {
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = strconv.AppendInt(b, n, 10)
		}
	}
	number("partition", int64(g.partition))
	b = append(b, `,"reason":"`...)
	b = append(append(b, g.reason...), '"')
	number("from", g.from)
	number("to", g.to)
	if g.from >= 0 && g.to >= 0 {
		number("at_most", g.to-g.from)
	}
	return append(b, "}\n"...)
}

// appendHello appends the whole first event of a connection.
func appendHello(b []byte, server string, heartbeat, retry time.Duration, now orders.Time, topics []Topic) []byte {
	b = sse.AppendRetry(b, int(retry.Milliseconds()))
	b = append(sse.AppendName(b, "hello"), `data: {"v":1,"server":`...)
	b = appendString(b, server)
	b = append(b, `,"heartbeat_ms":`...)
	b = strconv.AppendInt(b, heartbeat.Milliseconds(), 10)
	b = append(b, `,"now":"`...)
	b = now.Append(b)
	b = append(b, `","topics":[`...)
	for i, t := range topics {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), t.Name)
		b = append(append(append(b, `,"kind":"`...), t.Kind...), `"}`...)
	}
	return sse.AppendEnd(append(b, "]}\n"...))
}

// AppendGoodbye appends the whole last event of a connection, which asks the
// client to come back after retry.
func AppendGoodbye(b []byte, reason CloseReason, retry time.Duration) []byte {
	b = sse.AppendRetry(b, int(retry.Milliseconds()))
	b = append(sse.AppendName(b, "goodbye"), `data: {"reason":"`...)
	b = append(append(b, reason...), "\"}\n"...)
	return sse.AppendEnd(b)
}

// idLine begins the line of a frame that carries its id; frameEnd ends both.
const (
	idLine   = "id: "
	frameEnd = "\n\n"
)

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, as a browser would read them anyway.
func appendString(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic("hub: encoding a string: " + err.Error()) // encoding/json cannot fail on a string
	}
	return append(b, q...)
}
