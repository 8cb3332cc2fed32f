package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"livemap/bench/event"
)

// maxHead bounds the head of an answer.
const maxHead = 8 << 10

// maxKept is what a client keeps of a stream between two reads: less than a
// stamp.
const maxKept = event.StampSize

type state uint8

const (
	unborn state = iota
	connecting
	waiting   // for the end of the answer's head
	streaming // reading the body
	ended
)

// client is one connection. It is small, and nothing of it is allocated while
// events flow.
type client struct {
	fd     int32
	state  state
	framed bool // the body is chunked
	kept   uint8
	chunks chunks
	newest int64         // number of the newest event, 0: none yet
	keep   [maxKept]byte // the beginning of a stamp, perhaps
	head   []byte        // until it is complete
}

// open begins the connection of client i.
func (s *swarm) open(i int) error {
	c := &s.clients[i]
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket of client %d: %w", i, err)
	}
	s.onWay++
	c.fd, c.state = int32(fd), connecting
	// A reset at the end leaves no port waiting, so that the next swarm finds
	// all of them free.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("linger of client %d: %w", i, err)
	}
	to := &unix.SockaddrInet4{Addr: s.cfg.Address.Addr().As4(), Port: int(s.cfg.Address.Port())}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		s.end(c)
		return nil
	}
	return s.watch(unix.EPOLL_CTL_ADD, fd, int32(i), unix.EPOLLOUT)
}

// ready handles what epoll says of a client.
func (s *swarm) ready(c *client, e unix.EpollEvent) {
	if c.state == connecting {
		if failed, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || failed != 0 {
			s.end(c)
			return
		}
		request := s.requestOf(e.Fd)
		if n, err := unix.Write(int(c.fd), request); err != nil || n < len(request) {
			s.end(c)
			return
		}
		c.state = waiting
		if s.watch(unix.EPOLL_CTL_MOD, int(c.fd), e.Fd, unix.EPOLLIN) != nil {
			s.end(c)
		}
		return
	}
	if c.state != ended {
		s.read(c)
	}
}

// read takes what a socket holds, once: with ten thousand sockets each has its
// turn, and epoll tells again of those that hold more.
func (s *swarm) read(c *client) {
	n, err := unix.Read(int(c.fd), s.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil || n == 0:
		s.end(c)
		return
	}
	b := s.buffer[:n]
	if c.state == waiting {
		if b, err = s.answer(c, b); err != nil {
			s.end(c)
			return
		}
	}
	if c.state == streaming && len(b) > 0 {
		s.report.Bytes += int64(len(b))
		if !s.body(c, b, time.Now().UnixMicro()) {
			s.end(c)
		}
	}
}

var (
	errHead   = errors.New("the head of the answer has no end")
	errStatus = errors.New("the answer is not 200")
	ok        = []byte(" 200 ")
	chunked   = []byte("transfer-encoding: chunked")
	blankLine = []byte("\r\n\r\n")
)

// answer reads the head. It returns what is behind it, in place of b.
func (s *swarm) answer(c *client, b []byte) (body []byte, err error) {
	c.head = append(c.head, b...)
	end := bytes.Index(c.head, blankLine)
	if end < 0 {
		if len(c.head) > maxHead {
			return nil, errHead
		}
		return nil, nil
	}
	head := c.head[:end+2]
	if line, _, _ := bytes.Cut(head, []byte("\r\n")); !bytes.Contains(line, ok) {
		return nil, errStatus
	}
	c.framed = bytes.Contains(bytes.ToLower(head), chunked)
	c.state = streaming
	s.onWay--
	s.report.Connected++
	behind := len(c.head) - end - len(blankLine)
	c.head = nil
	return b[len(b)-behind:], nil
}

// end closes a connection and says why it counts.
func (s *swarm) end(c *client) {
	switch c.state {
	case connecting, waiting:
		s.onWay--
		s.report.Refused++
	case streaming:
		s.report.Connected--
		s.report.Closed++
	}
	c.state, c.head = ended, nil
	unix.Close(int(c.fd))
}
