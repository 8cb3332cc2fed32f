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
	"livemap/orders"
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

// HandOver gives the client's connection to a shard, which sends it opening and
// the stream, and closes it in the end. It returns as soon as the client's place
// is found; nothing of the caller's, and nothing of conn but the socket, is
// needed from then on. It takes the place of Serve, unless it returns false,
// having done nothing, where the hub has no shards.
func (c *Client) HandOver(conn *net.TCPConn, opening []byte) bool {
	h := c.hub
	if len(h.shards.all) == 0 {
		return false
	}
	h.clients.mu.Lock()
	c.sink = tcpSink{conn}
	h.clients.mu.Unlock()
	w := &walker{Client: c, sink: c.sink}
	fd, err := w.admit(conn, opening)
	if err != nil {
		reason := w.goodbye(err)
		conn.Close() //nolint:errcheck // it is closed either way
		w.leave(reason)
		if c.over != nil {
			c.over(reason)
		}
		return true
	}
	a := arrival{
		fd: fd, view: c.view, opening: w.opener, prefix: w.prefix, next: c.cursor.next, id: w.lastID,
		permission: c.permission, over: c.over,
	}
	h.clients.toShard(c, &a, h.shards.all)
	return true
}

// admit finds the client's place, which may take a while, and takes the socket
// out of its connection.
func (w *walker) admit(conn *net.TCPConn, opening []byte) (fd int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched := make(chan struct{})
	watch := sync.OnceFunc(func() { // only who has to wait is watched meanwhile
		go func() {
			defer close(watched)
			var b [1]byte
			if _, err := conn.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
				cancel()
			}
		}()
	})
	waited := false
	w.idle = func() { waited = true; watch() }
	err = w.begin(ctx, opening)
	if waited {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a closed connection ends the read as well
		<-watched
	}
	w.idle = nil
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return -1, err
	}
	if fd, err = poll.Detach(conn); err != nil {
		w.hub.config.Logger.Warn("take over a connection", "err", err)
		return -1, errNoPlace
	}
	if err := poll.Tune(fd, 2*w.hub.config.StallTimeout); err != nil {
		w.hub.config.Logger.Debug("tune a socket", "err", err) // the stream works without
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
		a.ending, a.expires, a.reason = true, orders.TimeOf(time.Now()), reasonIndex(c.why.Load().(CloseReason))
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
