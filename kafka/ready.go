package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// readyEvery is how often WaitReady asks.
const readyEvery = time.Second

// WaitReady blocks until a broker answers, logging a warning at first and every
// 30 s. The error is that of ctx, or a broker's refusal that waiting would not
// change: a wrong password, a certificate that does not verify.
func WaitReady(ctx context.Context, c Config) error {
	cl, err := c.newClient(kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	addrs := strings.Join(c.Brokers, ",")
	var said time.Time
	for {
		attempt, cancel := context.WithTimeout(ctx, dialTimeout)
		_, err := kmsg.NewPtrMetadataRequest().RequestWith(attempt, cl)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for kafka %s: %w", addrs, ctx.Err())
		}
		if isRefused(err) {
			return fmt.Errorf("kafka %s: %w", addrs, err)
		}
		if now := time.Now(); now.Sub(said) >= repeatLogEvery {
			said = now
			c.logger().Warn(fmt.Sprintf("kafka %s does not answer; retrying every %s", addrs, readyEvery), "err", err)
		}
		if err := pause(ctx, readyEvery); err != nil {
			return fmt.Errorf("wait for kafka %s: %w", addrs, err)
		}
	}
}

// pause waits for d or the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// topicSpreads is how long brokers may say that a topic does not exist before
// that is believed: one may not have heard yet of what the controller just made.
const topicSpreads = 2 * time.Second

// requireTopic waits for a broker and returns ErrNoTopic if there is no such topic.
func (c Config) requireTopic(ctx context.Context, topic string) error {
	if err := WaitReady(ctx, c); err != nil {
		return err
	}
	cl, err := c.newClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	for began := time.Now(); ; {
		resp, err := req.RequestWith(ctx, cl)
		if err == nil && len(resp.Topics) == 1 {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, kerr.UnknownTopicOrPartition) && time.Since(began) >= topicSpreads:
			return ErrNoTopic
		case !inMotion(err):
			return err
		}
		if pauseErr := pause(ctx, leadersEvery); pauseErr != nil {
			return errors.Join(pauseErr, err)
		}
	}
}
