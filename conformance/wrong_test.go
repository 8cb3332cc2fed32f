package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// lax is a server that does everything wrong at once: it takes whatever ends with
// an empty line for a request, however long it takes to come and whatever it
// says, and answers what stands behind it as well.
type lax struct {
	answer   func(c net.Conn, head string) // nil: streaming
	most     int                           // connections, then it takes no more; 0: no limit
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // those that a stream is written to
}

const bareHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

func (s *lax) start(t *testing.T) string {
	t.Helper()
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.open = map[net.Conn]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	s.running.Go(func() {
		for n := 1; ; n++ {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() {
				defer c.Close()
				stop := context.AfterFunc(ctx, func() { c.Close() })
				defer stop()
				s.serve(c)
			})
			if n == s.most {
				s.listener.Close()
			}
		}
	})
	t.Cleanup(func() { cancel(); s.listener.Close(); s.running.Wait() })
	return "http://" + s.listener.Addr().String() + "/events"
}

func (s *lax) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			head.WriteString(line)
			if err != nil {
				return
			}
			if strings.Trim(line, "\r\n") == "" {
				break
			}
		}
		if s.answer != nil {
			s.answer(c, head.String())
			continue
		}
		s.running.Go(func() { streamTo(c, bareHead) })
	}
}

// streamTo writes a head and then an event every few milliseconds.
func streamTo(c net.Conn, head string) {
	if _, err := io.WriteString(c, head); err != nil {
		return
	}
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(c, "id: %d\ndata: %d\n\n", i, i); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// says is a server with one answer for everything.
func says(answer string) *lax {
	return &lax{answer: func(c net.Conn, _ string) { io.WriteString(c, answer) }}
}

// body is a server whose stream is always the same.
func body(stream string) *lax { return says(bareHead + stream) }

// unless is a server that answers requests that contain a text with something
// else than a stream.
func unless(text, answer string) *lax {
	return &lax{answer: func(c net.Conn, head string) {
		if strings.Contains(head, text) {
			io.WriteString(c, answer)
			return
		}
		streamTo(c, bareHead)
	}}
}

const (
	notModified = "HTTP/1.1 304 Not Modified\r\n\r\n"
	partial     = "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n0123456789"
	badRequest  = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
)

// reflect copies the origin into the answer.
func reflect(more string) *lax {
	return &lax{answer: func(c net.Conn, head string) {
		_, after, _ := strings.Cut(head, "Origin: ")
		origin, _, _ := strings.Cut(after, "\r\n")
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nAccess-Control-Allow-Origin: "+origin+"\r\n"+more+"\r\ndata: x\n\n")
	}}
}

// wrong has for each check a server that the check must not let pass.
func wrong() map[string]func(t *testing.T) Target {
	of := func(s *lax) func(*testing.T) Target {
		return func(t *testing.T) Target { return Target{URL: s.start(t)} }
	}
	all := map[string]func(*testing.T) Target{
		"head.type":        of(says("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\ndata: x\n\n")),
		"head.length":      of(says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 900\r\n\r\ndata: x\n\n")),
		"head.first":       of(body("")),
		"head.gzip":        of(says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")),
		"head.cors":        of(reflect("Access-Control-Allow-Credentials: true\r\n")),
		"head.vary":        of(reflect("")),
		"frame.utf8":       of(body("data: \xff\xfe\n\n")),
		"frame.bom":        of(body("data: a\n\n\ufeffdata: b\n\n")),
		"frame.ends":       of(body("data: a\rdata: b\n\n")),
		"frame.fields":     of(body("dada: a\n\n")),
		"frame.retry":      of(body("retry: 3s\n\n")),
		"frame.id":         of(body("id: a\x00b\ndata: x\n\n")),
		"frame.data":       of(body("event: ping\n\n")),
		"frame.chunks":     of(says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\nZZ\r\n")),
		"resume.id":        of(body("id: 1\ndata: x\n\n")),
		"method.trace":     of(&lax{answer: func(c net.Conn, head string) { io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"+head); c.Close() }}),
		"request.accept":   of(unless("Accept: */*", "HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n")),
		"request.match":    of(unless("If-None-Match", notModified)),
		"request.since":    of(unless("If-Modified-Since", notModified)),
		"request.range":    of(unless("Range", partial)),
		"request.ranges":   of(unless("Range", partial)),
		"request.upgrade":  of(unless("Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n")),
		"request.expect":   of(unless("Expect", "")),
		"request.absolute": of(unless("GET http", badRequest)),
		"request.http10":   of(says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n")),
		"hostile.body":     of(unless("Content-Length: 1000000", "")),
		"hostile.half":     of(&lax{most: 2}), // the first that closes its half is the last that is served
		"hostile.reset":    of(&lax{most: 50}),
		"hostile.alive":    of(&lax{most: 1}),
		"hostile.stalled":  lockstep,
	}
	for _, id := range []string{"unknown", "empty", "utf8", "long", "odd", "number"} {
		all["resume."+id] = of(unless("Last-Event-ID", badRequest))
	}
	// What a server without any care gets wrong.
	for _, c := range Checks() {
		group, _, _ := strings.Cut(c.ID, ".")
		if _, ok := all[c.ID]; !ok && group != "inject" {
			all[c.ID] = of(&lax{})
		}
	}
	for id, write := range map[string]func(data string) string{
		"lf": naive, "crlf": naive, "cr": naive, "event": naive, "crevent": naive, "id": naive, "lines": naive,
		"field": func(d string) string { return d + "\n\n" },
		"space": func(d string) string { return "data:" + d + "\n\n" },
		"colon": func(d string) string {
			if strings.HasPrefix(d, ":") {
				return d + "\n\n"
			}
			return naive(d)
		},
		"bom":        func(d string) string { return "data: " + strings.TrimPrefix(d, mark) + "\n\n" },
		"separators": func(d string) string { return "data: " + strings.ReplaceAll(d, "\u2028", "\ndata: ") + "\n\n" },
		"long":       func(d string) string { return "data: " + d[:min(len(d), 30<<10)] + "\n\n" },
	} {
		all["inject."+id] = func(t *testing.T) Target { return publishing(t, write) }
	}
	return all
}

// naive puts data behind "data: " as it is.
func naive(data string) string { return "data: " + data + "\n\n" }

// publishing is a server that writes what is published in some way.
func publishing(t *testing.T, write func(string) string) Target {
	s := &lax{}
	s.answer = func(c net.Conn, _ string) {
		io.WriteString(c, bareHead+"data: hello\n\n")
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
	}
	return Target{URL: s.start(t), Publish: func(_ context.Context, data []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.open {
			io.WriteString(c, write(string(data)))
		}
		return nil
	}}
}

// lockstep is a server that writes to one client after the other and waits for
// each.
func lockstep(t *testing.T) Target {
	target := publishing(t, naive)
	publish := target.Publish
	var waiting sync.WaitGroup
	t.Cleanup(waiting.Wait)
	target.Publish = func(ctx context.Context, data []byte) error {
		waiting.Go(func() { publish(ctx, []byte(strings.Repeat(string(data), 32))) }) //nolint:errcheck // it has none
		return nil
	}
	return target
}

// TestEachCheckFinds: each check fails with a server that gets it wrong.
func TestEachCheckFinds(t *testing.T) {
	servers := wrong()
	for _, c := range Checks() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			target := servers[c.ID](t)
			target.Wait, target.Patience = time.Second, time.Second
			results, err := Run(t.Context(), target, func(id string) bool { return id == c.ID })
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != 1 || results[0].Verdict != Fail {
				t.Errorf("%+v", results)
			}
		})
	}
	if len(servers) != len(Checks()) {
		t.Errorf("%d wrong servers for %d checks", len(servers), len(Checks()))
	}
}
