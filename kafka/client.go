package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newClient returns a client for the cluster. It does not connect.
func (c Config) newClient(extra ...kgo.Opt) (*kgo.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	id := c.ClientID
	if id == "" {
		id = "livemap"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(id),
		kgo.DialTimeout(dialTimeout),
		kgo.RequestTimeoutOverhead(requestSlack),
		kgo.RetryTimeout(retryTimeout),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MaxDecompressBatchBytes(maxDecompressedBytes),
		kgo.DisableClientMetrics(),
		kgo.WithLogger(clientLog{c.logger()}),
	}
	security, err := c.securityOpts()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(append(opts, security...), extra...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return cl, nil
}

// clientLog passes on what the client library says, a level lower: its
// warnings are retries that this package reports in its own words.
type clientLog struct{ l *slog.Logger }

func (c clientLog) Level() kgo.LogLevel {
	if c.l.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelError
}

func (c clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	if level == kgo.LogLevelError {
		to = slog.LevelInfo
	}
	c.l.Log(context.Background(), to, "kafka client: "+msg, keyvals...)
}
