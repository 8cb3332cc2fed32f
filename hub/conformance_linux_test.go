package hub

import (
	"errors"
	"net"
	"testing"

	"livemap/hub/internal/poll"
)

func init() {
	drivers = append(drivers, driver{"shard", 2, serveShard, false}, driver{"shard of bare sockets", 2, serveBare, true})
	links["shard"] = linkShard
}

// serveShard hands the connection over and waits for what becomes of it.
func serveShard(c *Client, conn *net.TCPConn, head []byte) CloseReason {
	return <-handOver(c, conn, head)
}

// serveBare does so with a socket that Go's poller no longer knows.
func serveBare(c *Client, conn *net.TCPConn, head []byte) CloseReason {
	ended := make(chan CloseReason, 1)
	c.over = func(r CloseReason) { ended <- r }
	fd, err := poll.Detach(conn)
	if err != nil {
		panic(err)
	}
	c.HandOverSocket(fd, head)
	return <-ended
}

func handOver(c *Client, conn *net.TCPConn, head []byte) <-chan CloseReason {
	ended := make(chan CloseReason, 1)
	c.over = func(r CloseReason) { ended <- r }
	if !c.HandOver(conn, head) {
		panic("the hub has no shards")
	}
	return ended
}

// linkShard connects a client through sockets with little room, so that frames
// are cut anywhere.
func linkShard(t *testing.T, c *Client) (net.Conn, func(), <-chan CloseReason) {
	hub, peer := socketPair(t, 16<<10)
	return peer, func() { peer.Close() }, handOver(c, hub, nil)
}

// socketPair returns both ends of a connection with buffers of about n bytes.
func socketPair(t testing.TB, n int) (hub, peer *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	if hub, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(hub.SetWriteBuffer(n), peer.SetReadBuffer(n)); err != nil {
		t.Fatal(err)
	}
	return hub, peer
}
