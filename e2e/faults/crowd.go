package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"livemap/e2e/numbered"
	"livemap/kafka/kafkatest"
)

// Shape of the crowd.
const (
	sources = 8                // addresses that clients come from, so that ports suffice
	ramp    = 3_000            // clients a second that are started
	settle  = 90 * time.Second // for what is owed to arrive once nothing is broken any more
	// Every tenth client asks for certain keys, and for the aggregator's figures;
	// every tenth speaks TLS, every fiftieth stays away once for longer than retention keeps.
	keyedEach   = 10
	tlsEach     = 10
	sleeperEach = 50
)

// crowd is all clients.
type crowd struct {
	clients []*numbered.Client
	all     sync.WaitGroup
	stop    context.CancelFunc
}

// gather starts the clients of a run. The caller ends them with disperse.
func gather(ctx context.Context, sc *scene, s settings) *crowd {
	c := &crowd{}
	ctx, c.stop = context.WithCancel(ctx)
	for i := range s.clients {
		config := numbered.ClientConfig{
			Addr: sc.proxy.Addr, Source: fmt.Sprintf("127.0.0.%d", 2+i%sources), Path: "/v1/events?topics=numbers,board&envelope=1",
			Board: true, Every: s.each, MaxAge: maxAge, Seed: s.seed + uint64(i), //nolint:gosec // small
		}
		if i%keyedEach == 1 && sc.aggregated {
			config.Path, config.Board = keyedPath(), false
		}
		if i%tlsEach == 3 {
			config.Addr, config.TLS = sc.proxy.TLSAddr, &tls.Config{RootCAs: sc.proxy.Roots, ServerName: "127.0.0.1"}
		}
		if i%sleeperEach == 2 && s.naps() {
			config.Nap, config.NapAfter = 2*maxAge, s.length/4
		}
		client := numbered.NewClient(config)
		c.clients = append(c.clients, client)
		c.all.Go(func() {
			if sleep(ctx, time.Duration(i)*time.Second/ramp) == nil {
				client.Run(ctx)
			}
		})
	}
	return c
}

// keyedPath asks for the keys of the numbered topic by name, and for the world's
// figures.
func keyedPath() string {
	keys := "world"
	for i := range partitions {
		keys += "," + kafkatest.KeyOf(i, partitions)
	}
	return "/v1/events?topics=numbers,metrics&envelope=1&keys=" + url.QueryEscape(keys)
}

// await waits until every client answers yes.
func (c *crowd) await(ctx context.Context, within time.Duration, what string, is func(*numbered.Client) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		missing := 0
		for _, client := range c.clients {
			if !is(client) {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d clients %s after %s: %w", missing, len(c.clients), what, within, err)
		}
	}
}

// errTooFewReconnects: the run was too quiet to show anything.
var errTooFewReconnects = errors.New("not every client has reconnected often enough")

// hurry has clients cut their connections until each has come back so often.
func (c *crowd) hurry(ctx context.Context, reconnects int64, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		behind := 0
		for _, client := range c.clients {
			if client.Reconnects() < reconnects {
				behind++
				client.Hurry()
			}
		}
		if behind == 0 {
			return nil
		}
		if err := sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("%w: %d clients have not come back %d times: %w", errTooFewReconnects, behind, reconnects, err)
		}
	}
}

// disperse ends all clients and waits until they are gone.
func (c *crowd) disperse() {
	c.stop()
	c.all.Wait()
}
