package embedded_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"livemap/kafka"
)

// Topics with segments so small that tests see them close.
var (
	stateTopic = map[string]string{"cleanup.policy": "compact", "segment.bytes": "65536", "retention.ms": "-1", "retention.bytes": "-1"}
	logTopic   = map[string]string{"cleanup.policy": "delete", "segment.bytes": "65536", "retention.ms": "-1", "retention.bytes": "400000"}
)

func admin(t *testing.T, c kafka.Config) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func create(t *testing.T, c kafka.Config, topic string, configs map[string]string) {
	t.Helper()
	settings := map[string]*string{}
	for k, v := range configs {
		settings[k] = &v
	}
	if _, err := admin(t, c).CreateTopic(t.Context(), 1, 1, settings, topic); err != nil {
		t.Fatal(err)
	}
}

// start is the first offset that partition 0 of a topic still has.
func start(t *testing.T, c kafka.Config, topic string) int64 {
	t.Helper()
	offsets, err := admin(t, c).ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return offsets[topic][0].Offset
}

// end is the high watermark of partition 0 of a topic.
func end(t *testing.T, c kafka.Config, topic string) int64 {
	t.Helper()
	offsets, err := admin(t, c).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return offsets[topic][0].Offset
}

// disk is what partition 0 of a topic takes, in bytes.
func disk(t *testing.T, dir, topic string) int64 {
	t.Helper()
	var total int64
	entries, err := os.ReadDir(filepath.Join(dir, "partitions", topic+"-0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".dat") {
			total += info.Size()
		}
	}
	return total
}

// noise does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// eventually waits for a condition that housekeeping brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const within = time.Minute
	for deadline := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
