package swarm

import (
	"bytes"
	"fmt"
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
	header := ""
	if id := lastID(s.tail); len(id) > 0 {
		header = fmt.Sprintf("Last-Event-ID: %s\r\n", id)
	}
	s.request = s.requestWith(header)
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

func (s *swarm) requestWith(header string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n%s\r\n", s.cfg.Path, s.cfg.Address, header)
}
