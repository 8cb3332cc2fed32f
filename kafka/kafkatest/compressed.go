package kafkatest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"livemap/kafka"
)

// Codecs names the ways in which Kafka compresses batches of records.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// SendCompressed writes records to a topic with the library's own producer, in
// batches compressed as one of [Codecs], and returns when all are in Kafka. Of a
// record only key and value count.
func SendCompressed(ctx context.Context, c kafka.Config, topic, codec string, records []kafka.Record) error {
	compression, ok := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[codec]
	if !ok {
		return fmt.Errorf("send to %s: codec %q: must be one of %v", topic, codec, Codecs)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(compression))
	if err != nil {
		return err
	}
	defer cl.Close()
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = &kgo.Record{Key: r.Key, Value: r.Value}
	}
	if err := cl.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return fmt.Errorf("send to %s, compression %s: %w", topic, codec, err)
	}
	return nil
}
