package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxUnfolded bounds what a batch that is to be stamped may unfold to.
const maxUnfolded = 64 << 20

// stamper gives the records of a topic with
// message.timestamp.type=LogAppendTime the time at which the log takes them.
// kfake knows the setting but does not heed it.
//
// Kafka marks the batch (attribute bit 3) and sets its largest timestamp. kfake
// would meet that mark with a time of its own and leave the checksum wrong, so
// here the records themselves are written anew: every one with the time of the
// batch, the mark not set. Readers see the same, and lookups by time, which
// kfake answers from the records, are right.
type stamper struct {
	cluster *kfake.Cluster
	unzip   kgo.Decompressor
	zips    map[kgo.CompressionCodecType]kgo.Compressor
	// own is the batch that the cleaner is writing: copies of old values, which
	// keep their times.
	own atomic.Pointer[[]byte]
}

func newStamper(cluster *kfake.Cluster) (*stamper, error) {
	unzip, err := boundedDecompressor()
	if err != nil {
		return nil, err
	}
	s := &stamper{cluster: cluster, unzip: unzip, zips: map[kgo.CompressionCodecType]kgo.Compressor{}}
	for kind, codec := range map[kgo.CompressionCodecType]kgo.CompressionCodec{
		kgo.CodecGzip:   kgo.GzipCompression(),
		kgo.CodecSnappy: kgo.SnappyCompression(),
		kgo.CodecLz4:    kgo.Lz4Compression(),
		kgo.CodecZstd:   kgo.ZstdCompression(),
	} {
		if s.zips[kind], err = kgo.DefaultCompressor(codec); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// boundedDecompressor returns a decompressor that gives up at maxUnfolded. The
// client library makes one only as part of a client.
func boundedDecompressor() (kgo.Decompressor, error) {
	cl, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(maxUnfolded), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	unzip, ok := cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		return nil, errors.New("kafka client offers no decompressor")
	}
	return unzip, nil
}

// see is a control function of kfake: it sees each Produce before it is
// handled, changes the batches that need it and leaves the handling to kfake. A
// batch that it refuses it takes out, which kfake answers with CORRUPT_MESSAGE.
func (s *stamper) see(kreq kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	req, ok := kreq.(*kmsg.ProduceRequest)
	if !ok {
		return nil, nil, false
	}
	now := time.Now().UnixMilli()
	for i := range req.Topics {
		rt := &req.Topics[i]
		wanted := s.wanted(req.Version, rt)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			switch {
			case !wellFormed(rp.Records): // kfake says so
			case wanted && !s.isOwn(rp.Records):
				rp.Records, _ = s.stamp(rp.Records, now)
			case binary.BigEndian.Uint16(rp.Records[21:])&attributeAppendTime != 0:
				rp.Records = nil // only a broker may say so
			}
		}
	}
	return nil, nil, false
}

// wanted reports whether a topic's records are to be stamped.
func (s *stamper) wanted(version int16, rt *kmsg.ProduceRequestTopic) bool {
	const byID = 13 // since then requests name topics by id
	var info *kfake.TopicInfo
	if version >= byID {
		info = s.cluster.TopicIDInfo(rt.TopicID)
	} else {
		info = s.cluster.TopicInfo(rt.Topic)
	}
	if info == nil {
		return false
	}
	kind := info.Configs["message.timestamp.type"]
	return kind != nil && *kind == "LogAppendTime"
}

func (s *stamper) isOwn(batch []byte) bool {
	own := s.own.Load()
	return own != nil && bytes.Equal(*own, batch)
}

// wellFormed reports whether b is one whole batch of version 2 with the right
// checksum.
func wellFormed(b []byte) bool {
	if len(b) < batchHeaderBytes || b[16] != 2 {
		return false
	}
	h := parseBatchHead(b)
	return h.bytes == int64(len(b)) && h.checksum == crc32.Checksum(b[21:], castagnoli)
}

// stamp returns a batch with all records at now. An error means that its
// records cannot be read; nil is returned with it.
func (s *stamper) stamp(b []byte, now int64) ([]byte, error) {
	be := binary.BigEndian
	attributes := be.Uint16(b[21:])
	kind := kgo.CompressionCodecType(attributes & attributeCodec)
	records, err := s.unzip.Decompress(b[batchHeaderBytes:], kind)
	if err != nil {
		return nil, err
	}
	count := int(int32(be.Uint32(b[57:])))
	flat, changed, err := flatten(records, count)
	if err != nil {
		return nil, err
	}
	if changed {
		if kind != kgo.CodecNone {
			packed, used := s.zips[kind].Compress(new(bytes.Buffer), flat)
			if used != kind {
				return nil, fmt.Errorf("batch cannot be compressed with codec %d", kind)
			}
			flat = packed
		}
		b = slices.Concat(b[:batchHeaderBytes], flat)
		be.PutUint32(b[8:], uint32(len(b)-batchBeforeLength))
	}
	be.PutUint16(b[21:], attributes&^attributeAppendTime)
	be.PutUint64(b[27:], uint64(now))
	be.PutUint64(b[35:], uint64(now))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b, nil
}

// errRecords stands for records that do not fill their batch.
var errRecords = errors.New("records of a batch do not add up")

// flatten returns count records, each with a timestamp delta of zero. Records
// that have it already are returned as they are, not changed.
//
// A record is its length, attributes (1 byte), timestamp delta, and the rest;
// length and delta are zigzag varints.
// https://kafka.apache.org/documentation/#record
func flatten(records []byte, count int) (out []byte, changed bool, err error) {
	rest := records
	for range count {
		length, n := binary.Varint(rest)
		if n <= 0 || length < 2 || length > int64(len(rest)-n) {
			return nil, false, errRecords
		}
		body := rest[n : n+int(length)]
		delta, m := binary.Varint(body[1:])
		if m <= 0 {
			return nil, false, errRecords
		}
		if delta != 0 && !changed {
			changed = true
			out = append(make([]byte, 0, len(records)), records[:len(records)-len(rest)]...)
		}
		if changed {
			out = binary.AppendVarint(out, length-int64(m)+1)
			out = append(out, body[0], 0)
			out = append(out, body[1+m:]...)
		}
		rest = rest[n+int(length):]
	}
	if len(rest) > 0 {
		return nil, false, errRecords
	}
	if !changed {
		out = records
	}
	return out, changed, nil
}
