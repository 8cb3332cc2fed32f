package proxyproto

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func wrapped(t *testing.T, from []netip.Prefix) (l net.Listener, refused *atomic.Int32) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused = new(atomic.Int32)
	l = Wrap(inner, from, func() { refused.Add(1) })
	t.Cleanup(func() { l.Close() })
	return l, refused
}

func dial(t *testing.T, l net.Listener, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestListener: a header names the client, whoever is silent before it holds
// nobody up, and what follows is left in the socket.
func TestListener(t *testing.T) {
	l, refused := wrapped(t, loopback)
	dial(t, l, "") // silent
	bad := dial(t, l, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	dial(t, l, "PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\nGET")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	socket, ok := Socket(c)
	if !ok || c.RemoteAddr().String() != "203.0.113.9:4711" || socket.RemoteAddr().String() == c.RemoteAddr().String() {
		t.Errorf("%v of %v", c.RemoteAddr(), c)
	}
	b := make([]byte, 3)
	if _, err := io.ReadFull(socket, b); err != nil || string(b) != "GET" {
		t.Errorf("%q %v", b, err)
	}
	bad.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := bad.Read(b); err == nil {
		t.Errorf("answered %q without a header", b[:n])
	}
	for deadline := time.Now().Add(30 * time.Second); refused.Load() != 1 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if refused.Load() != 1 {
		t.Errorf("%d refused", refused.Load())
	}
}

// TestHealthCheck: a balancer that speaks for itself keeps its address.
func TestHealthCheck(t *testing.T) {
	l, _ := wrapped(t, loopback)
	local := dial(t, l, "PROXY UNKNOWN\r\n")
	c, err := l.Accept()
	if err != nil || c.RemoteAddr().String() != local.LocalAddr().String() {
		t.Fatalf("%v %v", c, err)
	}
	c.Close()
}

// TestOthersAreAskedNothing: a header of somebody else is not one.
func TestOthersAreAskedNothing(t *testing.T) {
	l, _ := wrapped(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	dial(t, l, "PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "PROXY" || c.RemoteAddr().(*net.TCPAddr).IP.String() != "127.0.0.1" {
		t.Errorf("%q %v, %v", b, err, c.RemoteAddr())
	}
}

// TestPendingIsBounded: beyond the bound a new connection is closed, and Close
// ends those that wait.
func TestPendingIsBounded(t *testing.T) {
	l, refused := wrapped(t, loopback)
	for range maxPending + 10 {
		dial(t, l, "")
	}
	for deadline := time.Now().Add(30 * time.Second); refused.Load() < 10; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d refused", refused.Load())
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("a connection after Close")
	}
}
