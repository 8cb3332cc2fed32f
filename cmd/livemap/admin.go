package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminOff is the address of no admin listener.
const adminOff = "off"

// serveAdmin serves /healthz, /metrics and /debug/pprof at address until ctx is done. That an
// address cannot be had is a matter of configuration.
func serveAdmin(ctx context.Context, address string, collectors ...prometheus.Collector) error {
	if address == adminOff {
		return nil
	}
	registry := prometheus.NewRegistry()
	for _, c := range collectors {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return usage(fmt.Errorf("admin-listen: %w", err))
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin-listen %s: %w", address, err)
	}
	return nil
}

// canListen reports why address cannot be listened at, before anything else is begun
// that would have to be undone.
func canListen(ctx context.Context, setting, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", setting, err))
	}
	return l.Close()
}
