package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
	"livemap/orders"
	"livemap/orders/journey"
)

const (
	// flinkPrefix begins the names of the topics that the Flink job writes beside
	// those of livemap aggregate.
	flinkPrefix = "flink."
	// flinkHeap bounds the heap of the job's JVM.
	flinkHeap = "600m"
	// parityLimit bounds one case.
	parityLimit = 8 * time.Minute

	// The purchases that fit CI: the first of the year, and from everyShop on
	// those of one shop only, so that all other partitions fall silent.
	slice     = 24_000
	everyShop = 15_000
	// stretch is how many orders in a row are compressed in one way.
	stretch = 1000
	// manyPartitions are more than there are tasks, and some of them stay empty.
	manyPartitions = 64
	// stall is for how long the broker answers nobody.
	stall = 2 * time.Second
)

// TestParity runs the Go aggregator and the Flink job over the same orders on
// real Kafka and holds them against the oracle and against each other.
func TestParity(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of two engines")
	}
	t.Run("purchases with silent partitions", func(t *testing.T) {
		t.Parallel()
		parityOfPurchases(t)
	})
	t.Run("seeded disorder in one partition", func(t *testing.T) {
		t.Parallel()
		parityOfDisorder(t)
	})
}

// parityOfPurchases: real purchases on many partitions, of which all but one end
// long before that one, arriving out of order within the disorder, in batches
// compressed in each way that Kafka knows. Meanwhile the broker stalls.
func parityOfPurchases(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), parityLimit)
	defer cancel()
	cluster := kafkatest.StartCluster(t, 1)
	log := cluster.Config()
	makeTopics(ctx, t, log, manyPartitions)
	in := prepareSlice(t)
	in.sendCompressed(ctx, t, log)
	ofGo, ofFlink := runBoth(ctx, t, cluster, in.lastWindow, "--total-since", replayStart, "--disorder", disorder.String(),
		"--classification", "file://"+in.classification)
	expected := in.expect(t)
	agree(t, expected, ofGo)
	agree(t, expected, ofFlink)
	if code, out := oracle(t, "compare", "--expected", expected, "--seen", plantCent(t, ofFlink)); code != 1 {
		t.Errorf("a planted cent went unnoticed: exit code %d, %s", code, out)
	}
	same(t, ofGo, ofFlink, in.lastWindow, minWindows, feed.TopicWindows, feed.TopicTrending, feed.TopicShipments)
}

// sendCompressed sends the chosen orders in stretches, each compressed in another
// way.
func (in sliceInputs) sendCompressed(ctx context.Context, t *testing.T, c kafka.Config) {
	t.Helper()
	var records []kafka.Record
	n := 0
	flush := func() {
		codec := kafkatest.Codecs[n%len(kafkatest.Codecs)]
		if err := kafkatest.SendCompressed(ctx, c, feed.TopicOrders, codec, records); err != nil {
			t.Fatal(err)
		}
		records = records[:0]
		n++
	}
	in.each(t, &journey.Shuffle{Within: disorder, Seed: 7}, func(o *orders.Order) {
		records = append(records, kafka.Record{Key: []byte(o.Shop), Value: orders.AppendJSON(nil, o)})
		if len(records) == stretch {
			flush()
		}
	})
	flush()
}

// runBoth runs both engines with the same flags until the windows of both have
// reached last, and returns where the readings of their outputs lie. Once both
// have written something, the broker stalls.
func runBoth(ctx context.Context, t *testing.T, cluster *kafkatest.Cluster, last orders.Time, flags ...string) (ofGo, ofFlink string) {
	t.Helper()
	c := cluster.Config()
	inGo, inFlink := follow(t, c, ""), follow(t, c, flinkPrefix)
	flags = append([]string{"--kafka", c.Brokers[0]}, flags...)
	flink := startFlink(t, t.TempDir(), flags...)
	start(t, append([]string{"aggregate"}, flags...)...)
	inGo.awaitWindow(ctx, t, 1)
	inFlink.awaitWindowOf(ctx, t, 1, flink)
	broker := cluster.Nodes()[0]
	if err := broker.Freeze(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(stall)
	if err := broker.Thaw(); err != nil {
		t.Fatal(err)
	}
	inGo.awaitWindow(ctx, t, last)
	t.Logf("the Go aggregator has reached %s", last)
	inFlink.awaitWindowOf(ctx, t, last, flink)
	t.Logf("the Flink job has reached %s", last)
	inGo.finish(ctx, t, c)
	inFlink.finish(ctx, t, c)
	return inGo.dir, inFlink.dir
}

// startFlink runs the job in a JVM of its own until the test ends. Its
// checkpoints lie below state; if there are any, it goes on from the newest.
func startFlink(t *testing.T, state string, flags ...string) *process {
	t.Helper()
	if newestCheckpoint(t, state) > 0 {
		flags = append([]string{"--resume"}, flags...)
	}
	cmd := exec.Command("../flink/run", append(flags, "--topic-prefix", flinkPrefix)...)
	cmd.Env = append(os.Environ(), "LIVEMAP_FLINK_HEAP="+flinkHeap, "LIVEMAP_FLINK_STATE="+state)
	return launch(t, "flink/run", cmd)
}

// newestCheckpoint returns the number of the newest whole checkpoint, 0 if there
// is none.
func newestCheckpoint(t *testing.T, state string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(state, "checkpoints", "*", "chk-*", "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	newest := 0
	for _, f := range found {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(f)), "chk-"))
		if err != nil {
			t.Fatal(err)
		}
		newest = max(newest, n)
	}
	return newest
}

// awaitCheckpoint waits for a checkpoint that was begun after now.
func awaitCheckpoint(ctx context.Context, t *testing.T, state string) {
	t.Helper()
	for after := newestCheckpoint(t, state) + 1; newestCheckpoint(t, state) <= after; {
		select {
		case <-time.After(50 * time.Millisecond): // the file system tells nobody
		case <-ctx.Done():
			t.Fatalf("no checkpoint after number %d: %v", after, ctx.Err())
		}
	}
}

// awaitWindowOf is awaitWindow, but notices when the process that should write
// the windows has ended.
func (r *reading) awaitWindowOf(ctx context.Context, t *testing.T, end orders.Time, p *process) {
	t.Helper()
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.ended:
			cancel(context.Canceled)
		case <-alive.Done():
		}
	}()
	r.awaitWindow(alive, t, end)
}

// sliceInputs are a part of the purchases.
type sliceInputs struct {
	inputs
	dir string // with the Parquet files of just these purchases
	ids map[string]bool
}

// prepareSlice chooses the purchases and writes the oracle's inputs for them.
func prepareSlice(t *testing.T) sliceInputs {
	t.Helper()
	dir, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := sliceInputs{dir: dir, ids: map[string]bool{}}
	shop, n := "", 0
	eachOrder(t, nil, func(o *orders.Order) {
		if n++; n == 1 {
			shop = o.Shop
		}
		if n <= everyShop || n <= slice && o.Shop == shop {
			in.ids[o.ID] = true
		}
	})
	in.inputs = prepare(t, func(o *orders.Order) bool { return in.ids[o.ID] })
	code, out := oracle(t, "slice", "--journey", journeyDir, "--deliveries", in.deliveries, "--to", dir)
	if code != 0 {
		t.Fatalf("oracle slice: %s", out)
	}
	return in
}

// each visits the chosen orders as they arrive.
func (in sliceInputs) each(t *testing.T, shuffle *journey.Shuffle, visit func(*orders.Order)) {
	t.Helper()
	eachOrder(t, shuffle, func(o *orders.Order) {
		if in.ids[o.ID] {
			visit(o)
		}
	})
}

func (in sliceInputs) expect(t *testing.T) string {
	t.Helper()
	return expect(t, in.dir, in.deliveries)
}
