// Command accept is what taking a client over from net/http costs at the least:
// it accepts, reads and parses the request, hijacks the connection, sends the
// head of a stream, and lets the handler end. It keeps the connection and never
// looks at it again: no events.
package main

import (
	"net"
	"net/http"
	"sync"

	"livemap/bench/servers/internal/peer"
)

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"

// taken keeps the connections from the garbage collector, which would close
// them.
type taken struct {
	mu    sync.Mutex
	conns []net.Conn
}

// ServeHTTP takes a connection over.
func (t *taken) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := conn.Write([]byte(head)); err != nil {
		conn.Close()
		return
	}
	t.mu.Lock()
	t.conns = append(t.conns, conn)
	t.mu.Unlock()
}

func main() {
	peer.Run(&taken{}, func([]byte) error { return nil })
}
