package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"livemap/feed"
)

// Lapped says what a client of a log topic gets when the ring has left it
// behind.
type Lapped string

// The ways to treat a client that was left behind.
const (
	LappedGap     Lapped = "gap"      // a gap event; it goes on at the head
	LappedCatchUp Lapped = "catch_up" // all that it missed, as if it came back
)

// Format says how a record's value becomes the data of an event.
type Format string

// The formats of a value.
const (
	FormatJSON   Format = "json"   // as it is; inside an envelope as a JSON value
	FormatText   Format = "text"   // as it is; inside an envelope as a JSON string
	FormatBase64 Format = "base64" // as standard base64 with padding
)

// Topic is one topic that the hub serves.
type Topic struct {
	Name   string // also the name of its events
	Kind   feed.Kind
	Recent int           // log topics: records that a new client is sent
	MaxAge time.Duration // log topics: how far back a client can resume; 0: DefaultMaxAge
	Lapped Lapped        // log topics; empty: LappedGap
	Format Format        // empty: FormatJSON
}

// Defaults of a Config.
const (
	DefaultMaxAge       = 10 * time.Minute
	DefaultHeartbeat    = 15 * time.Second
	DefaultStallTimeout = 60 * time.Second
	DefaultMaxStreamAge = 10 * time.Minute
	DefaultMaxClients   = 20_000
	DefaultRingBytes    = 16 << 20
	DefaultRingsBytes   = 256 << 20
	DefaultJournalBytes = 32 << 20
	DefaultPrefixBytes  = 64 << 20
	DefaultHistoryBytes = 32 << 20
	DefaultBehindWait   = 5 * time.Second
	DefaultRetryMin     = time.Second
	DefaultRetryMax     = 4 * time.Second
)

// Limits that no setting changes.
const (
	MaxTopics        = 64
	MaxTopicName     = 249 // as Kafka
	MaxRings         = 64  // (topics, encoding) served at once; beyond: the join is refused
	MaxViews         = 16_384
	MaxViewKeys      = 1024    // keys and beginnings of keys; a token grants no more
	MaxKeysPerTopic  = 1 << 20 // keys of a state topic; beyond: Publish fails
	MaxTombstones    = 1 << 16 // deleted keys remembered per topic; beyond: the oldest is forgotten
	maxRecent        = 10_000
	drainRetry       = 250 * time.Millisecond // greatest pause asked of those who only have to move
	maxPartitions    = maxIDRaw               // an id holds no more
	maxWriteBytes    = 256 << 10              // one write of a walker
	maxWriteFrames   = 256                    // frames of one write of a keyed view
	maxPrefixReuse   = 256 << 10              // bytes of ring that a sharer of a prefix may have to read behind it
	idleRingLifetime = time.Minute
	maxShards        = 256
	maxRestBytes     = 16 << 10 // of a frame begun, kept for a full socket; beyond: it stays in the ring
	maxRestsBytes    = 8 << 20  // of those in all shards; beyond: likewise
)

// ReservedNames are the event names that no topic may have.
var ReservedNames = []string{"hello", "heartbeat", "gap", "delete", "goodbye", "message", "open", "error"}

// Config is the blueprint of a Hub. Zero values mean the defaults.
type Config struct {
	Topics []Topic
	Server string // what hello calls the server; empty: livemap

	Heartbeat    time.Duration // between two heartbeat events of a ring
	StallTimeout time.Duration // a client that accepts nothing for so long is closed
	MaxStreamAge time.Duration // of a connection, give or take a fifth; negative: no limit
	BehindWait   time.Duration // for the pod to reach a client's id
	RetryMin     time.Duration // a client is told a random pause between
	RetryMax     time.Duration // the two before it reconnects

	// Shards is the number of loops that drive sockets where there is epoll;
	// 0: one for each processor, negative: none, so that HandOver declines.
	Shards int
	// OneByOne makes shards send to each client with a call of its own even where
	// the kernel (by io_uring) takes many sends in one.
	OneByOne bool

	MaxClients   int
	RingBytes    int // of one ring
	RingsBytes   int // of all rings; beyond: unused ones and the oldest of the largest go
	JournalBytes int // of one log topic's records
	PrefixBytes  int // of all prefixes; a quarter is for those of at most a 256th
	HistoryBytes int // of what was read lately of the history, for those who come back next

	// History is read for clients that come back from before the journals; nil:
	// they are told of a gap.
	History History

	Logger *slog.Logger // nil: none
}

// withDefaults returns c with its zero values filled in.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&c.Heartbeat, DefaultHeartbeat)
	def(&c.StallTimeout, DefaultStallTimeout)
	def(&c.MaxStreamAge, DefaultMaxStreamAge)
	def(&c.BehindWait, DefaultBehindWait)
	def(&c.RetryMin, DefaultRetryMin)
	def(&c.RetryMax, max(DefaultRetryMax, c.RetryMin))
	num(&c.MaxClients, DefaultMaxClients)
	num(&c.RingBytes, DefaultRingBytes)
	num(&c.RingsBytes, max(DefaultRingsBytes, c.RingBytes))
	num(&c.JournalBytes, DefaultJournalBytes)
	num(&c.PrefixBytes, DefaultPrefixBytes)
	num(&c.HistoryBytes, DefaultHistoryBytes)
	if c.Server == "" {
		c.Server = "livemap"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Topics = slices.Clone(c.Topics)
	for i := range c.Topics {
		t := &c.Topics[i]
		def(&t.MaxAge, DefaultMaxAge)
		if t.Lapped == "" {
			t.Lapped = LappedGap
		}
		if t.Format == "" {
			t.Format = FormatJSON
		}
	}
	return c
}

// Validate reports all that is wrong with c, each with its setting, its value
// and what is allowed.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	positive := func(name string, d time.Duration) {
		if d < time.Millisecond {
			bad("%s %s: must be at least 1ms", name, d)
		}
	}
	positive("heartbeat", c.Heartbeat)
	positive("stall-timeout", c.StallTimeout)
	positive("behind-wait", c.BehindWait)
	positive("retry-min", c.RetryMin)
	if c.RetryMax < c.RetryMin {
		bad("retry-max %s: must not be below retry-min %s", c.RetryMax, c.RetryMin)
	}
	atLeast := func(name string, n, low int) {
		if n < low {
			bad("%s %d: must be at least %d", name, n, low)
		}
	}
	atLeast("max-clients", c.MaxClients, 1)
	if c.Shards > maxShards {
		bad("shards %d: must be at most %d", c.Shards, maxShards)
	}
	atLeast("ring-bytes", c.RingBytes, segmentBytes)
	atLeast("rings-bytes", c.RingsBytes, segmentBytes)
	atLeast("journal-bytes", c.JournalBytes, 1<<16)
	atLeast("prefix-bytes", c.PrefixBytes, 1<<16)
	atLeast("history-bytes", c.HistoryBytes, 1<<16)
	if n := len(c.Topics); n == 0 || n > MaxTopics {
		bad("topics: %d of them: must be 1 to %d", n, MaxTopics)
	}
	names, hashes := map[string]bool{}, map[uint32]string{}
	for _, t := range c.Topics {
		errs = append(errs, t.validate()...)
		if names[t.Name] {
			bad("topic %q: named twice", t.Name)
		} else if other, ok := hashes[hashName(t.Name)]; ok {
			bad("topic %q: its hash in ids is that of %q; rename one of them", t.Name, other)
		}
		names[t.Name], hashes[hashName(t.Name)] = true, t.Name
	}
	return errors.Join(errs...)
}

// validate reports what is wrong with one topic.
func (t Topic) validate() (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("topic %q: "+format, append([]any{t.Name}, args...)...))
	}
	if !validName(t.Name) {
		bad("name: must be 1 to %d of a-z A-Z 0-9 . _ -", MaxTopicName)
	}
	if slices.Contains(ReservedNames, t.Name) {
		bad("name: %s are reserved", strings.Join(ReservedNames, ", "))
	}
	if t.Kind != feed.State && t.Kind != feed.Log {
		bad("kind %q: must be state or log", t.Kind)
	}
	if t.Recent < 0 || t.Recent > maxRecent {
		bad("recent %d: must be 0 to %d", t.Recent, maxRecent)
	}
	if t.MaxAge < time.Second {
		bad("max_age %s: must be at least 1s", t.MaxAge)
	}
	if t.Lapped != LappedGap && t.Lapped != LappedCatchUp {
		bad("lapped %q: must be gap or catch_up", t.Lapped)
	}
	if t.Format != FormatJSON && t.Format != FormatText && t.Format != FormatBase64 {
		bad("format %q: must be json, text or base64", t.Format)
	}
	return errs
}

// validName says whether Kafka would take s as the name of a topic.
func validName(s string) bool {
	if s == "" || len(s) > MaxTopicName {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
