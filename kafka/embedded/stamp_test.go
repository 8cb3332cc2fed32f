package embedded

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wrongClock is a batch whose records lie before and after the first.
func wrongClock(zip kgo.Compressor) []byte {
	const year2100 = 4_102_444_800_000
	value := bytes.Repeat([]byte("value "), 100)
	return encodeBatch(kmsg.RecordBatch{
		FirstTimestamp: year2100, MaxTimestamp: year2100 + 5_000_000_000_000,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
	}, []kmsg.Record{
		{Key: []byte("a"), Value: value},
		{TimestampDelta64: -year2100, Key: []byte("b"), Value: value, Headers: []kmsg.Header{{Key: "h", Value: []byte("v")}}},
		{TimestampDelta64: 5_000_000_000_000, Key: []byte("c")},
	}, zip)
}

func TestStampKeepsAllButTheTime(t *testing.T) {
	s, err := newStamper(nil)
	if err != nil {
		t.Fatal(err)
	}
	zips := map[string]kgo.Compressor{"none": nil}
	for kind, zip := range s.zips {
		zips[string('0'+rune(kind))] = zip
	}
	if len(zips) != 5 {
		t.Fatalf("%d kinds of compression, want 5", len(zips))
	}
	const now = 1_800_000_000_000
	for name, zip := range zips {
		before := wrongClock(zip)
		var was, is kmsg.RecordBatch
		if err := was.ReadFrom(before); err != nil {
			t.Fatal(err)
		}
		want, err := kfake.BatchRecords(was)
		if err != nil {
			t.Fatal(err)
		}
		stamped, err := s.stamp(bytes.Clone(before), now)
		if err != nil {
			t.Fatalf("codec %s: %v", name, err)
		}
		if again, err := s.stamp(bytes.Clone(stamped), now); err != nil || !bytes.Equal(again, stamped) {
			t.Errorf("codec %s: stamped twice it differs: %v", name, err)
		}
		if !wellFormed(stamped) {
			t.Errorf("codec %s: not well formed any more", name)
		}
		if err := is.ReadFrom(stamped); err != nil {
			t.Fatal(err)
		}
		got, err := kfake.BatchRecords(is)
		if err != nil || len(got) != len(want) {
			t.Fatalf("codec %s: %d records, %v", name, len(got), err)
		}
		if is.Attributes != was.Attributes || is.FirstTimestamp != now || is.MaxTimestamp != now {
			t.Errorf("codec %s: attributes %d of %d, times %d to %d", name, is.Attributes, was.Attributes, is.FirstTimestamp, is.MaxTimestamp)
		}
		for i, r := range got {
			w := want[i]
			if r.TimestampDelta64 != 0 || r.OffsetDelta != w.OffsetDelta || !bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Value, w.Value) || len(r.Headers) != len(w.Headers) {
				t.Errorf("codec %s: record %d is %+v", name, i, r)
			}
		}
	}
}

func FuzzFlatten(f *testing.F) {
	b := wrongClock(nil)
	f.Add(b[batchHeaderBytes:], 3)
	f.Add(b[batchHeaderBytes:], 2)
	f.Add([]byte{2, 0, 0x80}, 1)
	f.Fuzz(func(t *testing.T, records []byte, count int) {
		count &= 1<<16 - 1
		before := bytes.Clone(records)
		out, _, err := flatten(records, count)
		if !bytes.Equal(records, before) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		again, changed, err := flatten(out, count)
		if err != nil || changed || !bytes.Equal(again, out) {
			t.Fatalf("flat records are not flat: %v", err)
		}
	})
}

// TestForgedBatchesAreRefused: a producer that says it is the broker, and
// records that cannot be read, whose time would be the producer's.
func TestForgedBatchesAreRefused(t *testing.T) {
	b, err := Open(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	kind := "LogAppendTime"
	for topic, configs := range map[string]map[string]*string{"plain": nil, "stamped": {"message.timestamp.type": &kind}} {
		createWith(t, cl, topic, configs)
	}
	good := wrongClock(nil)
	marked := bytes.Clone(good)
	marked[22] |= attributeAppendTime
	torn := bytes.Clone(good)
	torn[batchHeaderBytes] = 0
	huge := bytes.Clone(good)
	binary.BigEndian.PutUint32(huge[57:], 1<<31-1)
	for _, c := range []struct {
		name, topic string
		batch       []byte
		want        error
	}{
		{"good", "plain", good, nil},
		{"good", "stamped", good, nil},
		{"marked", "plain", marked, kerr.CorruptMessage},
		{"marked", "stamped", marked, nil}, // the mark is the broker's to set
		{"torn", "stamped", torn, kerr.CorruptMessage},
		{"many records", "stamped", huge, kerr.CorruptMessage},
		{"short", "stamped", good[:40], kerr.CorruptMessage},
		{"empty", "stamped", nil, kerr.CorruptMessage},
	} {
		batch := bytes.Clone(c.batch)
		if len(batch) > batchHeaderBytes {
			binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
		}
		if got := produceRaw(t, cl, c.topic, batch); got != c.want {
			t.Errorf("%s to %s: %v, want %v", c.name, c.topic, got, c.want)
		}
	}
}

func createWith(t *testing.T, cl *kgo.Client, topic string, configs map[string]*string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, 1, 1
	for key, value := range configs {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, value
		rt.Configs = append(rt.Configs, config)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// produceRaw sends a batch and returns the log's verdict.
func produceRaw(t *testing.T, cl *kgo.Client, topic string, batch []byte) error {
	t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	meta.Topics = append(meta.Topics, mt)
	known, err := meta.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks = -1
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, known.Topics[0].TopicID
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := cl.Broker(0).Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}
