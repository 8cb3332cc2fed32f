package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handOver bounds how long Close waits for the last events.
const handOver = 10 * time.Second

// Open returns the target of an address:
//
//	tcp://HOST:PORT           a line for each event, for the peers written here
//	http://HOST:PORT/PATH     a POST for each event
//	kafka://HOST:PORT/TOPIC   a record for each event, in partition 0
func Open(ctx context.Context, address string) (Target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	switch u.Scheme {
	case "tcp":
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		return &lines{conn: conn}, nil
	case "http":
		return &posts{url: address, client: &http.Client{}}, nil
	case "kafka":
		return openKafka(u.Host, strings.Trim(u.Path, "/"))
	}
	return nil, fmt.Errorf("target %q: must begin with tcp, http or kafka", address)
}

type lines struct {
	conn net.Conn
	line []byte
}

func (l *lines) Publish(ctx context.Context, event []byte) error {
	l.line = append(append(l.line[:0], event...), '\n')
	_, err := l.conn.Write(l.line)
	return err
}

func (l *lines) Close() error { return l.conn.Close() }

type posts struct {
	url    string
	client *http.Client
}

func (p *posts) Publish(ctx context.Context, event []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(event))
	if err != nil {
		return err
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return errors.New(answer.Status)
	}
	return nil
}

func (p *posts) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// kafka produces as a service with an eye on latency would: every record goes
// at once, acknowledged by all replicas, and the next does not wait for that.
type kafka struct {
	client *kgo.Client
	topic  string
	failed chan error // the first failure
}

func openKafka(broker, topic string) (Target, error) {
	if topic == "" {
		return nil, errors.New("target: the address of Kafka must end in a topic")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return &kafka{client: client, topic: topic, failed: make(chan error, 1)}, nil
}

func (k *kafka) Publish(ctx context.Context, event []byte) error {
	select {
	case err := <-k.failed:
		return err
	default:
	}
	k.client.Produce(ctx, &kgo.Record{Topic: k.topic, Value: bytes.Clone(event)}, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case k.failed <- err:
			default: // one is enough
			}
		}
	})
	return nil
}

func (k *kafka) Close() error {
	defer k.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), handOver)
	defer cancel()
	err := k.client.Flush(ctx)
	select {
	case failed := <-k.failed:
		err = errors.Join(err, failed)
	default:
	}
	return err
}

// CreateTopic makes a topic of one partition, unless it is there.
func CreateTopic(ctx context.Context, broker, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	defer client.Close()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, 1
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Topics = append(r.Topics, wanted)
	answer, err := r.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for _, t := range answer.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}
