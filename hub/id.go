package hub

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Sizes of the id. Its first six bytes, the version and the hash of the key
// set, are exactly idHeadText characters of base64url: a frame lies in the ring
// with the id of the view of all keys, and a keyed view sends its own eight
// characters in their place.
const (
	idVersion   = 1
	keyHashSize = 5
	idHeadBytes = 1 + keyHashSize
	idHeadText  = 8
	// MaxIDBytes is the longest id in characters.
	MaxIDBytes = 1 << 10
	maxIDRaw   = MaxIDBytes / 4 * 3
	topicHash  = 4 // bytes of a topic name's hash, and of a topic UUID's
	// offsetBytes is how much room of an id each partition is given when the
	// configuration is checked: a varint of seven bytes holds 5.6e14 records.
	offsetBytes = 7
)

// Absent is the next offset of a partition of which nothing was delivered yet.
const Absent int64 = -1

var errID = errors.New("hub: not an id of this server")

// idEncoding refuses what a canonical id does not hold: padding and stray bits.
var idEncoding = base64.RawURLEncoding.Strict()

// keyHash names an effective key set. All zero: every key.
type keyHash [keyHashSize]byte

// id is the position of a client in all partitions of its topics, as
// docs/format/id.md describes it.
type id struct {
	keys   keyHash
	topics []idTopic
}

// idTopic is the position of a client in one topic.
type idTopic struct {
	name uint32  // hash of the topic's name
	uuid uint32  // hash of Kafka's topic UUID: differs once the topic is recreated
	next []int64 // per partition the next offset, or Absent; the last is never Absent
}

// hashName returns the hash that stands for a topic's name in an id.
func hashName(name string) uint32 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint32(sum[:])
}

// hashUUID returns the hash that stands for a topic's UUID in an id.
func hashUUID(uuid [16]byte) uint32 {
	sum := sha256.Sum256(uuid[:])
	return binary.BigEndian.Uint32(sum[:])
}

// hashKeys returns the hash of a sorted key set. Each key goes in with its
// length, so that no two sets run into each other.
func hashKeys(keys []string, beginnings ...string) keyHash {
	sum := sha256.Sum256(appendKeys(nil, keys, beginnings))
	var h keyHash
	copy(h[:], sum[:])
	if h == (keyHash{}) {
		h[0] = 1 // all zero means every key
	}
	return h
}

// appendKeys appends a key set as bytes that no other set has: each key after
// its length, then, if there are beginnings, a zero in a longer form than a
// length is ever written in, and each beginning after its length.
func appendKeys(b []byte, keys, beginnings []string) []byte {
	list := func(texts []string) {
		for _, t := range texts {
			b = binary.AppendUvarint(b, uint64(len(t)))
			b = append(b, t...)
		}
	}
	list(keys)
	if len(beginnings) > 0 {
		b = append(b, 0x80, 0x00)
		list(beginnings)
	}
	return b
}

// appendIDHead appends the eight characters that begin the id of a view.
func appendIDHead(b []byte, keys keyHash) []byte {
	var head [idHeadBytes]byte
	head[0] = idVersion
	copy(head[1:], keys[:])
	return idEncoding.AppendEncode(b, head[:])
}

// appendTopic appends the binary form of a topic's position. Partitions at the
// end of which nothing was delivered are left out.
func appendTopic(b []byte, name, uuid uint32, next []int64) []byte {
	for len(next) > 0 && next[len(next)-1] == Absent {
		next = next[:len(next)-1]
	}
	b = binary.BigEndian.AppendUint32(b, name)
	b = binary.BigEndian.AppendUint32(b, uuid)
	b = binary.AppendUvarint(b, uint64(len(next)))
	for _, n := range next {
		b = binary.AppendUvarint(b, uint64(n+1)) // Absent is 0
	}
	return b
}

// idRoom returns how many bytes of an id a topic of that many partitions may
// come to need.
func idRoom(partitions int) int { return 2*topicHash + 2 + partitions*offsetBytes }

// allKeysHead begins the ids in a ring: those of the view of every key.
var allKeysHead = appendIDHead(nil, keyHash{})

// append appends the text of v.
func (v *id) append(b []byte) []byte {
	b = appendIDHead(b, v.keys)
	return v.appendTail(b)
}

// appendTail appends what follows the head of v.
func (v *id) appendTail(b []byte) []byte {
	raw := make([]byte, 0, 64)
	for _, t := range v.topics {
		raw = appendTopic(raw, t.name, t.uuid, t.next)
	}
	return idEncoding.AppendEncode(b, raw)
}

// parseID reads what append wrote, and nothing else: each id has one text.
func parseID(text string) (*id, error) {
	if len(text) > MaxIDBytes {
		return nil, fmt.Errorf("%w: longer than %d characters", errID, MaxIDBytes)
	}
	raw, err := idEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line ends
		return nil, fmt.Errorf("%w: not base64url", errID)
	}
	if len(raw) < idHeadBytes || raw[0] != idVersion {
		return nil, fmt.Errorf("%w: not version %d", errID, idVersion)
	}
	v := &id{keys: keyHash(raw[1:idHeadBytes])}
	raw = raw[idHeadBytes:]
	for len(raw) > 0 {
		var t idTopic
		if t, raw, err = parseTopic(raw); err != nil {
			return nil, err
		}
		if v.topic(t.name) != nil {
			return nil, fmt.Errorf("%w: a topic stands in it twice", errID)
		}
		v.topics = append(v.topics, t)
	}
	return v, nil
}

// parseTopic reads one topic and returns what follows it.
func parseTopic(raw []byte) (t idTopic, rest []byte, err error) {
	if len(raw) < 2*topicHash {
		return t, nil, fmt.Errorf("%w: cut short", errID)
	}
	t.name = binary.BigEndian.Uint32(raw)
	t.uuid = binary.BigEndian.Uint32(raw[topicHash:])
	count, raw, err := uvarint(raw[2*topicHash:])
	if err != nil {
		return t, nil, err
	}
	if count > uint64(len(raw)) { // each partition takes a byte or more
		return t, nil, fmt.Errorf("%w: cut short", errID)
	}
	t.next = make([]int64, count)
	for i := range t.next {
		var n uint64
		if n, raw, err = uvarint(raw); err != nil {
			return t, nil, err
		}
		t.next[i] = int64(n) - 1
	}
	if count > 0 && t.next[count-1] == Absent {
		return t, nil, fmt.Errorf("%w: not in its shortest form", errID)
	}
	return t, raw, nil
}

// uvarint reads a number of 63 bits in its shortest form.
func uvarint(raw []byte) (uint64, []byte, error) {
	n, size := binary.Uvarint(raw)
	if size <= 0 || n > 1<<63-1 || (size > 1 && raw[size-1] == 0) {
		return 0, nil, fmt.Errorf("%w: not a number", errID)
	}
	return n, raw[size:], nil
}

// topic returns the position in the topic with that name's hash, or nil.
func (v *id) topic(name uint32) *idTopic {
	i := slices.IndexFunc(v.topics, func(t idTopic) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return &v.topics[i]
}

// at returns the next offset of a partition.
func (t *idTopic) at(partition int) int64 {
	if partition < len(t.next) {
		return t.next[partition]
	}
	return Absent
}
