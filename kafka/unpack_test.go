package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Two batches as Kafka's producers write them: three records with key, value
// and headers, of offsets 10 to 12, and one of 13.
func goodBatches(f testing.TB, compression kgo.CompressionCodec, attributes int16) []byte {
	zip, err := kgo.DefaultCompressor(compression)
	if err != nil {
		f.Fatal(err)
	}
	var records []byte
	for i, headers := range []int{0, 2, 0} {
		r := kmsg.Record{TimestampDelta64: int64(i * 7), OffsetDelta: int32(i), Key: []byte("shop"), Value: bytes.Repeat([]byte("value "), i*20)}
		if i == 2 {
			r.Key, r.Value = nil, nil
		}
		for range headers {
			r.Headers = append(r.Headers, kmsg.Header{Key: "h", Value: []byte("x")})
		}
		records = appendRecord(records, r)
	}
	return append(sealedBatch(f, zip, attributes, 10, 3, records),
		sealedBatch(f, zip, attributes, 13, 1, appendRecord(nil, kmsg.Record{Value: []byte("last")}))...)
}

func appendRecord(b []byte, r kmsg.Record) []byte {
	r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
	return r.AppendTo(b)
}

func sealedBatch(t testing.TB, zip kgo.Compressor, attributes int16, first int64, count int32, records []byte) []byte {
	t.Helper()
	packed, kind := records, kgo.CodecNone
	if zip != nil {
		packed, kind = zip.Compress(new(bytes.Buffer), records)
	}
	b := kmsg.RecordBatch{
		FirstOffset: first, PartitionLeaderEpoch: -1, Magic: 2, Attributes: attributes | int16(kind), LastOffsetDelta: count - 1,
		FirstTimestamp: 1_700_000_000_000, MaxTimestamp: 1_700_000_000_555, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: count, Records: packed,
	}
	b.Length = int32(len(b.AppendTo(nil)) - batchPreamble)
	return resum(b.AppendTo(nil))
}

// resum sets the checksum of the first batch in b.
func resum(b []byte) []byte {
	if len(b) > batchAttrAt {
		length := int64(int32(binary.BigEndian.Uint32(b[batchLengthAt:]))) + batchPreamble
		if length > batchAttrAt && length <= int64(len(b)) {
			binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttrAt:length], crc32c))
		}
	}
	return b
}

func codecs() []kgo.CompressionCodec {
	return []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
}

// unpackBoth unpacks rp by ours and by the client library; ok is ours.
func unpackBoth(wanted int64, rp *kmsg.FetchResponseTopicPartition) (got, want []Record, next, wantNext int64, ok bool) {
	decoder := kgo.DefaultDecompressor()
	lenient := lenientLZ4{decoder}
	p := newPacked("t", rp.Partition)
	defer p.Release()
	next, ok = unpack(p, wanted, rp, decoder)
	for i := range p.Len() {
		r := p.Record(i)
		if !bytes.Equal(p.Value(i), r.Value) || p.Offset(i) != r.Offset || p.At(i) != r.At {
			panic("a record differs from its parts")
		}
		got = append(got, r)
	}
	fp, wantNext := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: wanted, IsolationLevel: kgo.ReadCommitted(), Topic: "t", Partition: rp.Partition,
	}, rp, lenient, nil)
	for _, r := range fp.Records {
		want = append(want, fromKgo(r))
	}
	return got, want, next, wantNext, ok
}

// lenientLZ4 also reads frames of LZ4 whose own checksums are wrong, as ours does
// and the library does not: the checksum of the batch around them was right.
type lenientLZ4 struct{ kgo.Decompressor }

func (d lenientLZ4) Decompress(in []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	out, err := d.Decompressor.Decompress(in, codec)
	if err != nil && codec == kgo.CodecLz4 {
		if out, ok := appendLZ4(nil, in); ok {
			return out, nil
		}
	}
	return out, err
}

// TestUnpackKnowsWhatBrokersSend: batches of every compression are unpacked
// without the client library, from the middle of a batch and with its end cut
// off too.
func TestUnpackKnowsWhatBrokersSend(t *testing.T) {
	for _, codec := range codecs() {
		for _, attributes := range []int16{0, attrAppendTime} {
			b := goodBatches(t, codec, attributes)
			for wanted := int64(9); wanted < 15; wanted++ {
				for _, cut := range []int{0, 1, 60} {
					rp := &kmsg.FetchResponseTopicPartition{Partition: 3, RecordBatches: b[:len(b)-cut]}
					got, want, next, wantNext, ok := unpackBoth(wanted, rp)
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); !ok || next != wantNext || diff != "" {
						t.Fatalf("%v, attributes %d, from %d, %d cut off: %t, next %d, want %d (-want +got):\n%s", codec, attributes, wanted, cut, ok, next, wantNext, diff)
					}
				}
			}
		}
	}
}

func TestPackedKeepsWhatTheLibraryRead(t *testing.T) {
	p := newPacked("t", 1)
	records := []Record{
		{Topic: "t", Partition: 1, Offset: 7, At: 5, Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"a", []byte("b")}, {"none", nil}}},
		{Topic: "t", Partition: 1, Offset: 9},
	}
	for i := range records {
		p.add(&records[i])
	}
	for i, want := range records {
		if diff := cmp.Diff(want, p.Record(i)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// FuzzUnpack compares unpack with the client library, on answers whose
// checksums are right so that all else is reached.
func FuzzUnpack(f *testing.F) {
	for _, codec := range codecs() {
		for _, attributes := range []int16{0, attrAppendTime, attrControl, 0b1_0000} {
			f.Add(goodBatches(f, codec, attributes), int64(10))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, wanted int64) {
		if wanted < 0 {
			return // no reader asks for such
		}
		rp := &kmsg.FetchResponseTopicPartition{RecordBatches: resum(bytes.Clone(b))}
		got, want, next, wantNext, ok := unpackBoth(wanted, rp)
		if !ok {
			return // the library is asked
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); next != wantNext || diff != "" {
			t.Fatalf("next %d, want %d (-library +unpack):\n%s", next, wantNext, diff)
		}
	})
}

// FuzzLZ4 compares appendLZ4 with a reader of the whole format.
func FuzzLZ4(f *testing.F) {
	for _, text := range []string{"", "a", "abcabcabcabcabcabcabcabcabcabcabcabc"} {
		var b bytes.Buffer
		w := lz4.NewWriter(&b)
		_, err := w.Write([]byte(text))
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, ok := appendLZ4([]byte("before"), in)
		if !bytes.HasPrefix(got, []byte("before")) || !ok && len(got) != 6 {
			t.Fatal("what was there has changed")
		}
		want, err := kgo.DefaultDecompressor().Decompress(in, kgo.CodecLz4)
		if ok && err == nil && !bytes.Equal(got[6:], want) {
			t.Fatalf("got %q, want %q", got[6:], want)
		}
	})
}
