package hub

import (
	"context"
	"net"
	"sync"
	"testing"
)

// pipe is a connection without a kernel: a Sink at one end, and at the other
// somebody who reads as fast as told to.
type pipe struct {
	net.Conn          // the hub's end
	peer     net.Conn // the client's
	ctx      context.Context
	hangUp   func() // the client goes away, and whoever watches the socket notices

	mu    sync.Mutex
	bytes []byte
	done  chan struct{}
}

// newPipe returns a pipe whose client reads everything at once.
func newPipe(t testing.TB) *pipe {
	p := newStalledPipe(t)
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		b := make([]byte, 64<<10)
		for {
			n, err := p.peer.Read(b)
			p.mu.Lock()
			p.bytes = append(p.bytes, b[:n]...)
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

// newStalledPipe returns a pipe whose client reads nothing by itself.
func newStalledPipe(testing.TB) *pipe {
	hub, peer := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	return &pipe{Conn: hub, peer: peer, ctx: ctx, hangUp: func() {
		cancel()
		peer.Close()
	}}
}

func (p *pipe) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(p.Conn) }

// taken returns what the client read since the last call.
func (p *pipe) taken() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := string(p.bytes)
	p.bytes = nil
	return s
}
