package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"livemap/feed"
)

// Defaults of a TopicSpec.
const (
	DefaultRetention      = 48 * time.Hour
	DefaultRetentionBytes = 1 << 30 // per partition
)

// Settings of topics that livemap makes. A segment of stateSegmentBytes or
// stateSegmentAge is closed and can then be compacted; readers that were away
// for less than tombstoneKept still learn of deleted keys.
const (
	stateSegmentBytes = 16 << 20
	stateSegmentAge   = 10 * time.Minute
	tombstoneKept     = 24 * time.Hour
	minSegmentBytes   = 1 << 20
	maxSegmentBytes   = 128 << 20
	minSegmentAge     = time.Minute
)

// The setting that says whose clock a record's timestamp is from, what it must
// be for TopicSpec.AppendTime, and Kafka's default.
const (
	timestampType = "message.timestamp.type"
	appendTime    = "LogAppendTime"
	createTime    = "CreateTime"
)

// TopicSpec says what a topic must be.
type TopicSpec struct {
	Name string
	// Kind State makes a compacted topic, Log one whose old records are deleted.
	Kind feed.Kind
	// Partitions of a topic that is made. Default 1. A topic that exists keeps
	// what it has.
	Partitions int32
	// Replication of a topic that is made. Default: the broker's.
	Replication int16
	// Retention is how long a log keeps records. Default DefaultRetention,
	// negative: for ever.
	Retention time.Duration
	// RetentionBytes is how much of a partition a log keeps; a segment more may
	// be there. Default DefaultRetentionBytes, negative: without bound.
	RetentionBytes int64
	// MaxMessageBytes bounds a batch of a topic that is made. Default
	// MaxBatchBytes, the largest that producers of this package send.
	MaxMessageBytes int
	// AppendTime gives every record the time at which the broker takes it
	// (message.timestamp.type=LogAppendTime), whatever its producer's clock says.
	// A topic that exists without it is kept as it is, with a warning.
	AppendTime bool
}

func (s TopicSpec) validate() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("kafka topic without name"))
	}
	if s.Kind != feed.Log && s.Kind != feed.State {
		errs = append(errs, fmt.Errorf("kafka topic %s: kind %q; allowed: log, state", s.Name, s.Kind))
	}
	if s.Partitions < 0 || s.Partitions > 10_000 {
		errs = append(errs, fmt.Errorf("kafka topic %s: %d partitions; allowed: 0 (default 1) to 10000", s.Name, s.Partitions))
	}
	if s.Replication < 0 {
		errs = append(errs, fmt.Errorf("kafka topic %s: replication %d; allowed: 0 (broker's default) or more", s.Name, s.Replication))
	}
	if s.MaxMessageBytes < 0 {
		errs = append(errs, fmt.Errorf("kafka topic %s: max message bytes %d; allowed: 0 (default %d) or more", s.Name, s.MaxMessageBytes, MaxBatchBytes))
	}
	return errors.Join(errs...)
}

// configs are the settings a topic is made with. Retention is always explicit:
// the embedded log deletes nothing without, and a state topic must not inherit
// a broker's.
func (s TopicSpec) configs() map[string]*string {
	out := map[string]*string{}
	set := func(key string, value int64) {
		text := strconv.FormatInt(value, 10)
		out[key] = &text
	}
	policy := s.policy()
	out["cleanup.policy"] = &policy
	set("max.message.bytes", int64(cmp.Or(s.MaxMessageBytes, MaxBatchBytes)))
	if s.AppendTime {
		kind := appendTime
		out[timestampType] = &kind
	}
	if s.Kind == feed.State {
		dirty := "0.2"
		out["min.cleanable.dirty.ratio"] = &dirty
		set("segment.bytes", stateSegmentBytes)
		set("segment.ms", stateSegmentAge.Milliseconds())
		set("delete.retention.ms", tombstoneKept.Milliseconds())
		set("retention.ms", -1)
		set("retention.bytes", -1)
		return out
	}
	age, bytes := s.Retention, s.RetentionBytes
	if age == 0 {
		age = DefaultRetention
	}
	if bytes == 0 {
		bytes = DefaultRetentionBytes
	}
	segmentBytes, segmentAge := int64(maxSegmentBytes), 24*time.Hour
	if bytes > 0 {
		segmentBytes = min(max(bytes/8, minSegmentBytes), maxSegmentBytes)
	}
	if age > 0 {
		segmentAge = min(max(age/8, minSegmentAge), segmentAge)
	}
	set("retention.ms", max(-1, age.Milliseconds()))
	set("retention.bytes", max(-1, bytes))
	set("segment.bytes", segmentBytes)
	set("segment.ms", segmentAge.Milliseconds())
	return out
}

// policy is the cleanup.policy that the kind needs.
func (s TopicSpec) policy() string {
	if s.Kind == feed.State {
		return "compact"
	}
	return "delete"
}

// EnsureTopics makes the topics that do not exist, waits until every partition
// has a leader, and refuses with [ErrWrongPolicy] a topic that exists with a
// cleanup.policy that does not fit its kind; it changes no topic that exists. A
// topic that should have AppendTime and has not is warned about.
// All refusals are reported together. It waits for a broker until ctx ends.
func EnsureTopics(ctx context.Context, c Config, specs ...TopicSpec) error {
	var errs []error
	for _, s := range specs {
		errs = append(errs, s.validate())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := WaitReady(ctx, c); err != nil {
		return err
	}
	cl, err := c.newClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for _, s := range specs {
		if err := ensureTopic(ctx, c, adm, s); err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", s.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return awaitLeaders(ctx, adm, specs)
}

// ensureTopic makes the topic or verifies the one that is there, again and again
// while the cluster is in motion: one broker may refuse to make a topic that
// another, asked to describe it, has not heard of yet.
func ensureTopic(ctx context.Context, c Config, adm *kadm.Client, s TopicSpec) error {
	replication := s.Replication
	if replication == 0 {
		replication = -1
	}
	var said time.Time
	for began := time.Now(); ; {
		_, err := adm.CreateTopic(ctx, max(1, s.Partitions), replication, s.configs(), s.Name)
		if err == nil {
			c.logger().Info("topic made", "topic", s.Name, "kind", string(s.Kind), "partitions", max(1, s.Partitions))
			return nil
		}
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = verifyTopic(ctx, c, adm, s)
		} else {
			err = fmt.Errorf("create: %w", err)
		}
		tooFew := errors.Is(err, kerr.InvalidReplicationFactor) && time.Since(began) < brokersJoin
		if errors.Is(err, ErrWrongPolicy) || !inMotion(err) && !tooFew {
			return err
		}
		if now := time.Now(); now.Sub(began) > quietAtFirst && now.Sub(said) >= repeatLogEvery {
			said = now
			c.logger().Warn("topic cannot be made or verified now; retrying", "topic", s.Name, "err", err)
		}
		if pauseErr := pause(ctx, leadersEvery); pauseErr != nil {
			return errors.Join(err, pauseErr)
		}
	}
}

// How long a cluster may be too small for the copies of a topic: at its start,
// brokers come one after the other. And what nobody needs to read of.
const (
	brokersJoin  = 30 * time.Second
	quietAtFirst = time.Second
)

// verifyTopic compares a topic that exists with what its kind needs. A log
// without any cleanup (Kafka 4 allows an empty policy) loses nothing and passes.
func verifyTopic(ctx context.Context, c Config, adm *kadm.Client, s TopicSpec) error {
	described, err := adm.DescribeTopicConfigs(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	resource, err := described.On(s.Name, nil)
	if err == nil {
		err = resource.Err
	}
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	// Kafka's defaults, which the embedded log does not spell out.
	has, clock := "delete", createTime
	for _, config := range resource.Configs {
		switch {
		case config.Value == nil:
		case config.Key == "cleanup.policy":
			has = strings.ReplaceAll(*config.Value, " ", "")
		case config.Key == timestampType:
			clock = *config.Value
		}
	}
	if s.AppendTime && clock != appendTime {
		c.logger().Warn("topic keeps the timestamps of its producers, so that a wrong clock of theirs is believed",
			"topic", s.Name, "has", timestampType+"="+clock, "should_have", timestampType+"="+appendTime,
			"change_with", fmt.Sprintf("kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s",
				c.Brokers[0], s.Name, timestampType, appendTime))
	}
	if has == s.policy() || s.Kind == feed.Log && has == "" {
		return nil
	}
	return fmt.Errorf("%w: it has cleanup.policy=%s and as a %s topic needs %s; "+
		"set it with kafka-configs --alter --entity-type topics --entity-name %s --add-config cleanup.policy=%s, or delete the topic",
		ErrWrongPolicy, has, s.Kind, s.policy(), s.Name, s.policy())
}

// leadersEvery is how often a cluster in motion is asked.
const leadersEvery = 50 * time.Millisecond

// awaitLeaders waits until each topic can be written to: brokers answer the
// creation before all of them know of it.
func awaitLeaders(ctx context.Context, adm *kadm.Client, specs []TopicSpec) error {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	for {
		missing := ""
		topics, err := adm.ListTopics(ctx, names...)
		for _, name := range names {
			if err == nil && !usable(topics[name]) {
				missing = name
			}
		}
		if err == nil && missing == "" {
			return nil
		}
		if pauseErr := pause(ctx, leadersEvery); pauseErr != nil {
			return errors.Join(fmt.Errorf("wait for a leader of topic %s: %w", missing, pauseErr), err)
		}
	}
}

func usable(t kadm.TopicDetail) bool {
	if t.Err != nil || len(t.Partitions) == 0 {
		return false
	}
	for _, p := range t.Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return true
}
