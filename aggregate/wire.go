package aggregate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"livemap/orders"
)

// The checkpoint's records are binary. A value is
//
//	version (1 byte) | body | CRC-32C of key, version and body (4 bytes, big endian)
//
// so that a record that is cut short, altered, of another version or under a
// foreign key is noticed. Numbers in the body are varints as encoding/binary
// has them, hashes are 8 bytes, a country is its two letters (two zero bytes:
// the world, or no country), other strings have their length before them.
//
// Keys that end in a number of a part hold as many parts as they need; a part's
// body begins with 1 if it is the last and 0 if not. What follows are entries,
// each begun by its tag.
const (
	wireVersion = 2

	// MaxChangeBytes bounds the value of a Change.
	MaxChangeBytes = 1 << 20
	// partBytes is the length from which a part is ended. The rest up to
	// MaxChangeBytes has room for the largest entry: a correction with as many
	// lines as an order can have.
	partBytes = MaxChangeBytes / 2
)

// tag says what an entry of a part is.
type tag byte

const (
	tagCell       tag = 1 // country, sums: a scope's share of a pane
	tagShopper    tag = 2 // country, hash
	tagID         tag = 3 // partition, milliseconds into the pane, hash
	tagUnits      tag = 4 // country, product, units
	tagCorrection tag = 5 // see appendCorrection
	tagRevision   tag = 6 // country, window end, revision
	tagMinute     tag = 7 // country, sums, shoppers: the window of a whole minute
	tagName       tag = 8 // a trending scope
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key, so that a value under the wrong key is refused.
func checksum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, value)
}

// seal turns a version byte and body into a value.
func seal(key string, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(key, b))
}

// unseal checks a value and returns its body.
func unseal(key string, value []byte) ([]byte, error) {
	const overhead = 1 + crc32.Size
	if len(value) < overhead {
		return nil, fmt.Errorf("%d bytes: cut short", len(value))
	}
	if value[0] != wireVersion {
		return nil, fmt.Errorf("version %d, this program reads %d: run the program that wrote it",
			value[0], wireVersion)
	}
	b := value[:len(value)-crc32.Size]
	if checksum(key, b) != binary.BigEndian.Uint32(value[len(b):]) {
		return nil, errors.New("checksum differs: cut short, altered, or not a record of livemap")
	}
	return b[1:], nil
}

// parts writes entries into as many records as they need.
type parts struct {
	changes *changes // that get the records
	prefix  string
	count   int
	b       []byte // of the next record; the memory is that of all others
}

func newParts(c *changes, prefix string) *parts {
	return &parts{changes: c, prefix: prefix, b: append(c.part[:0], wireVersion, 0)}
}

// entry begins an entry, in a new part if this one is full.
func (p *parts) entry(t tag) {
	if len(p.b) >= partBytes {
		p.end(0)
	}
	p.b = append(p.b, byte(t))
}

func (p *parts) end(last byte) {
	key := partKey(p.prefix, p.count)
	p.b[1] = last
	value := append(make([]byte, 0, len(p.b)+crc32.Size), p.b...)
	p.changes.list = append(p.changes.list, Change{Key: key, Value: seal(key, value)})
	p.count++
	p.b = append(p.b[:0], wireVersion, 0)
}

// close ends the last part and returns how many there are.
func (p *parts) close() int {
	p.end(1)
	p.changes.part = p.b
	return p.count
}

func partKey(prefix string, n int) string { return prefix + "/" + strconv.Itoa(n) }

func appendCountry(b []byte, code string) []byte {
	if code == "" {
		return append(b, 0, 0)
	}
	return append(b, code[0], code[1])
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendSums(b []byte, s sums) []byte {
	b = binary.AppendVarint(b, s.orders)
	b = binary.AppendVarint(b, s.sales)
	b = binary.AppendVarint(b, s.distanceM)
	return binary.AppendVarint(b, s.carbonG)
}

// body reads what the functions above wrote. The first error sticks; after it
// everything reads as zero.
type body struct {
	b   []byte
	err error
}

func (r *body) fail() {
	if r.err == nil {
		r.err = errors.New("entry is cut short")
	}
	r.b = nil
}

func (r *body) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes returns the next n bytes, or nil.
func (r *body) bytes(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *body) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *body) hash() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *body) string() string { return string(r.text()) }

// text is string without a copy.
func (r *body) text() []byte {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	r.b = r.b[size:]
	return r.bytes(int64(n))
}

// country reads a country and returns its slot.
func (r *body) country() int16 {
	b := r.bytes(2)
	if b == nil || b[0] == 0 && b[1] == 0 {
		return noCountry
	}
	if b[0] < 'A' || b[0] > 'Z' || b[1] < 'A' || b[1] > 'Z' {
		r.err = fmt.Errorf("%q is not a country", b)
		return noCountry
	}
	return slotOf(b[0], b[1])
}

func (r *body) sums() sums {
	return sums{orders: r.varint(), sales: r.varint(), distanceM: r.varint(), carbonG: r.varint()}
}

func (r *body) second() second    { return second(r.varint()) }
func (r *body) time() orders.Time { return orders.Time(r.varint()) }

// partition reads a partition number.
func (r *body) partition() int32 {
	n := r.varint()
	if n < 0 || n >= MaxPartitions {
		r.err = fmt.Errorf("partition %d is not below %d", n, MaxPartitions)
		return 0
	}
	return int32(n)
}

// splitPart takes the number of the part off a key.
func splitPart(key string) (prefix string, n int, err error) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", 0, errors.New("unknown key")
	}
	n, err = strconv.Atoi(key[i+1:])
	if err != nil || n < 0 || strconv.Itoa(n) != key[i+1:] {
		return "", 0, errors.New("key does not end in the number of a part")
	}
	return key[:i], n, nil
}
