package hub

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"livemap/hub/internal/poll"
)

// shardCount returns how many shards n asks for.
func shardCount(n int) int {
	if n == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return max(n, 0)
}

// tcpSink is a connection that has not been handed over yet.
type tcpSink struct{ *net.TCPConn }

func (s tcpSink) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(s.TCPConn) }

// socket is a connection on its way into a shard.
type socket struct {
	conn *net.TCPConn // nil: fd is all there is
	fd   int          // -1: it is conn's
}

// known makes a bare socket known to Go's poller, for a client that has to wait.
func (s *socket) known() error {
	if s.conn != nil {
		return nil
	}
	f := os.NewFile(uintptr(s.fd), "client")
	defer f.Close() //nolint:errcheck // conn has its own descriptor
	s.fd = -1
	conn, err := net.FileConn(f)
	if err != nil {
		return err
	}
	s.conn = conn.(*net.TCPConn)
	return nil
}

// take takes the socket out of Go's poller, if it is there.
func (s *socket) take(dead time.Duration) (fd int, tune, err error) {
	if s.conn == nil {
		return s.fd, nil, nil
	}
	if fd, err = poll.Detach(s.conn); err == nil {
		tune = poll.Tune(fd, dead)
	}
	return fd, tune, err
}

func (s *socket) close() {
	switch {
	case s.conn != nil:
		s.conn.Close() //nolint:errcheck // it is closed either way
	case s.fd >= 0:
		poll.Close(s.fd)
	}
}

// deaf is the sink of a bare socket: nothing is sent before it is known or a
// shard's.
type deaf struct{}

func (deaf) WriteBuffers(*net.Buffers) (int64, error) { return 0, os.ErrClosed }
func (deaf) SetWriteDeadline(time.Time) error         { return nil }

// HasShards says whether the hub takes sockets.
func (h *Hub) HasShards() bool { return len(h.shards.all) > 0 }

// Tune sets of a listening socket what those need that come from it and are
// handed over.
func (h *Hub) Tune(fd int) error { return poll.Tune(fd, h.dead()) }

// dead is how long a peer may acknowledge nothing.
func (h *Hub) dead() time.Duration { return 2 * h.config.StallTimeout }

// HandOver gives the client's connection to a shard, which sends it opening and
// the stream, and closes it in the end. It returns as soon as the client's place
// is found; nothing of the caller's, and nothing of conn but the socket, is
// needed from then on. It takes the place of Serve, unless it returns false,
// having done nothing, where the hub has no shards.
func (c *Client) HandOver(conn *net.TCPConn, opening []byte) bool {
	if !c.hub.HasShards() {
		return false
	}
	c.handOver(&socket{conn, -1}, opening)
	return true
}

// HandOverSocket is HandOver for a socket that Go's poller does not know. It must
// not block and must have been accepted from one that was tuned. The hub must
// have shards.
func (c *Client) HandOverSocket(fd int, opening []byte) { c.handOver(&socket{nil, fd}, opening) }

func (c *Client) handOver(s *socket, opening []byte) {
	w := &walker{Client: c}
	w.reach(s)
	fd, err := w.admit(s, opening)
	if err != nil {
		if s.conn == nil && s.known() == nil {
			w.reach(s)
		}
		reason := w.goodbye(err)
		s.close()
		w.leave(reason)
		if c.over != nil {
			c.over(reason)
		}
		return
	}
	c.hub.clients.toShard(c, &arrival{
		fd: fd, view: c.view, permission: c.permission, opening: w.opener, prefix: w.prefix, next: c.cursor.next, id: w.lastID, over: c.over,
	}, c.hub.shards.all)
}

// reach has the walker write to a socket, as far as it is known.
func (w *walker) reach(s *socket) {
	w.sink = deaf{}
	if s.conn != nil {
		w.sink = tcpSink{s.conn}
	}
	w.hub.clients.mu.Lock()
	defer w.hub.clients.mu.Unlock()
	w.Client.sink = w.sink
}

// admit finds the client's place, which may take a while, and takes the socket
// out of its connection.
func (w *walker) admit(s *socket, opening []byte) (fd int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched := make(chan struct{})
	watch := sync.OnceFunc(func() { // only who has to wait is watched meanwhile
		if err := s.known(); err != nil {
			w.hub.config.Logger.Warn("a client that has to wait", "err", err)
			cancel()
			close(watched)
			return
		}
		w.reach(s)
		go func() {
			defer close(watched)
			var b [1]byte
			if _, err := s.conn.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
				cancel()
			}
		}()
	})
	waited := false
	w.idle = func() { waited = true; watch() }
	err = w.begin(ctx, opening)
	if waited {
		if s.conn != nil {
			s.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a closed connection ends the read as well
		}
		<-watched
	}
	w.idle = nil
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return -1, err
	}
	fd, tune, err := s.take(w.hub.dead())
	if err != nil {
		w.hub.config.Logger.Warn("take over a connection", "err", err)
		return -1, errNoPlace
	}
	if tune != nil {
		w.hub.config.Logger.Debug("tune a socket", "err", tune) // the stream works without
	}
	return fd, nil
}

// toShard moves a client to the shard with the fewest.
func (cs *clients) toShard(c *Client, a *arrival, all []*shard) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	s := all[0]
	for _, other := range all[1:] {
		if other.load < s.load {
			s = other
		}
	}
	s.load++
	cs.sharded++
	cs.handed++
	delete(cs.all, c)
	a.expires, a.reason = c.cursor.expires, c.cursor.reason
	if c.ending { // while it waited for its place
		a.ending, a.expires, a.reason = true, c.hub.clock.now(), reasonIndex(c.why.Load().(CloseReason))
	}
	s.post(func(m *mail) { m.arrivals = append(m.arrivals, *a) })
}

// leftShard counts a shard's client out.
func (cs *clients) leftShard(s *shard) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	s.load--
	cs.sharded--
	cs.gone.send()
}
