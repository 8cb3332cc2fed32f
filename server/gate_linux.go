package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"livemap/hub"
)

// deferSeconds is for how long the kernel keeps a connection to itself that has
// not sent anything.
const deferSeconds = 1

// gate is the public listener where there are shards. When a rush of clients
// comes, most of what net/http does for each is for nothing: it allocates
// buffers, starts two goroutines and makes the socket known to Go's poller, only
// to be told that the connection leaves it. So the gate takes connections from
// the kernel when their request is there, looks at it without taking it, and has
// usual requests for streams answered by the same handler, on the bare socket.
// All others net/http gets, untouched.
type gate struct {
	net.Listener
	server *Server

	file *os.File // the listening socket once more, for a goroutine to wait for
	raw  syscall.RawConn

	peeked [maxUsual + 1]byte // owned by who calls Accept
	work   sync.WaitGroup     // handlers of usual requests
}

// gate puts a gate before a listener; wait returns once its handlers are done.
// Where there are no shards, or connections speak TLS, it is the listener itself.
func (s *Server) gate(l net.Listener) (_ net.Listener, wait func(), err error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok || s.cert != nil || !s.hub.HasShards() {
		return l, func() {}, nil
	}
	g := &gate{Listener: l, server: s}
	if g.file, err = tcp.File(); err != nil {
		return nil, nil, fmt.Errorf("gate: %w", err)
	}
	if g.raw, err = g.file.SyscallConn(); err == nil {
		err = g.raw.Control(func(fd uintptr) {
			// What is set here every socket has that comes from it. A stream works
			// without, and slower.
			if err := errors.Join(s.hub.Tune(int(fd)), unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferSeconds)); err != nil {
				s.config.Logger.Warn("tune the public listener", "err", err)
			}
		})
	}
	if err != nil {
		g.file.Close()
		return nil, nil, fmt.Errorf("gate: %w", err)
	}
	return g, g.work.Wait, nil
}

// Accept implements net.Listener: it returns the connections that are net/http's.
func (g *gate) Accept() (net.Conn, error) {
	for {
		fd, from, err := g.accept()
		if err != nil {
			return nil, err
		}
		if g.take(fd, from) {
			continue
		}
		conn, err := connOf(fd)
		if err == nil {
			return conn, nil
		}
		// The last descriptor, perhaps. It is free again, and no reason to end.
		g.server.metrics.refusedConnections[refusedFull].Inc()
		g.server.config.Logger.Debug("accept a connection", "remote", from, "err", err)
	}
}

// accept waits for a connection.
func (g *gate) accept() (fd int, from netip.AddrPort, err error) {
	var peer unix.Sockaddr
	closed := g.raw.Read(func(l uintptr) bool {
		for {
			fd, peer, err = unix.Accept4(int(l), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != unix.EINTR && err != unix.ECONNABORTED {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case closed != nil:
		return -1, from, net.ErrClosed
	case err != nil: // of which net/http knows some to be temporary
		return -1, from, &net.OpError{Op: "accept", Net: "tcp", Addr: g.Addr(), Err: os.NewSyscallError("accept4", err)}
	}
	switch p := peer.(type) {
	case *unix.SockaddrInet4:
		from = netip.AddrPortFrom(netip.AddrFrom4(p.Addr), uint16(p.Port))
	case *unix.SockaddrInet6:
		from = netip.AddrPortFrom(netip.AddrFrom16(p.Addr).Unmap(), uint16(p.Port))
	}
	return fd, from, nil
}

// connOf makes a socket known to Go's poller. It is closed when that fails.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "client")
	defer f.Close()
	return net.FileConn(f)
}

// Close implements net.Listener.
func (g *gate) Close() error { return errors.Join(g.Listener.Close(), g.file.Close()) }

// take answers a usual request, or leaves the connection as it is.
func (g *gate) take(fd int, from netip.AddrPort) bool {
	if within(g.server.config.Balancers, from.Addr()) {
		return false // who it speaks for must come first
	}
	n, _, err := unix.Recvfrom(fd, g.peeked[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil || n <= 0 {
		return false
	}
	r := usualRequest(g.peeked[:n])
	if r == nil {
		return false
	}
	if k, err := unix.Read(fd, g.peeked[:n]); err != nil || k != n {
		unix.Close(fd) //nolint:errcheck // it is broken
		return true
	}
	r.RemoteAddr = from.String()
	a := &socketAnswer{answer: answer{header: make(http.Header, 8)}, fd: fd}
	if !g.server.connections.enterUsual() {
		// Here and now: with a goroutine for each they would use up the descriptors
		// that are kept back.
		g.server.shed(a, r, shedFull)
		a.end()
		return true
	}
	g.work.Go(func() {
		defer g.server.connections.leaveUsual()
		g.server.serveUsual(a, r)
	})
	return true
}

// serveUsual answers one request.
func (s *Server) serveUsual(a *socketAnswer, r *http.Request) {
	defer func() {
		if p := recover(); p != nil { // as in net/http, it is this client's only
			s.config.Logger.Error("panic while answering", "remote", r.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
			if a.fd >= 0 {
				unix.Close(a.fd) //nolint:errcheck // it is gone either way
			}
		}
	}()
	s.ServeHTTP(a, r)
	a.end()
}

// socketAnswer is an answer on a bare socket.
type socketAnswer struct {
	answer
	fd int // -1: the hub has it
}

// handOver gives the socket to the hub.
func (a *socketAnswer) handOver(client *hub.Client) {
	fd := a.fd
	a.fd = -1
	client.HandOverSocket(fd, streamHead(a.header))
}

// end sends what was answered, if it was, and closes the socket. A fresh socket
// takes an answer whole.
func (a *socketAnswer) end() {
	if a.fd < 0 {
		return
	}
	unix.Write(a.fd, a.bytes()) //nolint:errcheck // the client is gone: there is nobody to tell
	unix.Close(a.fd)            //nolint:errcheck // likewise
	a.fd = -1
}
