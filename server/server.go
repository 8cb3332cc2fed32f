package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"livemap/feed"
	"livemap/hub"
	"livemap/kafka"
	"livemap/server/proxyproto"
	"livemap/web"
)

// ErrListen says that an address cannot be listened at: it is in use, or not
// ours. It is a matter of configuration.
var ErrListen = errors.New("cannot listen")

// drainGrace is how long, beyond the drain, answers under way may take.
const drainGrace = 2 * time.Second

// Server serves the topics of one Kafka cluster. It is made by New and run by
// Run, once.
type Server struct {
	// immutable
	config   Config
	topics   map[string]served
	hub      *hub.Hub
	page     *page
	ingest   *ingest
	history  *history
	tail     *kafka.Tail
	metrics  *metrics
	limits   *limits
	sessions *rates       // POST /v1/session
	cert     *certificate // nil: the public address speaks no TLS

	connections *connections

	serving atomic.Bool // the public address answers and is not draining
}

// served is what the routes know of a topic.
type served struct {
	index       int
	kind        feed.Kind
	contentType string
}

// New returns a server, or all that is wrong with its configuration.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	past, err := newHistory(config)
	if err != nil {
		return nil, err
	}
	blueprint := config.hubConfig()
	blueprint.History = past
	h, err := hub.New(blueprint)
	if err != nil {
		return nil, err
	}
	s, err := newServer(config, h)
	if err != nil {
		return nil, err
	}
	s.history = past
	s.ingest, s.tail, err = newIngest(config, h, s.metrics)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newServer returns a server without a source of records.
func newServer(config Config, h *hub.Hub) (*Server, error) {
	s := &Server{config: config, hub: h, topics: map[string]served{}, metrics: newMetrics(), limits: newLimits(config.Limits), sessions: newRates(sessionsPerAddress)}
	s.connections = newConnections(s)
	for i, t := range h.Topics() {
		s.topics[t.Name] = served{index: i, kind: t.Kind, contentType: contentType(t.Format)}
	}
	files, policy := config.Page, config.PagePolicy
	if files == nil {
		files = web.Dist()
	}
	if policy == "" {
		policy = web.ContentSecurityPolicy
	}
	var err error
	s.page, err = newPage(files, policy, config.FrameAncestors, config.Branding)
	if err == nil && config.TLS.enabled() {
		s.cert, err = newCertificate(config.TLS, config.Logger)
	}
	return s, err
}

// contentType is how a bare value is labelled.
func contentType(f hub.Format) string {
	switch f {
	case hub.FormatJSON:
		return "application/json"
	case hub.FormatText:
		return "text/plain; charset=utf-8"
	default:
		return "application/octet-stream"
	}
}

// Run reads the topics, listens once it has them, and serves until ctx is done.
// Then it closes the public listener, ends the streams over the drain, and
// returns when everything it started is gone. The error is nil then; ErrListen
// when an address is taken.
func (s *Server) Run(ctx context.Context) error {
	defer s.history.kafka.Close()
	if err := s.probe(ctx); err != nil {
		return err
	}
	// What feeds the streams outlives ctx: a drain sends the newest first.
	feeding, stopFeeding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFeeding()
	group, failed := errgroup.WithContext(feeding)
	group.Go(func() error { return s.hub.Run(failed) })
	group.Go(func() error {
		if err := s.tail.Run(failed, s.ingest.handle); err != nil && failed.Err() == nil {
			return fmt.Errorf("reading topics: %w", err)
		}
		return nil
	})
	group.Go(func() error { s.ingest.say(failed); return nil })
	group.Go(func() error { return s.guard(failed) })
	if s.cert != nil {
		group.Go(func() error { s.cert.run(failed); return nil })
	}
	group.Go(func() error {
		defer stopFeeding()
		return s.serve(ctx, failed)
	})
	return group.Wait()
}

// probe finds out early whether the addresses can be had, without leaving them
// open: a pod that is not ready does not listen.
func (s *Server) probe(ctx context.Context) error {
	var errs []error
	for _, a := range []struct{ setting, address string }{{"listen", s.config.Listen}, {"admin-listen", s.config.AdminListen}} {
		if a.address == "off" {
			continue
		}
		l, err := listen(ctx, a.setting, a.address)
		if err == nil {
			err = l.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// listen listens for plain TCP at the address of a setting. Go would offer Multipath TCP; its sockets take
// more of the kernel's memory and know no TCP_USER_TIMEOUT.
func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", setting, ErrListen, err)
	}
	return l, nil
}

// serve runs both listeners until ctx is done or something failed.
func (s *Server) serve(ctx, failed context.Context) error {
	admin, err := s.listenAdmin(ctx)
	if err != nil {
		return err
	}
	group, broken := errgroup.WithContext(failed)
	if admin.listener != nil {
		group.Go(admin.serve)
	}
	group.Go(func() error {
		defer admin.close()
		select {
		case <-ctx.Done():
			return nil
		case <-broken.Done():
			return nil
		case <-s.ingest.ready:
		}
		if !s.awaitKeys(ctx, broken) {
			return nil
		}
		return s.servePublic(ctx, broken, admin.address())
	})
	return group.Wait()
}

// listener is an HTTP server on an address of its own.
type listener struct {
	listener net.Listener // nil: none
	http     *http.Server
}

func (l *listener) serve() error {
	serve := l.http.Serve
	if l.http.TLSConfig != nil {
		serve = func(n net.Listener) error { return l.http.ServeTLS(n, "", "") }
	}
	if err := serve(l.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", l.listener.Addr(), err)
	}
	return nil
}

func (l *listener) address() net.Addr {
	if l.listener == nil {
		return nil
	}
	return l.listener.Addr()
}

// close ends the listener and its connections at once.
func (l *listener) close() {
	if l.listener != nil {
		l.http.Close() //nolint:errcheck // what cannot be closed is closed already
	}
}

// listenAdmin opens the admin address, if there is one.
func (s *Server) listenAdmin(ctx context.Context) (*listener, error) {
	if s.config.AdminListen == "off" {
		return &listener{}, nil
	}
	l, err := listen(ctx, "admin-listen", s.config.AdminListen)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	for _, c := range s.Collectors() {
		if err := registry.Register(c); err != nil {
			l.Close()
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return &listener{l, s.httpServer(s.Admin(registry))}, nil
}

// httpServer returns a server with our limits. It has no WriteTimeout: one for
// the whole server would end every stream.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
}

// public returns the listener of the public address.
func (s *Server) public(l net.Listener) *listener {
	if len(s.config.Balancers) > 0 {
		l = proxyproto.Wrap(l, s.config.Balancers, s.metrics.refusedConnections[refusedHeader].Inc)
	}
	h := s.httpServer(s)
	h.ConnState = s.connections.state
	if s.cert != nil {
		h.TLSConfig = s.cert.config()
	}
	return &listener{l, h}
}

// servePublic listens, serves until ctx is done or something else broke, and
// drains.
func (s *Server) servePublic(ctx, broken context.Context, admin net.Addr) error {
	l, err := listen(ctx, "listen", s.config.Listen)
	if err != nil {
		return err
	}
	behind, wait, err := s.gate(l)
	if err != nil {
		l.Close()
		return err
	}
	defer wait()
	public := s.public(behind)
	served := make(chan error, 1)
	go func() { served <- public.serve() }()
	s.serving.Store(true)
	s.config.Logger.Info("serving", "address", l.Addr().String())
	if s.config.Listening != nil {
		s.config.Listening(l.Addr(), admin)
	}
	select {
	case <-ctx.Done():
	case <-broken.Done():
	case err := <-served:
		return err
	}
	s.serving.Store(false)
	s.drain(public)
	return <-served
}

// drain closes the listener and ends the streams over the drain. Streams that
// were taken over are the hub's: Shutdown does not know them.
func (s *Server) drain(public *listener) {
	window := max(s.config.Drain, 0)
	s.config.Logger.Info("draining", "clients", s.hub.Clients(), "window", window)
	late, cancel := context.WithTimeout(context.Background(), window+drainGrace)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := public.http.Shutdown(late); err != nil {
			public.close()
		}
	}()
	s.hub.Drain(late, window)
	<-done
}
