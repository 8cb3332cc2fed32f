package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// reservedDescriptors are kept back from the public address: for Kafka, the
// admin address, files that are read again. A pod whose clients have used up all
// descriptors could neither read nor be looked at.
const reservedDescriptors = 256

// connections counts what is open at the public address but not a stream: the
// hub counts those. It works by the states that net/http reports, not by
// wrapping the connections: a wrapped one could not be taken over as the socket
// that it is.
type connections struct {
	server *Server
	most   int // with the streams; 0: no limit

	mu    sync.Mutex
	usual int // requests that the gate answers
	open  map[net.Conn]netip.Prefix
	peers map[netip.Prefix]int
}

func newConnections(s *Server) *connections {
	c := &connections{server: s, most: s.config.Limits.Connections, open: map[net.Conn]netip.Prefix{}, peers: map[netip.Prefix]int{}}
	if c.most == 0 {
		if n := descriptors(); n > 2*reservedDescriptors {
			c.most = n - reservedDescriptors
		}
	}
	return c
}

// state is http.Server.ConnState. A connection beyond a limit is closed before
// anything is read from it.
func (c *connections) state(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !c.enter(conn) {
			conn.Close()
		}
	case http.StateHijacked, http.StateClosed:
		c.leave(conn)
	}
}

func (c *connections) enter(conn net.Conn) bool {
	streams := c.server.hub.Clients()
	var peer netip.Prefix
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && !c.server.isProxy(a.Addr()) {
		peer = network(a.Addr())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = peer
	c.peers[peer]++
	switch {
	case c.most > 0 && streams+c.usual+len(c.open) > c.most:
		c.server.metrics.refusedConnections[refusedFull].Inc()
		return false
	case peer.IsValid() && c.server.config.Limits.PerAddress > 0 && c.peers[peer] > c.server.config.Limits.PerAddress:
		c.server.metrics.refusedConnections[refusedAddress].Inc()
		return false
	}
	return true
}

// enterUsual counts a request in that the gate has read; false: there are too
// many connections.
func (c *connections) enterUsual() bool {
	streams := c.server.hub.Clients()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most > 0 && streams+c.usual+len(c.open) >= c.most {
		return false
	}
	c.usual++
	return true
}

func (c *connections) leaveUsual() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.usual--
}

func (c *connections) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if peer, ok := c.open[conn]; ok {
		delete(c.open, conn)
		countOut(c.peers, peer)
	}
}

// count returns how many connections are open without being a stream.
func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usual + len(c.open)
}

// refusedConnection is why a connection was closed unread.
type refusedConnection string

// The reasons.
const (
	refusedFull    refusedConnection = "overload"
	refusedAddress refusedConnection = "address"
	refusedHeader  refusedConnection = "proxy_header" // a balancer's, without a valid one
)
