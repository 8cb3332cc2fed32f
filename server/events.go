package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"livemap/hub"
)

// events answers GET /v1/events.
func (s *Server) events(w http.ResponseWriter, r *http.Request, permit Permit) {
	if !accepts(r, "text", "event-stream") {
		refuse(http.StatusNotAcceptable, "this is text/event-stream, which Accept does not allow").write(w)
		return
	}
	q, bad := eventsQuery(r)
	if bad == nil {
		bad = s.allowed(permit, q)
	}
	if bad != nil {
		bad.write(w)
		return
	}
	if r.Method == http.MethodHead {
		streamHeader(w.Header())
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusOK)
		return
	}
	keys := q.keys
	if keys == nil {
		if keys = permit.Keys; slices.ContainsFunc(keys, wild) {
			refuse(http.StatusForbidden, "the permit has wildcards: name the keys").write(w)
			return
		}
	}
	client, err := s.hub.Join(hub.Subscription{
		Topics: q.topics, Keys: keys, Envelope: q.envelope, LastID: q.lastID, Expires: permit.Expires,
	})
	if err != nil {
		s.shed(w, r, err)
		return
	}
	s.stream(w, r, client)
}

// allowed checks a query against the permit, and whether the topics exist.
func (s *Server) allowed(permit Permit, q query) *problem {
	for _, t := range q.topics {
		if !permit.topic(t) {
			return refuse(http.StatusForbidden, "the topic "+strconv.QuoteToASCII(t)+" is not permitted")
		}
		if _, ok := s.topics[t]; !ok {
			return refuse(http.StatusBadRequest, "there is no topic "+strconv.QuoteToASCII(t)+"; /v1/topics lists them")
		}
	}
	for _, k := range q.keys {
		if !permit.key(k) {
			return refuse(http.StatusForbidden, "the key "+strconv.QuoteToASCII(k)+" is not permitted")
		}
	}
	return nil
}

// streamHeader sets the header of a stream.
func streamHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
}

// shed turns away a client that the hub has no place for. A browser's
// EventSource never comes back after an HTTP error, so a direct client is
// answered 200 and told when to; a proxy that we trust is answered 503 and
// tries the next pod.
func (s *Server) shed(w http.ResponseWriter, r *http.Request, err error) {
	reason := hub.CloseOverload
	switch {
	case errors.Is(err, hub.ErrDraining):
		reason = hub.CloseDrain
	case !errors.Is(err, hub.ErrFull):
		refuse(http.StatusBadRequest, "this cannot be asked for: too many keys or topics").write(w)
		return
	}
	s.metrics.shed(reason)
	if s.trusted(r.RemoteAddr) {
		refuse(http.StatusServiceUnavailable, "this pod takes no more streams: "+string(reason)).write(w)
		return
	}
	retry := time.Second + rand.N(4*time.Second)
	b := hub.AppendGoodbye(nil, reason, retry)
	streamHeader(w.Header())
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(http.StatusOK)
	w.Write(b) //nolint:errcheck // the client is gone: there is nobody to tell
}

// trusted says whether the peer is one of our own proxies.
func (s *Server) trusted(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range s.config.TrustedProxies {
		if p.Contains(addr.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// stream hands a connection over to the hub and returns when it is over. From
// net/http it takes HTTP/1 connections whole, so that head and first event go
// out together and nothing frames what follows; an HTTP/2 stream stays with
// net/http.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, client *hub.Client) {
	if r.ProtoMajor >= 2 {
		streamHeader(w.Header())
		w.WriteHeader(http.StatusOK)
		client.Serve(r.Context(), newResponseSink(w), nil)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		client.Reject()
		s.config.Logger.Error("take over connection", "err", err)
		refuse(http.StatusInternalServerError, "").write(w)
		return
	}
	defer conn.Close()
	if buffered.Reader.Buffered() > 0 {
		// A request that was sent ahead would be read as the peer's next word.
		client.Reject()
		conn.Write(rawProblem(refuse(http.StatusBadRequest, "a stream takes the whole connection: send nothing after the request"))) //nolint:errcheck // closed either way
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(conn)
		cancel()
	}()
	client.Serve(ctx, connSink{conn}, s.streamHead())
	conn.Close()
	<-watched
}

// watch returns when the peer closes its side, or sends what nobody asked for.
// A connection that is half closed is closed: no browser does that and goes on
// reading, but a proxy that lost its own client does.
func watch(conn net.Conn) {
	var b [1]byte
	conn.Read(b[:]) //nolint:errcheck // whatever comes, the stream ends
}

// streamHead returns the head of a stream. It is the same for HTTP/1.0 and 1.1:
// the body ends where the connection does.
func (s *Server) streamHead() []byte {
	b := []byte("HTTP/1.1 200 OK\r\n" +
		"Content-Type: text/event-stream\r\n" +
		"Cache-Control: no-cache, no-transform\r\n" +
		"X-Accel-Buffering: no\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"Referrer-Policy: no-referrer\r\n" +
		"Connection: close\r\n" +
		"Date: ")
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	return append(b, "\r\n\r\n"...)
}

// rawProblem returns a whole answer for a connection that was taken over.
func rawProblem(p *problem) []byte {
	body := p.body()
	b := []byte("HTTP/1.1 " + strconv.Itoa(p.Status) + " " + p.Title + "\r\n" +
		"Content-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ")
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
