package loadtest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Pattern says how clients come and go once all are there.
type Pattern string

// The patterns.
const (
	Steady    Pattern = "steady"    // they stay
	Churn     Pattern = "churn"     // some leave at any time, and as many new ones come
	Reconnect Pattern = "reconnect" // all drop at once, and return with their last ids
)

// Limits of a Config.
const (
	MaxConnections = 1_000_000
	MaxDuration    = 7 * 24 * time.Hour
	maxLoops       = 256
	maxSources     = 4096
)

// spareDescriptors is how many descriptors are left to everything but clients.
const spareDescriptors = 64

// ErrDescriptors is the error of a run that needs more open files than this
// process may have.
var ErrDescriptors = errors.New("too many clients for this machine")

// Config describes a run. Zero values of the optional settings mean what their
// comments say.
type Config struct {
	URL         string        // of the stream, http only
	Connections int           // clients
	Ramp        time.Duration // over which they come; 0: all at once
	Duration    time.Duration // from the end of the ramp on
	Tokens      []string      // sent as "Authorization: Bearer", by the clients in turn; empty: none
	Slow        float64       // share of the clients that stop reading for SlowPause at a time, 0 to 1
	SlowPause   time.Duration // 0: 30 s
	SlowRead    time.Duration // how long they read in between; 0: 5 s

	Pattern    Pattern       // empty: Steady
	ChurnRate  float64       // share of the clients that leaves each second; 0: 0.01
	StormEvery time.Duration // of Reconnect; 0: 30 s
	Eager      bool          // return at once, instead of when the server's retry says

	Sources []netip.Addr // local addresses to connect from; empty: chosen, see [Sources]
	Loops   int          // event loops, each on one core; 0: one per core

	StateTopics    []string      // topics that owe only the latest record of each key
	Sequence       string        // integer field of the data that counts each topic's records; empty: none
	Time           string        // field of the data with the time of publication; empty: the envelope's, or emitted_at
	MaxEventBytes  int           // 0: 4 MiB
	ConnectTimeout time.Duration // from connecting to the head of the answer; 0: 10 s
	IdleTimeout    time.Duration // without a byte the connection counts as dead; 0: 60 s

	// Settle is how long after a client asked what was published has no part in the
	// latencies: while many come, each waits for the others' joins.
	Settle time.Duration

	// KernelTime takes what a client reads to have come when the kernel received
	// the last byte of it, instead of when the swarm got round to reading: a swarm
	// that is busy, or gives way to others, then measures the server and not itself.
	// As it need not hurry it reads 20 ms after something came, and leaves the cores
	// to a server on the same machine until then. The time is the system clock's,
	// and a step of it moves the latencies.
	KernelTime bool

	Find *Find // search for the server's limit; nil: none

	// Progress, if set, is called about once a second from one goroutine.
	Progress func(Snapshot)
	Logger   *slog.Logger // nil: discarded
}

// Find makes a run a search: connections grow level by level up to
// Config.Connections until a limit is exceeded.
type Find struct {
	Start       int           // connections of the first level; 0: a hundredth of all, at least 1
	Growth      float64       // from level to level; 0: 1.5
	Hold        time.Duration // how long each level is measured; 0: 10 s
	Settle      time.Duration // how long it is left alone before that; 0: 2 s
	P99         time.Duration // latency that is exceeded when 1 in 100 records takes longer; 0: 1 s
	LossPercent float64       // of the records owed, that may be lost or announced as missed
}

// Validate reports all that is wrong with c, each error naming the setting.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	between := func(name string, d, low, high time.Duration) {
		if d < low || d > high {
			bad("%s %v: must be between %v and %v", name, d, low, high)
		}
	}
	if err := checkURL(c.URL); err != nil {
		errs = append(errs, err)
	}
	if c.Connections < 1 || c.Connections > MaxConnections {
		bad("connections %d: must be between 1 and %d", c.Connections, MaxConnections)
	}
	between("ramp", c.Ramp, 0, 24*time.Hour)
	between("duration", c.Duration, time.Second, MaxDuration)
	between("settle", c.Settle, 0, MaxDuration)
	between("slow pause", c.SlowPause, 0, time.Hour)
	between("slow read", c.SlowRead, 0, time.Hour)
	between("storm every", c.StormEvery, 0, 24*time.Hour)
	between("connect timeout", c.ConnectTimeout, 0, time.Hour)
	between("idle timeout", c.IdleTimeout, 0, 24*time.Hour)
	if !(c.Slow >= 0 && c.Slow <= 1) {
		bad("slow %v: must be a share between 0%% and 100%%", c.Slow)
	}
	if !(c.ChurnRate >= 0 && c.ChurnRate <= 1) {
		bad("churn rate %v: must be a share between 0%% and 100%%", c.ChurnRate)
	}
	if !slices.Contains([]Pattern{"", Steady, Churn, Reconnect}, c.Pattern) {
		bad("pattern %q: must be %s, %s or %s", c.Pattern, Steady, Churn, Reconnect)
	}
	for i, token := range c.Tokens {
		if token == "" || strings.ContainsAny(token, "\r\n \t") {
			bad("token %d: must not be empty or contain spaces or line breaks", i+1)
			break
		}
	}
	if c.Loops < 0 || c.Loops > maxLoops {
		bad("loops %d: must be between 0 and %d", c.Loops, maxLoops)
	}
	if c.MaxEventBytes < 0 || c.MaxEventBytes > 64<<20 {
		bad("max event bytes %d: must be between 0 and %d", c.MaxEventBytes, 64<<20)
	}
	if len(c.Sources) > maxSources {
		bad("sources: %d addresses, at most %d", len(c.Sources), maxSources)
	}
	return errors.Join(append(errs, c.Find.validate(c.Connections))...)
}

func (f *Find) validate(connections int) error {
	if f == nil {
		return nil
	}
	var errs []error
	if f.Start < 0 || f.Start > connections {
		errs = append(errs, fmt.Errorf("find: start %d: must be between 1 and connections (%d)", f.Start, connections))
	}
	if f.Growth != 0 && !(f.Growth > 1.01 && f.Growth <= 10) {
		errs = append(errs, fmt.Errorf("find: growth %v: must be above 1.01 and at most 10", f.Growth))
	}
	if f.Hold < 0 || f.Settle < 0 || f.P99 < 0 || f.Hold > time.Hour || f.Settle > time.Hour || f.P99 > time.Hour {
		errs = append(errs, fmt.Errorf("find: hold %v, settle %v, p99 %v: must be between 0 and 1h", f.Hold, f.Settle, f.P99))
	}
	if !(f.LossPercent >= 0 && f.LossPercent < 100) {
		errs = append(errs, fmt.Errorf("find: loss %v%%: must be at least 0%% and below 100%%", f.LossPercent))
	}
	return errors.Join(errs...)
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("url: %w", err)
	case u.Scheme == "https":
		return errors.New("url: https is not supported: measure behind the proxy that ends TLS, or put one in front of the swarm")
	case u.Scheme != "http" || u.Hostname() == "":
		return fmt.Errorf("url %q: must look like http://HOST[:PORT]/v1/events?topics=…", s)
	case u.User != nil:
		return errors.New("url: user and password are not supported: use a token")
	}
	return nil
}

// withDefaults returns c with its zero values replaced.
func (c Config) withDefaults() Config {
	set(&c.SlowPause, 30*time.Second)
	set(&c.SlowRead, 5*time.Second)
	set(&c.Pattern, Steady)
	set(&c.ChurnRate, 0.01)
	set(&c.StormEvery, 30*time.Second)
	set(&c.MaxEventBytes, 4<<20)
	set(&c.ConnectTimeout, 10*time.Second)
	set(&c.IdleTimeout, time.Minute)
	set(&c.Loops, min(runtime.GOMAXPROCS(0), maxLoops, c.Connections))
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Find != nil {
		f := *c.Find
		set(&f.Start, max(c.Connections/100, 1))
		set(&f.Growth, 1.5)
		set(&f.Hold, 10*time.Second)
		set(&f.Settle, 2*time.Second)
		set(&f.P99, time.Second)
		c.Find = &f
	}
	return c
}

// set gives *v the default d if it is zero.
func set[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
