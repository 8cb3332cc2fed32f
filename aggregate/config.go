package aggregate

import (
	"errors"
	"fmt"
	"time"

	"livemap/orders"
)

// Limits that are no setting.
const (
	// windowSeconds is the length of a window.
	windowSeconds = 60
	// duplicateSpan is how far apart in event time two orders of one partition
	// with the same id still count as the same order.
	duplicateSpan = orders.Time(10_000)
	// futureSpan is how far at may be after the record's Kafka timestamp.
	futureSpan = orders.Time(60_000)
	// firstTime is 2000-01-01T00:00:00Z: an earlier at is dead.
	firstTime = orders.Time(946_684_800_000)
	// maxLateness bounds the closed panes and windows that are held for
	// corrections.
	maxLateness = time.Hour
	// MaxPartitions bounds the partitions of the orders topic: their positions
	// travel in one checkpoint record.
	MaxPartitions = 4096
)

// Defaults of [Config].
const (
	DefaultCurrency        = "USD"
	DefaultDisorder        = 2 * time.Second
	DefaultLateness        = time.Minute
	DefaultIdle            = 5 * time.Second
	DefaultEarlyInterval   = 250 * time.Millisecond
	DefaultTrendInterval   = 5 * time.Second
	DefaultMaxShopperPairs = 4_000_000
	DefaultMaxProductBytes = 256 << 20
)

// Config holds the settings of an [Aggregator]. The zero value of each field
// means its default; a Disorder, Lateness or Idle of exactly zero is asked for
// with a negative value.
type Config struct {
	// Currency is what sales are converted to, ISO 4217; default USD.
	Currency string
	// Rates are the exchange rates; nil: only orders in Currency are accepted.
	Rates *Rates
	// Disorder is how far a partition's orders may be out of order before they
	// become corrections; default 2 s, negative: none.
	Disorder time.Duration
	// Lateness is how far behind the watermark an order still corrects; default
	// 60 s, negative: none; at most one hour. Beyond: Late.
	Lateness time.Duration
	// Idle is how long a partition that is caught up must be silent before it
	// no longer holds the watermark back; default 5 s, negative: at once, with
	// the next Flush.
	Idle time.Duration
	// TotalSince is where the totals begin, a whole second; default: the epoch.
	TotalSince orders.Time
	// EarlyInterval is the least wall time between two early metrics records of
	// a scope; default 250 ms.
	EarlyInterval time.Duration
	// TrendInterval is the least wall time between two early trending records
	// of a scope; default 5 s.
	TrendInterval time.Duration
	// MaxShopperPairs is how many distinct (shopper, scope) pairs of one window
	// are counted exactly; default 4,000,000. A window beyond is estimated with
	// HyperLogLog.
	MaxShopperPairs int
	// MaxProductBytes bounds the memory of the products that trending counts
	// over an hour, names and all; default 256 MiB. A product in a scope takes 40
	// bytes for each minute in which it is sold and as much for the hour, and a
	// product 144 bytes and its name. Units beyond, and those beyond 131,072
	// (product, scope) pairs of one minute, are left out of trending and counted
	// in Stats.UnitsLeftOut.
	MaxProductBytes int64
}

// withDefaults fills in the defaults.
func (c Config) withDefaults() Config {
	if c.Currency == "" {
		c.Currency = DefaultCurrency
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Disorder, DefaultDisorder},
		{&c.Lateness, DefaultLateness},
		{&c.Idle, DefaultIdle},
		{&c.EarlyInterval, DefaultEarlyInterval},
		{&c.TrendInterval, DefaultTrendInterval},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	c.Disorder = max(c.Disorder, 0)
	c.Lateness = max(c.Lateness, 0)
	c.Idle = max(c.Idle, 0)
	if c.MaxShopperPairs == 0 {
		c.MaxShopperPairs = DefaultMaxShopperPairs
	}
	if c.MaxProductBytes == 0 {
		c.MaxProductBytes = DefaultMaxProductBytes
	}
	return c
}

// Validate reports every setting that cannot work, all together.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(setting string, value any, allowed string) {
		errs = append(errs, fmt.Errorf("%s is %v: %s", setting, value, allowed))
	}
	if !knownCurrency(c.Currency) {
		bad("currency", fmt.Sprintf("%q", c.Currency), "is not a currency of ISO 4217 with a minor unit, such as USD")
	}
	if c.Rates != nil && !c.Rates.Knows(c.Currency) {
		bad("currency", fmt.Sprintf("%q", c.Currency), "must be in the rates file")
	}
	if c.Disorder > time.Hour {
		bad("disorder", c.Disorder, "must be at most 1h")
	}
	if c.Lateness > maxLateness {
		bad("lateness", c.Lateness, "must be at most 1h")
	}
	if c.TotalSince%1000 != 0 || c.TotalSince < 0 {
		bad("total-since", c.TotalSince, "must be a whole second from 1970 on")
	}
	if c.EarlyInterval < 0 {
		bad("early interval", c.EarlyInterval, "must not be negative")
	}
	if c.TrendInterval < 0 {
		bad("trend interval", c.TrendInterval, "must not be negative")
	}
	if c.MaxShopperPairs < 0 {
		bad("max shopper pairs", c.MaxShopperPairs, "must not be negative")
	}
	if c.MaxProductBytes < 0 {
		bad("max product bytes", c.MaxProductBytes, "must not be negative")
	}
	return errors.Join(errs...)
}
