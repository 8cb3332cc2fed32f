package kafka

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of a follower. What it holds at most is one answer being delivered
// and one in flight per broker, each of maxBytes compressed plus at most one
// batch per partition that alone exceeds partitionBytes.
const (
	defaultFetchBytes     = 8 << 20
	defaultPartitionBytes = 1 << 20
	leastPartitionBytes   = 128 << 10 // where an answer is shared out
	fetchWait             = 250 * time.Millisecond
	metadataEvery         = 3 * time.Second
	backoffFirst          = 100 * time.Millisecond
	backoffMost           = 2 * time.Second
	repeatLogEvery        = 30 * time.Second
	failuresToWarn        = 5 // of one partition in a row, about two seconds
	leaderlessAfter       = 5 * time.Second
)

// followConfig says what a follower reads.
type followConfig struct {
	topics         []followTopic
	maxBytes       int32
	partitionBytes int32
	refresh        time.Duration
	packed         bool // deliver records as a Packed
	shared         bool // of an answer no partition gets more than its share; see fetchRequest
}

// followTopic is one topic and where its partitions are begun.
type followTopic struct {
	name string
	// state topics are read again from their start when their log was cut.
	state bool
	// offsets are where partitions begin; those that are absent begin at start.
	offsets map[int32]int64
	start   start
}

// start is where a partition without an offset begins: at the earliest record,
// or, when set, at the earlier of back offsets before the end and the first
// record of the last age. It holds for partitions there at the first look;
// those that are added later begin at 0.
type start struct {
	back int64
	age  time.Duration
}

func (s start) earliest() bool { return s.back == 0 && s.age == 0 }

// follower reads every partition of some topics: the fetch loop under Tail,
// Reader, ReadState and Watch. It is a passive state machine. Whoever owns it
// calls next in one goroutine; next hands requests to short-lived goroutines,
// one per broker at a time, and turns their answers into deliveries. Issuing
// the next Fetch before the last answer is delivered keeps broker and caller
// busy together, and not issuing one until the caller comes back is the
// back-pressure.
//
// Partitions fail alone: one without leader, or whose broker does not answer,
// is tried again with back-off while the others go on.
type follower struct {
	// Immutable.
	cfg     followConfig
	cl      *kgo.Client
	decoder kgo.Decompressor
	log     *slog.Logger
	metrics *Metrics
	addrs   []string
	ctx     context.Context // of the requests in flight; ended by close
	cancel  context.CancelFunc
	answers chan answer
	flights sync.WaitGroup

	// Owned by the goroutine that calls next.
	topics     []*topic
	brokers    map[int32]*broker
	ready      []delivery
	resumed    bool // partitions were, since the last dispatch
	metaFlight bool
	metaAt     time.Time // when metadata is due
	metaFails  int
	quiet      map[string]time.Time // log lines lately written
}

// topic is a followed topic as the cluster last described it.
type topic struct {
	followTopic
	id         [16]byte   // zero until first seen
	generation int        // how often it was recreated
	former     [][16]byte // ids it had before
	partitions []*partition
}

// partition is one followed partition.
type partition struct {
	topic  *topic
	number int32
	leader int32 // -1: none

	next    int64 // next offset wanted; unresolved: not known yet
	begun   bool  // next was checked against the log's range; false again when a fetch says it is outside
	first   bool  // there at the first look at the topic
	end     int64 // last stable offset when next was checked
	high    int64 // high watermark at the last fetch
	caught  bool  // end has been reached once
	drained bool  // as last delivered: nothing was left in the log
	shown   bool  // drained has been delivered at all
	paused  bool
	held    func()    // what came of a request while paused, to be taken over on resuming
	flying  bool      // part of the request under way
	failing int       // requests failed in a row
	damaged int       // answers in a row that could not be decoded at next
	hollow  int       // empty answers in a row though the log goes on
	retryAt time.Time // not before
	noLeadT time.Time // since when there is no leader
	told    bool      // leaderless was reported
	lag     prometheus.Gauge
}

// unresolved is the next of a partition whose start offset is not known.
const unresolved = -1

// broker tells whether a request is under way; there is at most one.
type broker struct {
	flight bool
	turn   int // rotates the order of partitions, so that each comes first at times
}

// delivery is what next reports. Exactly one of its kinds applies.
type delivery struct {
	kind      deliveryKind
	topic     *topic
	partition *partition
	records   []Record // or, of a follower that packs:
	packed    *Packed
	from, to  int64 // to: the position from now on; from: lost and skipped, the position before
	caughtUp  bool  // records: the log holds nothing beyond to
}

type deliveryKind uint8

const (
	deliverTopic    deliveryKind = iota // described for the first time, recreated, or grown
	deliverRecords                      // the position moved, with or without records, or caughtUp changed
	deliverCaughtUp                     // the end seen at the start was reached; once
	deliverLost                         // the log does not hold offset from; reading goes on at to
	deliverSkipped                      // offsets from to to hold a batch that cannot be decoded
	deliverNoLeader                     // the partition has been without leader for leaderlessAfter
	deliverLed                          // it has one again
)

// answer is what a request brought back.
type answer struct {
	broker     int32 // -1: metadata
	partitions []*partition
	apply      func()
}

// newFollower returns a follower that has not yet connected.
func newFollower(c Config, cfg followConfig) (*follower, error) {
	cl, err := c.newClient()
	if err != nil {
		return nil, err
	}
	decoder, err := decoderOf(cl)
	if err != nil {
		cl.Close()
		return nil, err
	}
	if cfg.maxBytes == 0 {
		cfg.maxBytes = defaultFetchBytes
	}
	if cfg.partitionBytes == 0 {
		cfg.partitionBytes = defaultPartitionBytes
	}
	if cfg.refresh == 0 {
		cfg.refresh = metadataEvery
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		cfg: cfg, cl: cl, decoder: decoder, log: c.logger(), metrics: c.metrics(), addrs: c.Brokers,
		ctx: ctx, cancel: cancel, answers: make(chan answer),
		brokers: map[int32]*broker{}, quiet: map[string]time.Time{},
	}
	for _, t := range cfg.topics {
		f.topics = append(f.topics, &topic{followTopic: t})
	}
	return f, nil
}

// close ends all requests and waits for them.
func (f *follower) close() {
	f.cancel()
	f.flights.Wait()
	f.cl.Close()
}
