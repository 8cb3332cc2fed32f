// Command mercure serves events with Mercure's Go library: the local transport
// that keeps no history, everybody may subscribe, time limits and heartbeat as
// they come. The log says warnings only and metrics are off, which costs least.
// An update is dispatched as the hub's publish handler does it, less the form,
// the token and the HTTP request.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/dunglas/mercure"

	"livemap/bench/servers/internal/peer"
)

func main() {
	ctx := context.Background()
	transport := mercure.NewLocalTransport(mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize))
	hub, err := mercure.NewHub(ctx,
		mercure.WithAnonymous(),
		mercure.WithTransport(transport),
		mercure.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	peer.Run(hub, func(event []byte) error {
		return transport.Dispatch(ctx, &mercure.Update{Topics: []string{"bench"}, Event: mercure.Event{Data: string(event)}})
	})
}
