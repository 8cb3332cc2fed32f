// Package swarm is the clients of a measurement: thousands of SSE connections
// in one loop on one core, which count every event and take its latency. Start
// at [Run]; client.go is one connection, scan.go what it reads.
//
// It must cost far less than any server under test, so it has one buffer, no
// goroutine per client, and looks for the stamps of package event instead of
// parsing SSE. It shares no code with livemap: what it counts is an outsider's
// judgement.
package swarm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

const (
	// opening is how many connections may be on their way at once; a listener's
	// backlog holds at least as many.
	opening = 256
	// bufferBytes is read at once from a socket.
	bufferBytes = 256 << 10
	// maxLatency is the top of the histogram; what takes longer counts as this.
	maxLatency = 10 * time.Minute
	eventsOnce = 1024
	// stayAwake is for how long the swarm looks again and again, without sleeping,
	// after something came. Waking a process up costs the one who sends to it a
	// third of a send here, and whether each send must do so depends on which of
	// the two happens to be quicker at the moment. Over a network no server pays
	// for that.
	stayAwake = time.Millisecond
)

// Config says whom the swarm connects to.
type Config struct {
	Address netip.AddrPort
	Path    string // with query
	Clients int
	// Secret signs a token of its own for each client, which permits Topic; empty:
	// they show none.
	Secret []byte
	Topic  string
	// Spread: every client asks for the past from a time of its own, from Since on
	// over so many milliseconds; 0: none does.
	Since, Spread int64
}

// Commands that [Run] reads, one a line. It answers each with a Report as a line
// of JSON.
const (
	Look = "look" // where the swarm stands
	Mark = "mark" // the same, and latency, bytes and time begin anew
	Drop = "drop" // the same; then all connections are reset and come back with their last id
)

// Report is what the swarm has seen. Counts are totals since the start, all else
// is since the last Mark.
type Report struct {
	Connected int   `json:"connected"` // now
	Refused   int   `json:"refused"`   // connections that never got their 200
	Closed    int   `json:"closed"`    // streams that the server ended
	Events    int64 `json:"events"`
	Missing   int64 `json:"missing"` // numbers that a client never saw between two that it saw
	Again     int64 `json:"again"`   // events that a client saw before, or too late

	Newest  int64   `json:"newest"`  // highest number that any client saw
	Least   int64   `json:"least"`   // of the newest that each client that is served saw, the lowest
	Bytes   int64   `json:"bytes"`   // of bodies, as they came over the wire
	Seconds float64 `json:"seconds"` // since the last Mark

	// Latencies from the scheduled publication, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

type swarm struct {
	cfg     Config
	lastID  string // header field with the id to go on from; empty: none
	request []byte // the last that was made
	poll    int
	buffer  []byte
	clients []client
	tail    []byte // the end of the first client's stream
	opened  int    // clients whose connection was begun
	onWay   int    // of those, the ones that have no answer yet

	report  Report
	latency *hdrhistogram.Histogram
	marked  time.Time
}

// Run opens the connections and obeys commands from in, a descriptor of a pipe,
// until its end. Reports go to out.
func Run(cfg Config, in int, out io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(poll)
	s := &swarm{
		cfg:     cfg,
		poll:    poll,
		buffer:  make([]byte, bufferBytes),
		clients: make([]client, cfg.Clients),
		latency: hdrhistogram.New(1, maxLatency.Microseconds(), 3),
		marked:  time.Now(),
	}
	defer s.closeAll()
	if err := unix.SetNonblock(in, true); err != nil {
		return fmt.Errorf("commands: %w", err)
	}
	if err := s.watch(unix.EPOLL_CTL_ADD, in, commands, unix.EPOLLIN); err != nil {
		return err
	}
	return s.loop(in, bufio.NewWriter(out))
}

// commands stands in place of a client's index for the pipe of commands.
const commands = -1

func (s *swarm) loop(in int, out *bufio.Writer) error {
	ready := make([]unix.EpollEvent, eventsOnce)
	var came time.Time // when something came last
	for {
		for s.opened < len(s.clients) && s.onWay < opening {
			if s.opened++; s.clients[s.opened-1].state != unborn {
				continue // it never dropped
			}
			if err := s.open(s.opened - 1); err != nil {
				return err
			}
		}
		patience := -1
		if time.Since(came) < stayAwake {
			patience = 0
		}
		n, err := unix.EpollWait(s.poll, ready, patience)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("epoll wait: %w", err)
		}
		if n > 0 {
			came = time.Now()
		}
		for _, e := range ready[:n] {
			if e.Fd != commands {
				s.ready(&s.clients[e.Fd], e)
				continue
			}
			if more, err := s.obey(in, out); err != nil || !more {
				return err
			}
		}
	}
}

// obey answers the commands that have arrived. It reports false at their end.
func (s *swarm) obey(in int, out *bufio.Writer) (more bool, err error) {
	b := make([]byte, 256)
	n, err := unix.Read(in, b)
	if err == unix.EAGAIN || err == unix.EINTR {
		return true, nil
	}
	if err != nil || n == 0 {
		return false, err
	}
	for line := range bytes.Lines(b[:n]) {
		switch command := string(bytes.TrimSpace(line)); command {
		case Look, Mark, Drop:
			if err := json.NewEncoder(out).Encode(s.look()); err != nil {
				return false, err
			}
			switch command {
			case Mark:
				s.mark()
			case Drop:
				s.drop()
			}
		default:
			return false, fmt.Errorf("command %q: must be %s, %s or %s", command, Look, Mark, Drop)
		}
	}
	return true, out.Flush()
}

func (s *swarm) look() Report {
	r := s.report
	r.Seconds = time.Since(s.marked).Seconds()
	r.Least = s.least()
	if s.latency.TotalCount() > 0 {
		r.P50 = float64(s.latency.ValueAtPercentile(50)) / 1000
		r.P99 = float64(s.latency.ValueAtPercentile(99)) / 1000
		r.Max = float64(s.latency.Max()) / 1000
	}
	return r
}

func (s *swarm) least() int64 {
	least := s.report.Newest
	for i := range s.clients {
		if s.clients[i].state == streaming {
			least = min(least, s.clients[i].newest)
		}
	}
	return least
}

func (s *swarm) mark() {
	s.latency.Reset()
	s.report.Bytes = 0
	s.marked = time.Now()
}

func (s *swarm) watch(op, fd int, index int32, events uint32) error {
	if err := unix.EpollCtl(s.poll, op, fd, &unix.EpollEvent{Events: events, Fd: index}); err != nil {
		return fmt.Errorf("epoll control: %w", err)
	}
	return nil
}

func (s *swarm) closeAll() {
	for i := range s.clients {
		if c := &s.clients[i]; c.state != unborn && c.state != ended {
			s.end(c)
		}
	}
}
