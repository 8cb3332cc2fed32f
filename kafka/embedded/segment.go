package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake keeps a partition in DataDir/partitions/TOPIC-N: the record batches as
// they travel, one after another, in segments named after their first offset
// (BASE.dat), and beside each an index (BASE.idx) with 15 bytes per batch.
// This file knows that layout; TestLayout holds it against the real thing.

const (
	segmentSuffix = ".dat"
	indexSuffix   = ".idx"
)

// partitionDir is where kfake keeps a partition.
func partitionDir(dataDir, topic string, partition int32) string {
	return filepath.Join(dataDir, "partitions", url.PathEscape(topic)+"-"+strconv.Itoa(int(partition)))
}

// segmentFile is a segment of a partition.
type segmentFile struct {
	base int64 // offset of its first batch
	size int64
}

func (s segmentFile) path(dir, suffix string) string {
	return filepath.Join(dir, strconv.FormatInt(s.base, 10)+suffix)
}

// segments lists a partition's segments, oldest first.
func segments(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segmentFile
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		base, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, segmentFile{base, info.Size()})
	}
	slices.SortFunc(out, func(a, b segmentFile) int { return int(min(1, max(-1, a.base-b.base))) })
	return out, nil
}

// Layout of a record batch, version 2.
// https://kafka.apache.org/documentation/#recordbatch
const (
	batchHeaderBytes  = 61
	batchBeforeLength = 12 // base offset and length, which the length leaves out
	maxBatchBytes     = 1 << 30

	attributeCodec         = 7
	attributeAppendTime    = 1 << 3
	attributeTransactional = 1 << 4
	attributeControl       = 1 << 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchHead is what the header of a batch says.
type batchHead struct {
	base       int64
	bytes      int64 // all of the batch
	epoch      int32 // of the partition's leader
	attributes int16
	next       int64 // offset after it
	maxTime    int64
	producer   int64
	producerEp int16
	checksum   uint32
}

func (h batchHead) control() bool { return h.attributes&attributeControl != 0 }

// open reports whether the batch is part of a transaction that a control batch
// ends later.
func (h batchHead) open() bool { return !h.control() && h.attributes&attributeTransactional != 0 }

func parseBatchHead(b []byte) batchHead {
	be := binary.BigEndian
	base := int64(be.Uint64(b))
	return batchHead{
		base:       base,
		bytes:      int64(int32(be.Uint32(b[8:]))) + batchBeforeLength,
		epoch:      int32(be.Uint32(b[12:])),
		checksum:   be.Uint32(b[17:]),
		attributes: int16(be.Uint16(b[21:])),
		next:       base + int64(int32(be.Uint32(b[23:]))) + 1,
		maxTime:    int64(be.Uint64(b[35:])),
		producer:   int64(be.Uint64(b[43:])),
		producerEp: int16(be.Uint16(b[51:])),
	}
}

// scanSegment calls each for every whole batch of r and returns how many bytes
// they have. With verify a batch must match its checksum too. What follows the
// last good batch is no error: it was torn off by a crash.
func scanSegment(r io.Reader, verify bool, each func(batchHead)) (int64, error) {
	in := bufio.NewReaderSize(r, 256<<10)
	var good int64
	for {
		head, err := in.Peek(batchHeaderBytes)
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return good, err
		}
		h := parseBatchHead(head)
		if h.bytes < batchHeaderBytes || h.bytes > maxBatchBytes {
			return good, nil
		}
		sum := crc32.New(castagnoli)
		to := io.Discard
		if verify {
			_, _ = sum.Write(head[21:]) // a hash does not fail
			to = sum
		}
		_, _ = in.Discard(batchHeaderBytes) // was peeked
		n, err := io.CopyN(to, in, h.bytes-batchHeaderBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return good, err
		}
		if n < h.bytes-batchHeaderBytes || verify && sum.Sum32() != h.checksum {
			return good, nil
		}
		good += h.bytes
		each(h)
	}
}

// indexEntry is kfake's index entry of a batch: version, low byte of a
// checksum, leader epoch, a running maximum of timestamps that is recomputed on
// loading, and whether the batch is part of a transaction.
func indexEntry(h batchHead) []byte {
	const version, size = 1, 15
	b := make([]byte, size)
	b[0] = version
	binary.LittleEndian.PutUint32(b[2:], uint32(h.epoch))
	binary.LittleEndian.PutUint64(b[6:], uint64(h.maxTime))
	if h.open() {
		b[14] = 1
	}
	b[1] = byte(crc32.Checksum(b[2:], castagnoli))
	return b
}

// markerBatch is the control batch that ends a transaction, as a coordinator
// writes it.
func markerBatch(offset int64, leaderEpoch int32, producer int64, producerEpoch int16, commit bool, now int64) []byte {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	marker := kmsg.EndTxnMarker{}
	return encodeBatch(kmsg.RecordBatch{
		FirstOffset:          offset,
		PartitionLeaderEpoch: leaderEpoch,
		Attributes:           attributeTransactional | attributeControl,
		FirstTimestamp:       now,
		MaxTimestamp:         now,
		ProducerID:           producer,
		ProducerEpoch:        producerEpoch,
		FirstSequence:        -1,
	}, []kmsg.Record{{Key: key.AppendTo(nil), Value: marker.AppendTo(nil)}}, nil)
}

// encodeBatch completes a batch with records, compressed unless zip is nil, and
// the fields that follow from them: count, offsets, lengths and checksum.
func encodeBatch(b kmsg.RecordBatch, records []kmsg.Record, zip kgo.Compressor) []byte {
	b.Magic = 2
	b.NumRecords = int32(len(records))
	b.LastOffsetDelta = int32(len(records) - 1)
	for i := range records {
		r := &records[i]
		r.OffsetDelta = int32(i)
		r.Length = 0
		// The length counts what follows it; encoded as zero it takes one byte.
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	if zip != nil {
		packed, codec := zip.Compress(new(bytes.Buffer), b.Records)
		b.Records = packed
		b.Attributes |= int16(codec)
	}
	b.Length = int32(len(b.AppendTo(nil)) - batchBeforeLength)
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], castagnoli))
	return out
}
