package swarm

import (
	"bytes"
	"fmt"
	"time"
)

// maxWatched is how much of its stream the first client remembers: the newest
// event, and room for others.
const maxWatched = 4 << 10

// watched remembers the end of the first client's stream, for the id that is the
// newest when all drop. One is enough: all clients ask for the same, so they
// have the same ids.
func (s *swarm) watched(data []byte) {
	s.tail = append(s.tail, data...)
	if over := len(s.tail) - maxWatched; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
}

// lastID returns the id of the last event in a stream that is whole, nil if
// there is none.
func lastID(stream []byte) []byte {
	end := bytes.LastIndex(stream, []byte("\n\n"))
	if end < 0 {
		return nil
	}
	stream = append([]byte("\n"), stream[:end]...)
	begin := bytes.LastIndex(stream, []byte("\nid:"))
	if begin < 0 {
		return nil
	}
	id, _, _ := bytes.Cut(stream[begin+len("\nid:"):], []byte("\n"))
	return bytes.TrimSpace(id)
}

// drop resets all connections; the loop then opens them again. They come back
// with their id, and their numbers go on from where they were.
func (s *swarm) drop() {
	s.lastID = ""
	if id := lastID(s.tail); len(id) > 0 {
		s.lastID = fmt.Sprintf("Last-Event-ID: %s\r\n", id)
	}
	for i := range s.clients {
		c := &s.clients[i]
		if c.state == streaming {
			s.end(c)
			s.report.Closed--
			*c = client{newest: c.newest}
		}
	}
	s.opened = 0
}

// requestOf returns what client i asks, until the next call.
func (s *swarm) requestOf(i int32) []byte {
	past := ""
	if s.cfg.Spread > 0 { // scattered, so that neighbours in time do not come one after the other
		at := s.cfg.Since + int64(i)*7919%s.cfg.Spread
		past = "&since=" + time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	s.request = fmt.Appendf(s.request[:0], "GET %s%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s", s.cfg.Path, past, s.cfg.Address, s.lastID)
	if len(s.cfg.Secret) > 0 {
		s.request = fmt.Appendf(s.request, "Authorization: Bearer %s\r\n", token(s.cfg.Secret, fmt.Sprintf("client-%d", i), s.cfg.Topic, time.Now()))
	}
	s.request = append(s.request, "\r\n"...)
	return s.request
}
