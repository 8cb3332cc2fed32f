package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"livemap/feed"
)

// TailTopic is a topic to follow and how far back to begin.
type TailTopic struct {
	Name string
	// Kind State begins at the earliest record and reads again from there if
	// the log was cut below the position.
	Kind feed.Kind
	// Recent and MaxAge say how much of a log topic is wanted: at least the last
	// Recent records of each partition and all records of the last MaxAge. Both
	// zero: from the earliest record. Ignored for State.
	Recent int
	MaxAge time.Duration
}

// TailConfig says what a [Tail] follows.
type TailConfig struct {
	Config
	Topics []TailTopic
	// FetchBytes bounds one answer of a broker, compressed. Default 8 MiB. A
	// Tail holds at most two answers per broker.
	FetchBytes int
	// RefreshEvery is how often the cluster is asked for added partitions and
	// recreated topics when no error gives reason to. Default 3 s.
	RefreshEvery time.Duration
}

// Validate reports all errors of the configuration.
func (c TailConfig) Validate() error {
	errs := []error{c.Config.Validate()}
	if len(c.Topics) == 0 {
		errs = append(errs, errors.New("kafka tail: no topic; allowed: one or more"))
	}
	seen := map[string]bool{}
	for _, t := range c.Topics {
		if t.Name == "" || seen[t.Name] {
			errs = append(errs, fmt.Errorf("kafka tail: topic %q; allowed: names that are not empty, each once", t.Name))
		}
		seen[t.Name] = true
		if t.Kind != feed.Log && t.Kind != feed.State {
			errs = append(errs, fmt.Errorf("kafka tail: topic %s: kind %q; allowed: log, state", t.Name, t.Kind))
		}
		if t.Recent < 0 || t.MaxAge < 0 {
			errs = append(errs, fmt.Errorf("kafka tail: topic %s: recent %d, max age %s; allowed: not negative", t.Name, t.Recent, t.MaxAge))
		}
	}
	return errors.Join(append(errs, validateFetchBytes(c.FetchBytes))...)
}

// maxFetchBytes is the most that one fetch may ask for.
const maxFetchBytes = 256 << 20

func validateFetchBytes(n int) error {
	if n != 0 && (n < 64<<10 || n > maxFetchBytes) {
		return fmt.Errorf("kafka: fetch bytes %d; allowed: 0 (default) or %d to %d", n, 64<<10, maxFetchBytes)
	}
	return nil
}

// Event is what a [Tail] reports: one of [TopicSeen], [Records], [CaughtUp],
// [Lost], [Skipped], [NoLeader] and [Led].
type Event interface{ event() }

// TopicSeen tells that a topic was described for the first time, has grown, or was
// recreated (another ID). It comes before any other event of the partitions it
// speaks of; after a recreation these begin at 0 again.
type TopicSeen struct {
	Topic      string
	ID         [16]byte // Kafka's UUID of the topic
	Partitions int
}

// Records of one partition in offset order, without transaction markers and
// aborted records. From and Next are the positions before and after them, markers
// included. The slice is valid during the call only, the bytes of its records
// for good.
type Records struct {
	Topic     string
	Partition int32
	Records   []Record // may be empty: the position moved over markers
	From      int64
	Next      int64
}

// CaughtUp tells that a partition has been read up to the last stable offset that it
// had when it was begun: to the position Next. Once per partition and life of its
// topic.
type CaughtUp struct {
	Topic     string
	Partition int32
	Next      int64
}

// Lost tells that the log does not hold offset From (retention or compaction passed it,
// or the log was truncated) and reading goes on at To, which is smaller than
// From after a truncation.
type Lost struct {
	Topic     string
	Partition int32
	From, To  int64
}

// Skipped tells that the offsets From to To-1 are a batch that cannot be decoded.
type Skipped struct {
	Topic     string
	Partition int32
	From, To  int64
}

// NoLeader tells that a partition has had no leader for some seconds. It is read as
// soon as it has one; who waits for CaughtUp of all partitions need not wait
// for this one.
type NoLeader struct {
	Topic     string
	Partition int32
}

// Led tells that a partition that NoLeader told of has a leader again. It comes
// before what is read of it.
type Led struct {
	Topic     string
	Partition int32
}

func (TopicSeen) event() {}
func (Records) event()   {}
func (CaughtUp) event()  {}
func (Lost) event()      {}
func (Skipped) event()   {}
func (NoLeader) event()  {}
func (Led) event()       {}

// Tail follows every partition of some topics without a group, read_committed.
type Tail struct{ f *follower }

// NewTail returns a Tail for [Tail.Run]. It does not connect.
func NewTail(c TailConfig) (*Tail, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	follow := followConfig{maxBytes: int32(c.FetchBytes), refresh: c.RefreshEvery}
	for _, t := range c.Topics {
		ft := followTopic{name: t.Name, state: t.Kind == feed.State}
		if !ft.state {
			// A transaction marker may follow each record and takes an offset too.
			ft.start = start{back: 2 * int64(t.Recent), age: t.MaxAge}
		}
		follow.topics = append(follow.topics, ft)
	}
	f, err := newFollower(c.Config, follow)
	if err != nil {
		return nil, err
	}
	return &Tail{f}, nil
}

// Run follows the topics until ctx ends or handle returns an error, which Run
// returns; after that the Tail is used up. All events come one after another
// on Run's goroutine. While handle runs at most one further answer per broker
// is fetched. A broker that does not answer is asked again for ever, a topic
// that does not exist is waited for; both are logged.
func (t *Tail) Run(ctx context.Context, handle func(Event) error) error {
	defer t.f.close()
	for {
		d, err := t.f.next(ctx)
		if err != nil {
			return err
		}
		e := d.event()
		if e == nil {
			continue
		}
		if err := handle(e); err != nil {
			return err
		}
	}
}

// event converts a delivery; nil if it is none for a Tail.
func (d *delivery) event() Event {
	if d.kind == deliverTopic {
		return TopicSeen{d.topic.name, d.topic.id, len(d.topic.partitions)}
	}
	name, number := d.topic.name, d.partition.number
	switch d.kind {
	case deliverCaughtUp:
		return CaughtUp{name, number, d.to}
	case deliverLost:
		return Lost{name, number, d.from, d.to}
	case deliverSkipped:
		return Skipped{name, number, d.from, d.to}
	case deliverNoLeader:
		return NoLeader{name, number}
	case deliverLed:
		return Led{name, number}
	case deliverRecords:
		if len(d.records) > 0 || d.from != d.to {
			return Records{name, number, d.records, d.from, d.to}
		}
	}
	return nil
}
