package nginx

import (
	"context"
	"net"
	"sync"
	"testing"
)

// accepting hands every connection to a function, in a goroutine of its own,
// until the test ends.
func accepting(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			running.Go(func() { defer c.Close(); handle(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// frozen is a pod that is stopped (SIGSTOP): the kernel takes connections for
// it, and nothing comes.
func frozen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// resets is a pod whose connections break once the request is there.
func resets(t *testing.T) string {
	return accepting(t, func(c net.Conn) {
		var b [1]byte
		c.Read(b[:])                  //nolint:errcheck // the answer is the same
		c.(*net.TCPConn).SetLinger(0) //nolint:errcheck // then it is closed in order, also an answer
	})
}

// dialWith says something on each connection before anything else.
func dialWith(first string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		_, err = c.Write([]byte(first))
		return c, err
	}
}
