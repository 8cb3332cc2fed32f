package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"livemap/auth"
	"livemap/hub"
	"livemap/server/proxyproto"
)

// events answers GET /v1/events.
func (s *Server) events(w http.ResponseWriter, r *http.Request, permit *auth.Permit) {
	if !accepts(r, "text", "event-stream") {
		refuse(http.StatusNotAcceptable, "this is text/event-stream, which Accept does not allow").write(w)
		return
	}
	q, bad := eventsQuery(r)
	if bad != nil {
		bad.write(w)
		return
	}
	keys, ok := s.allowed(w, r, permit, q)
	if !ok {
		return
	}
	if r.Method == http.MethodHead {
		streamHeader(w.Header())
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusOK)
		return
	}
	permission, refused := s.limits.enter(s.clientOf(r), permit)
	if refused != "" {
		s.shed(w, r, refused)
		return
	}
	sub := s.subscription(q, keys, permit)
	sub.Permission = permission
	client, err := s.join(w, r, q, &sub)
	if client == nil {
		if permission != nil {
			permission.Left()
		}
		if err != nil {
			s.notJoined(w, r, err)
		}
		return
	}
	if permit.Revoked() { // while the client joined; from here on the recheck knows it, before it did not
		client.Reject()
		s.deny(w, r, auth.Revocation())
		return
	}
	if sub.Span.Over() {
		s.sendSpan(w, r, client)
		return
	}
	s.stream(w, r, client)
}

// join admits a client, once the time that it asks for is found. It returns
// neither where the request was answered.
func (s *Server) join(w http.ResponseWriter, r *http.Request, q query, sub *hub.Subscription) (*hub.Client, error) {
	now := time.Now()
	over := !q.until.IsZero() && !q.until.After(now)
	if !over {
		sub.Until = q.until
	}
	if over || !q.since.IsZero() {
		until := q.until
		if !over {
			until = time.Time{}
		}
		var err error
		if sub.Span, err = s.hub.Locate(r.Context(), q.topics, q.lastID, q.since, until); err != nil {
			return nil, err
		}
		if over && s.answered(w, r, q, sub, now) {
			return nil, nil
		}
	}
	return s.hub.Join(*sub)
}

// allowed checks what a request names against the permit, and then whether the
// topics exist: the other way round, outsiders would learn which there are. It
// returns the effective key set, or false where the request was answered.
func (s *Server) allowed(w http.ResponseWriter, r *http.Request, permit *auth.Permit, q query) (auth.Patterns, bool) {
	keys, err := permit.Allow(q.topics, q.keys)
	if err == nil && keys.Empty() {
		err = &auth.Refusal{Problem: auth.ProblemGrant, Detail: "the token permits no key"}
	}
	if err != nil {
		s.deny(w, r, err)
		return auth.Patterns{}, false
	}
	for _, t := range q.topics {
		if _, ok := s.topics[t]; !ok {
			refuse(http.StatusBadRequest, "there is no topic "+strconv.QuoteToASCII(t)+"; /v1/topics lists them").write(w)
			return auth.Patterns{}, false
		}
	}
	return keys, true
}

// streamHeader sets the header of a stream.
func streamHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
}

// notJoined answers a client that the hub did not admit.
func (s *Server) notJoined(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, hub.ErrDraining):
		s.shed(w, r, shedDrain)
	case errors.Is(err, hub.ErrFull):
		s.shed(w, r, shedFull)
	case errors.Is(err, hub.ErrHistory):
		s.config.Logger.Debug("look up the past", "err", err)
		s.shed(w, r, shedHistory)
	default:
		refuse(http.StatusBadRequest, "this cannot be asked for: too many keys or topics").write(w)
	}
}

// shed turns away a client that there is no place for. A browser's EventSource
// never comes back after an HTTP error, so a direct client is answered 200 and
// told when to; a proxy that we trust is answered 503 and tries the next pod.
func (s *Server) shed(w http.ResponseWriter, r *http.Request, reason shedReason) {
	s.metrics.sheds[reason].Inc()
	if s.trusted(r.RemoteAddr) {
		refuse(http.StatusServiceUnavailable, "this pod takes no more streams: "+string(reason.told())).write(w)
		return
	}
	retry := time.Second + rand.N(4*time.Second) // #nosec G404 -- spreads load, no secret
	b := hub.AppendGoodbye(nil, reason.told(), retry)
	streamHeader(w.Header())
	w.Header().Del("ETag")
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
	return s.isProxy(addr.Addr())
}

// stream hands a connection over to the hub. From net/http it takes HTTP/1
// connections whole, so that head and first event go out together and nothing
// frames what follows. A plain socket goes to a shard where there are shards, and
// stream returns at once: net/http's goroutine and buffers go with it. Of TLS
// the hub is driven from here until the stream is over; an HTTP/2 stream stays
// with net/http.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, client *hub.Client) {
	if socket, ok := w.(bareSocket); ok {
		socket.handOver(client)
		return
	}
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
	if buffered.Reader.Buffered() > 0 {
		// A request that was sent ahead would be read as the peer's next word.
		defer conn.Close()
		client.Reject()
		conn.Write(rawProblem(refuse(http.StatusBadRequest, "a stream takes the whole connection: send nothing after the request"))) //nolint:errcheck // closed either way
		return
	}
	if socket, ok := proxyproto.Socket(conn); ok && client.HandOver(socket, streamHead(w.Header())) {
		return
	}
	walk(conn, client, streamHead(w.Header()))
}

// bareSocket is a ResponseWriter of the gate: net/http has no part in it.
type bareSocket interface{ handOver(*hub.Client) }

// walk drives a connection that no shard takes.
func walk(conn net.Conn, client *hub.Client, head []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(conn)
		cancel()
	}()
	client.Serve(ctx, connSink{conn}, head)
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
// the body ends where the connection does. Of the fields set so far it takes
// those by which pages of other origins may read the stream.
func streamHead(set http.Header) []byte {
	b := []byte("HTTP/1.1 200 OK\r\n" +
		"Content-Type: text/event-stream\r\n" +
		"Cache-Control: no-cache, no-transform\r\n" +
		"X-Accel-Buffering: no\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"Referrer-Policy: no-referrer\r\n" +
		"Connection: close\r\n" +
		"Date: ")
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	for _, name := range corsHeaders {
		if v := set.Get(name); v != "" {
			b = append(b, "\r\n"+name+": "+v...)
		}
	}
	return append(b, "\r\n\r\n"...)
}

// rawProblem returns a whole answer for a connection that was taken over.
func rawProblem(p *problem) []byte {
	body := p.body()
	b := []byte("HTTP/1.1 " + strconv.Itoa(p.Status) + " " + p.Title + "\r\n" +
		"Content-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\nContent-Length: ")
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
