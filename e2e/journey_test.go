package e2e

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"livemap/feed"
	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
	"livemap/orders"
	"livemap/orders/journey"
)

// The replay: a day of purchases in a minute.
const (
	replayStart = "2026-01-05T00:00:00Z"
	replaySpeed = 1440
	baskets     = 155_848

	// partitions of the orders topic.
	partitions = 4
	// disorder is the aggregator's --disorder, and how far arrival is shuffled.
	disorder = 2 * time.Second
	// caseLimit bounds one case. Most of a case is waiting: the last minute
	// becomes final at the speed of the clock.
	caseLimit = 12 * time.Minute
)

// TestJourney runs a year of real purchases through logs, arrivals and deaths
// of the aggregator, and holds every window, total, trending list and batch
// against the oracle.
func TestJourney(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of real purchases")
	}
	in := prepare(t, func(*orders.Order) bool { return true })
	expected := expect(t, journeyDir, in.deliveries)
	for _, c := range []struct {
		name    string
		log     func(*testing.T) kafka.Config
		produce func(context.Context, *testing.T, kafka.Config)
		kills   int
		seed    uint64
	}{
		{name: "embedded log", log: embeddedLog, produce: produceByCommand},
		{name: "embedded log with shuffled arrival", log: embeddedLog, produce: produceShuffled},
		{name: "embedded log with a killed aggregator", log: embeddedLog, produce: produceByCommand, kills: 3, seed: 1},
		{name: "real Kafka", log: realKafka, produce: produceByCommand},
		{name: "real Kafka with shuffled arrival and a killed aggregator", log: realKafka, produce: produceShuffled, kills: 3, seed: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), caseLimit)
			defer cancel()
			log := c.log(t)
			makeTopics(ctx, t, log, partitions)
			c.produce(ctx, t, log)
			seen := aggregate(ctx, t, log, in, killMoments(c.kills, c.seed))
			agree(t, expected, seen)
			if c.kills > 0 || c.name != "embedded log" {
				return
			}
			if code, out := oracle(t, "compare", "--expected", expected, "--seen", plantCent(t, seen)); code != 1 {
				t.Errorf("a planted cent went unnoticed: exit code %d, %s", code, out)
			}
		})
	}
}

// embeddedLog starts livemap broker.
func embeddedLog(t *testing.T) kafka.Config {
	t.Helper()
	addr := testkit.FreeAddress(t)
	start(t, "broker", "--listen", addr, "--data-dir", t.TempDir())
	return kafka.Config{Brokers: []string{addr}}
}

func realKafka(t *testing.T) kafka.Config {
	t.Helper()
	return kafkatest.Start(t)
}

// makeTopics makes the input with its partitions; all others are livemap's to
// make, but a reader that begins before them would only wait.
func makeTopics(ctx context.Context, t *testing.T, c kafka.Config, partitions int32) {
	t.Helper()
	if err := kafka.WaitReady(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := kafka.EnsureTopics(ctx, c, kafka.TopicSpec{Name: feed.TopicOrders, Kind: feed.Log, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
}

// produceByCommand fills the topic as a user would.
func produceByCommand(ctx context.Context, t *testing.T, c kafka.Config) {
	t.Helper()
	start(t, "orders", "--kafka", c.Brokers[0], "--source", "journey:"+journeyDir,
		"--speed", strconv.Itoa(replaySpeed), "--start", replayStart, "--rate", "max").finish(ctx)
}

// produceShuffled fills the topic with orders that arrive out of order by less
// than the aggregator's disorder.
func produceShuffled(ctx context.Context, t *testing.T, c kafka.Config) {
	t.Helper()
	p, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var before orders.Time
	behind := 0
	eachOrder(t, &journey.Shuffle{Within: disorder, Seed: 7}, func(o *orders.Order) {
		if o.At < before {
			behind++
		}
		before = max(before, o.At)
		if err := p.Produce(ctx, kafka.Record{Topic: feed.TopicOrders, Key: []byte(o.Shop), Value: orders.AppendJSON(nil, o)}); err != nil {
			t.Fatal(err)
		}
	})
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if behind < baskets/4 {
		t.Errorf("only %d orders arrive behind a younger one: that is no shuffle", behind)
	}
}

// killMoments returns event times at which to kill the aggregator, in order.
func killMoments(n int, seed uint64) []orders.Time {
	begin, err := orders.ParseTime(replayStart)
	if err != nil {
		panic(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	moments := make([]orders.Time, n)
	for i := range moments {
		moments[i] = begin + orders.Time(r.Int64N(365*60*1000))
	}
	slices.Sort(moments)
	return moments
}

// aggregate runs the aggregator over the whole topic, killing it when the
// windows reach each of the given moments, and returns where the reading of its
// output lies.
func aggregate(ctx context.Context, t *testing.T, c kafka.Config, in inputs, kills []orders.Time) string {
	t.Helper()
	run := func() *process {
		return start(t, "aggregate", "--kafka", c.Brokers[0], "--instance", "e2e", "--total-since", replayStart,
			"--disorder", disorder.String(), "--classification", "file://"+in.classification)
	}
	r := follow(t, c, "")
	p := run()
	for _, moment := range kills {
		r.awaitWindow(ctx, t, moment)
		p.kill()
		t.Logf("killed when the windows had reached %s", moment)
		p = run()
	}
	r.awaitWindow(ctx, t, in.lastWindow)
	if err := p.stop(); err != nil {
		t.Errorf("the aggregator ended with %v", err)
	}
	r.finish(ctx, t, c)
	return r.dir
}
