package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"livemap/orders"
)

// More places in a record batch, after those of follow_fetch.go.
const (
	batchCRCAt      = 17
	batchAttrAt     = 21
	batchFirstTime  = 27
	batchMaxTime    = 35
	batchCountAt    = 57
	batchRecordsAt  = 61
	attrCompression = 0b0000_0111
	attrAppendTime  = 0b0000_1000
	attrControl     = 0b0010_0000
)

// lastTime is in the year 2262, the last that the client library can say in
// nanoseconds.
const lastTime orders.Time = math.MaxInt64 / 1_000_000

var crc32c = crc32.MakeTable(crc32.Castagnoli)

// unpack packs the records of one partition of an answer, from offset wanted on,
// and returns the offset after them. It knows the batches that brokers send to
// a reader of committed records as long as none was aborted. Of anything else ok
// is false, and the client library is to be asked: message sets of old
// versions, aborted transactions, what does not add up.
func unpack(p *Packed, wanted int64, rp *kmsg.FetchResponseTopicPartition, decoder kgo.Decompressor) (next int64, ok bool) {
	if len(rp.AbortedTransactions) > 0 {
		return wanted, false
	}
	next = wanted
	for in := rp.RecordBatches; len(in) > batchMagicAt; {
		length := int64(int32(binary.BigEndian.Uint32(in[batchLengthAt:]))) + batchPreamble
		if length > int64(len(in)) {
			break // the last batch of an answer may be cut off
		}
		if length < batchRecordsAt || in[batchMagicAt] != 2 ||
			crc32.Checksum(in[batchAttrAt:length], crc32c) != binary.BigEndian.Uint32(in[batchCRCAt:]) {
			return wanted, false
		}
		past, ok := p.unpackBatch(next, in[:length], decoder)
		if !ok {
			return wanted, false
		}
		next = max(next, past)
		in = in[length:]
	}
	return next, true
}

// unpackBatch appends the records of a batch from offset wanted on, and returns
// the offset after the batch.
func (p *Packed) unpackBatch(wanted int64, batch []byte, decoder kgo.Decompressor) (past int64, ok bool) {
	h := batchHeader{
		first:     int64(binary.BigEndian.Uint64(batch)),
		firstTime: int64(binary.BigEndian.Uint64(batch[batchFirstTime:])),
	}
	past = h.first + int64(int32(binary.BigEndian.Uint32(batch[batchLastDelta:]))) + 1
	attributes := binary.BigEndian.Uint16(batch[batchAttrAt:])
	if past <= wanted {
		return past, true
	}
	if attributes&attrControl != 0 {
		wanted = math.MaxInt64 // a marker of a transaction is no record for a reader
	}
	h.count = int32(binary.BigEndian.Uint32(batch[batchCountAt:]))
	if h.appendTime = attributes&attrAppendTime != 0; h.appendTime {
		h.firstTime = int64(binary.BigEndian.Uint64(batch[batchMaxTime:]))
	}
	start := len(p.b)
	if !p.decompress(kgo.CompressionCodecType(attributes&attrCompression), batch[batchRecordsAt:], decoder) {
		return past, false
	}
	if h.count < 0 || h.first < 0 || int64(len(p.b)) > math.MaxUint32 || int64(h.count) > int64(len(p.b)-start) {
		return past, false
	}
	h.past = past
	return past, p.indexBatch(h, start, wanted)
}

// batchHeader is what of a batch's head its records refer to.
type batchHeader struct {
	first      int64
	past       int64 // offset after the last
	firstTime  int64 // or, with appendTime, that of all
	appendTime bool
	count      int32
}

// indexBatch notes where the records of a batch lie, whose bytes begin at start.
func (p *Packed) indexBatch(h batchHeader, start int, wanted int64) (ok bool) {
	r := packedReader{b: p.b, i: start}
	lowest := h.first
	for range h.count {
		length := r.varint()
		end := r.i + int(length)
		if r.bad || length <= 0 || length > int64(len(r.b)-r.i) {
			return false
		}
		r.i++ // attributes, which have no meaning
		delta, offset := r.varlong(), h.first+r.varint()
		at := packedRecord{offset: offset, at: orders.Time(h.firstTime), body: uint32(r.i)}
		if !h.appendTime {
			at.at += orders.Time(delta)
		}
		r.text()
		value, n := r.text()
		at.value, at.length = uint32(value), uint32(max(n, 0))
		if headers := r.varint(); headers != 0 && !r.skipHeaders(headers, end) {
			return false
		}
		if r.bad || r.i > end || offset < lowest || offset >= h.past || at.at < 0 || at.at > lastTime {
			return false
		}
		lowest = offset + 1
		r.i = end
		if offset >= wanted {
			p.index = append(p.index, at)
		}
	}
	return true
}

// skipHeaders consumes n headers, which must end by end.
func (r *packedReader) skipHeaders(n int64, end int) bool {
	for ; n > 0 && !r.bad && r.i < end; n-- {
		if _, length := r.text(); length < 0 {
			return false
		}
		r.text()
	}
	return n == 0 && !r.bad
}

// decompress appends the records of a batch as they are without compression.
func (p *Packed) decompress(kind kgo.CompressionCodecType, in []byte, decoder kgo.Decompressor) bool {
	switch kind {
	case kgo.CodecNone:
		p.b = append(p.b, in...)
		return true
	case kgo.CodecLz4:
		if out, ok := appendLZ4(p.b, in); ok {
			p.b = out
			return true
		}
	}
	out, err := decoder.Decompress(in, kind)
	if err != nil {
		return false
	}
	p.b = append(p.b, out...)
	return true
}
