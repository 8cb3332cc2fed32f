package kafka

import (
	"encoding/binary"
	"sync"

	"livemap/orders"
)

// Packed holds records of one partition without an object for each: their
// bytes as the log has them, and where each begins. A record of the client
// library costs more to make than an order costs to aggregate. See [Reader].
//
// Packed is immutable once it is handed out, until Release.
type Packed struct {
	topic     string
	partition int32
	index     []packedRecord
	b         []byte // what follows a record's offset in its batch: key, value, headers
}

// packedRecord says where a record lies in Packed.b. Its key, value and headers
// begin at body as a record batch has them: each with its length before it.
type packedRecord struct {
	offset int64
	at     orders.Time
	body   uint32
	value  uint32
	length uint32 // of the value
}

// Len returns how many records there are.
func (p *Packed) Len() int {
	if p == nil {
		return 0
	}
	return len(p.index)
}

// Offset returns the offset of the i-th record, and At its Kafka timestamp.
func (p *Packed) Offset(i int) int64 { return p.index[i].offset }

// At returns the Kafka timestamp of the i-th record.
func (p *Packed) At(i int) orders.Time { return p.index[i].at }

// Value returns the value of the i-th record; it is empty for a tombstone too.
// It is good until Release and must not be changed.
func (p *Packed) Value(i int) []byte {
	r := &p.index[i]
	return p.b[r.value : r.value+r.length : r.value+r.length]
}

// Record returns a copy of the i-th record by itself.
func (p *Packed) Record(i int) Record {
	at := &p.index[i]
	r := Record{Topic: p.topic, Partition: p.partition, Offset: at.offset, At: at.at}
	in := packedReader{b: p.b[at.body:]}
	r.Key, r.Value = in.copy(), in.copy()
	for n := in.varint(); n > 0 && !in.bad; n-- {
		r.Headers = append(r.Headers, Header{Key: string(in.copy()), Value: in.copy()})
	}
	return r
}

// Release gives the memory back for other records. Nothing of p may be used
// after it.
func (p *Packed) Release() {
	if p != nil && cap(p.b) <= maxSpareBytes {
		spare.Put(p)
	}
}

// maxSpareBytes bounds the memory of a Packed that is kept for reuse.
const maxSpareBytes = 16 << 20

var spare = sync.Pool{New: func() any { return new(Packed) }}

// newPacked returns an empty Packed.
func newPacked(topic string, partition int32) *Packed {
	p := spare.Get().(*Packed)
	p.topic, p.partition, p.index, p.b = topic, partition, p.index[:0], p.b[:0]
	return p
}

// Pack packs records of one partition.
func Pack(topic string, partition int32, records ...Record) *Packed {
	p := newPacked(topic, partition)
	for i := range records {
		p.add(&records[i])
	}
	return p
}

// add packs a record that the client library has read.
func (p *Packed) add(r *Record) {
	at := packedRecord{offset: r.Offset, at: r.At, body: uint32(len(p.b)), length: uint32(len(r.Value))}
	p.b = appendBytes(p.b, r.Key)
	p.b = appendBytes(p.b, r.Value)
	at.value = uint32(len(p.b) - len(r.Value))
	p.b = binary.AppendVarint(p.b, int64(len(r.Headers)))
	for _, h := range r.Headers {
		p.b = append(binary.AppendVarint(p.b, int64(len(h.Key))), h.Key...)
		p.b = appendBytes(p.b, h.Value)
	}
	p.index = append(p.index, at)
}

func appendBytes(b, s []byte) []byte {
	if s == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

// packedReader reads the numbers and texts of a record as a batch has them:
// zigzag varints, and texts with their length before them, -1 for none.
type packedReader struct {
	b   []byte
	i   int
	bad bool // they do not add up; what is read means nothing
}

func (r *packedReader) varint() int64 {
	if r.i < len(r.b) && r.b[r.i] < 0x80 { // one byte, as nearly all are
		v := int64(r.b[r.i]>>1) ^ -int64(r.b[r.i]&1)
		r.i++
		return v
	}
	before := r.i
	v := r.varlong()
	if r.i-before > binary.MaxVarintLen32 {
		r.bad = true
	}
	return v
}

// varlong reads a number that may have 64 bits.
func (r *packedReader) varlong() int64 {
	v, n := binary.Varint(r.b[min(r.i, len(r.b)):])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.i += n
	return v
}

// text consumes a text and returns its beginning and length, -1 for none.
func (r *packedReader) text() (at int, length int64) {
	length = r.varint()
	if length < -1 || length > int64(len(r.b)-r.i) {
		r.bad = true
		return 0, 0
	}
	at = r.i
	r.i += int(max(length, 0))
	return at, length
}

func (r *packedReader) copy() []byte {
	at, length := r.text()
	if r.bad || length < 0 {
		return nil
	}
	return append(make([]byte, 0, length), r.b[at:at+int(length)]...)
}
