package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterID is what the embedded log calls itself to clients.
const clusterID = "livemap-embedded"

// Config of an embedded log.
type Config struct {
	// Listen is the address, host:port; port 0 picks a free one. Default
	// 127.0.0.1:9092.
	Listen string
	// AllowRemote permits a Listen address that is not loopback. There is no
	// authentication and no encryption.
	AllowRemote bool
	// DataDir holds the data; made if missing. Required.
	DataDir string
	// RetentionBytes bounds a partition of topics that set no retention.bytes of
	// their own. Default 1 GiB, negative: without bound.
	RetentionBytes int64
	// CleanEvery is how often old records are deleted and state topics are
	// compacted. Default 30 s.
	CleanEvery time.Duration
	// ReserveBytes is what is left free on the disk of DataDir: with less, producers
	// are held up. Default 64 MiB, negative: none.
	ReserveBytes int64
	// SyncWrites makes every write durable against loss of power before it is
	// acknowledged.
	SyncWrites bool
	// Logger. Default: discarded.
	Logger *slog.Logger
}

// Defaults of Config.
const (
	DefaultListen         = "127.0.0.1:9092"
	DefaultRetentionBytes = 1 << 30
	DefaultCleanEvery     = 30 * time.Second
	DefaultReserveBytes   = 64 << 20
)

// Validate reports all errors of the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("embedded log: no data directory"))
	}
	if c.CleanEvery < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("embedded log: clean every %s; allowed: 10ms or more", c.CleanEvery))
	}
	if c.RetentionBytes > 0 && c.RetentionBytes < minRetentionBytes {
		errs = append(errs, fmt.Errorf("embedded log: retention bytes %d; allowed: 0 (default), negative (no bound), or %d and more",
			c.RetentionBytes, minRetentionBytes))
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("embedded log: listen address %q; allowed: host:port", c.Listen))...)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		errs = append(errs, fmt.Errorf("embedded log: port %q; allowed: 0 to 65535", port))
	}
	if !c.AllowRemote && !isLoopback(host) {
		errs = append(errs, fmt.Errorf("embedded log: listen address %q is not loopback, and the log knows no passwords; allowed: 127.0.0.1, [::1], localhost", c.Listen))
	}
	return errors.Join(errs...)
}

// minRetentionBytes leaves room for some batches of the largest size.
const minRetentionBytes = 16 << 20

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.RetentionBytes == 0 {
		c.RetentionBytes = DefaultRetentionBytes
	}
	if c.ReserveBytes == 0 {
		c.ReserveBytes = DefaultReserveBytes
	}
	if c.CleanEvery == 0 {
		c.CleanEvery = DefaultCleanEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Broker is an embedded log that runs.
type Broker struct {
	cfg     Config
	addr    string
	lock    *dirLock
	journal *journal
	cluster *kfake.Cluster
	stamper *stamper
	stop    context.CancelFunc // of the cleaner
	cleaned chan struct{}      // closed when the cleaner has ended
}

// Open locks the data directory, listens, repairs what a crash has left, and
// loads what the directory holds; the log serves when Open returns. The errors
// a user meets name what to do: a directory in use says by whom, a busy port
// says which.
func Open(c Config) (*Broker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded log: data directory: %w", err)
	}
	lock, err := lockDir(c.DataDir)
	if err != nil {
		return nil, err
	}
	ln, err := listen(c.Listen)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	b := &Broker{cfg: c, lock: lock, addr: ln.Addr().String()}
	lock.describe(b.addr)
	if err := b.start(ln); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded log in %s: %w", c.DataDir, err), ln.Close(), lock.release())
	}
	return b, nil
}

// start brings up the cluster and the cleaner on a directory that is locked.
func (b *Broker) start(ln net.Listener) error {
	if err := repair(b.cfg.DataDir, b.cfg.Logger); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	if err := markOpen(b.cfg.DataDir); err != nil {
		return err
	}
	var err error
	if b.journal, err = openJournal(b.cfg.DataDir, b.cfg.Logger); err != nil {
		return err
	}
	serve := make(chan struct{})
	if b.cluster, err = kfake.NewCluster(b.options(ln, serve)...); err != nil {
		close(serve)
		return errors.Join(err, b.journal.close())
	}
	defer close(serve) // the control functions are in place
	if b.stamper, err = newStamper(b.cluster); err != nil {
		b.cluster.Close()
		return errors.Join(err, b.journal.close())
	}
	if b.cfg.ReserveBytes > 0 {
		room := &space{dir: b.cfg.DataDir, reserve: uint64(b.cfg.ReserveBytes), log: b.cfg.Logger, cluster: b.cluster, stamper: b.stamper}
		b.cluster.ControlKey(int16(kmsg.Produce), room.produce)
		b.cluster.ControlKey(int16(kmsg.EndTxn), room.transact)
		b.cluster.ControlKey(int16(kmsg.InitProducerID), room.transact)
	}
	b.cluster.ControlKey(int16(kmsg.Produce), b.stamper.see)
	b.cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		return b.journal.note(req)
	})
	b.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		boundByPartition(req.(*kmsg.FetchRequest))
		return nil, nil, false
	})
	cleaner, err := newCleaner(b)
	if err != nil {
		b.cluster.Close()
		return errors.Join(err, b.journal.close())
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.cleaned = stop, make(chan struct{})
	go func() {
		defer close(b.cleaned)
		cleaner.run(ctx)
	}()
	return nil
}

// never is an interval that does not come: kfake's own cleaner is switched off
// (see cleaner).
const never = 100 * 365 * 24 * time.Hour

// segmentBytes is the segment size of topics that set none.
const segmentBytes = 64 << 20

// options are kfake's. Nobody is let in before serve is closed.
func (b *Broker) options(ln net.Listener, serve <-chan struct{}) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DefaultNumPartitions(1),
		kfake.DataDir(b.cfg.DataDir),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guardedListener{ln, serve}, nil }),
		kfake.WithLogger(clusterLog{b.cfg.Logger}),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms": strconv.FormatInt(never.Milliseconds(), 10),
			"log.segment.bytes":      strconv.Itoa(segmentBytes),
		}),
	}
	if b.cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// listen explains the error that users meet most.
func listen(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("embedded log: %s is in use by another program; stop it or listen elsewhere", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded log: %w", err)
	}
	return ln, nil
}

// Addr is the address the log listens on, host:port.
func (b *Broker) Addr() string { return b.addr }

// Close stops serving, writes a snapshot that makes the next Open fast, and
// frees the directory. The error says what could not be written; the data is
// then as after a crash, which the next Open repairs.
func (b *Broker) Close() error {
	b.stop()
	<-b.cleaned
	b.cluster.Close()
	return errors.Join(b.journal.close(), markClosed(b.cfg.DataDir), b.lock.release())
}

// clusterLog passes on what kfake says, on one line. That something took
// milliseconds on a busy machine is no warning to anybody.
type clusterLog struct{ l *slog.Logger }

// Logf implements [kfake.Logger].
func (c clusterLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		if !strings.Contains(format, "slow") {
			to = slog.LevelWarn
		}
	}
	if c.l.Enabled(context.Background(), to) {
		c.l.Log(context.Background(), to, "embedded log: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
