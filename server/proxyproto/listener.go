package proxyproto

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of connections whose header has not come yet.
const (
	// HeaderTimeout is how long a header may take. Balancers send it with the
	// first packet.
	HeaderTimeout = 5 * time.Second
	// maxPending is how many connections may wait for their header; beyond, new
	// ones of balancers are closed.
	maxPending = 128
)

// Wrap returns a listener whose connections from the given networks must begin
// with a header: they are handed out once it has been read, and have the client's
// address. Without a valid one they are closed and refused is called. Others are
// handed out as they come. Close also closes those that wait, and returns when
// all goroutines are gone. The inner listener must be one for TCP.
func Wrap(inner net.Listener, from []netip.Prefix, refused func()) net.Listener {
	l := &listener{
		Listener: inner, from: from, refused: refused,
		accepted: make(chan accepted), done: make(chan struct{}),
		slots: make(chan struct{}, maxPending), waiting: map[net.Conn]struct{}{},
	}
	l.running.Go(l.accept)
	return l
}

// Socket returns the socket that a connection is, or wraps. A header has been
// read from it, and not a byte more.
func Socket(c net.Conn) (*net.TCPConn, bool) {
	switch c := c.(type) {
	case *net.TCPConn:
		return c, true
	case *conn:
		return c.TCPConn, true
	}
	return nil, false
}

// conn is a socket with the address of whom the balancer speaks for.
type conn struct {
	*net.TCPConn
	client net.Addr
}

// RemoteAddr returns the client's address.
func (c *conn) RemoteAddr() net.Addr { return c.client }

type listener struct {
	net.Listener
	from     []netip.Prefix
	refused  func()
	accepted chan accepted
	slots    chan struct{} // one for each connection that waits for its header
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	done    chan struct{}
	waiting map[net.Conn]struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

// Accept returns the next connection that is ready.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close closes the listener and what waits for its header.
func (l *listener) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if first {
		close(l.done)
	}
	for c := range l.waiting {
		c.Close()
	}
	l.mu.Unlock()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// accept takes connections in until the inner listener is closed.
func (l *listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err == nil && l.expects(c) {
			l.receive(c)
			continue
		}
		if !l.hand(c, err) || errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// hand gives a connection or an error to Accept. It reports false when the
// listener was closed; then the connection is, too.
func (l *listener) hand(c net.Conn, err error) bool {
	select {
	case l.accepted <- accepted{c, err}:
		return true
	case <-l.done:
		if c != nil {
			c.Close()
		}
		return false
	}
}

func (l *listener) expects(c net.Conn) bool {
	peer, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := peer.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(l.from, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// receive waits for a header beside the loop, so that a balancer's silent
// connection holds nobody up.
func (l *listener) receive(c net.Conn) {
	select {
	case l.slots <- struct{}{}:
	default:
		l.refuse(c)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
		return
	}
	l.waiting[c] = struct{}{}
	l.running.Go(func() {
		ready, err := readFrom(c)
		l.mu.Lock()
		delete(l.waiting, c)
		closed := l.closed
		l.mu.Unlock()
		<-l.slots
		switch {
		case closed:
			c.Close()
		case err != nil:
			l.refuse(c)
		default:
			l.hand(ready, nil)
		}
	})
}

func (l *listener) refuse(c net.Conn) {
	c.Close()
	l.refused()
}

// readFrom reads the header of a connection and returns it with the client's
// address.
func readFrom(c net.Conn) (net.Conn, error) {
	socket, ok := c.(*net.TCPConn)
	if !ok {
		return nil, ErrHeader
	}
	if err := c.SetReadDeadline(time.Now().Add(HeaderTimeout)); err != nil {
		return nil, err
	}
	client, err := Read(c)
	if err != nil {
		return nil, err
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if !client.IsValid() {
		return c, nil
	}
	return &conn{socket, net.TCPAddrFromAddrPort(client)}, nil
}
