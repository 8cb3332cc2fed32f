// Command centrifuge serves events with Centrifugo's Go library and its own SSE
// handler: a server-side subscription made when a client connects, no history,
// no presence. Messages that wait travel in one frame without a limit on their
// number, which is what its documentation offers for load; pings stay on, pongs
// are not asked for, because the swarm's clients do not talk.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"

	"livemap/bench/servers/internal/peer"
)

const channel = "bench"

// pingInterval is Centrifuge's default.
const pingInterval = 25 * time.Second

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		exit(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{},
			Subscriptions:      map[string]centrifuge.SubscribeOptions{channel: {}},
			MaxMessagesInFrame: -1,
		}, nil
	})
	if err := node.Run(); err != nil {
		exit(err)
	}
	streams := centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: pingInterval, PongTimeout: -1},
	})
	peer.Run(streams, func(event []byte) error {
		_, err := node.Publish(channel, bytes.Clone(event))
		return err
	})
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
