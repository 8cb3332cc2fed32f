package server

import (
	"net"
	"net/http"
	"time"
)

// connSink is a connection that was taken over from net/http. A batch goes out
// in one writev where the connection is a socket.
type connSink struct{ conn net.Conn }

func (s connSink) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(s.conn) }

func (s connSink) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// responseSink is a stream that stays with net/http: one of HTTP/2. There a
// deadline ends the stream when it passes, whether something is being written or
// not, so that it is taken back once a write is done.
type responseSink struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newResponseSink(w http.ResponseWriter) *responseSink {
	return &responseSink{w: w, rc: http.NewResponseController(w)}
}

func (s *responseSink) WriteBuffers(b *net.Buffers) (int64, error) {
	n, err := b.WriteTo(s.w)
	if err == nil {
		err = s.rc.Flush()
	}
	if err == nil {
		err = s.rc.SetWriteDeadline(time.Time{})
	}
	return n, err
}

func (s *responseSink) SetWriteDeadline(t time.Time) error { return s.rc.SetWriteDeadline(t) }
