package poll

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// wakeToken is that of the poller's own eventfd.
const wakeToken = 1<<64 - 1

// MaxToken is the greatest token that Add takes.
const MaxToken = wakeToken - 1

// batchEvents is how many events one Wait takes from the kernel.
const batchEvents = 512

// Event says what has become of a descriptor.
type Event struct {
	Token    uint64
	Gone     bool // close it
	Writable bool // a send that was cut short may go on
}

// Poller waits for many descriptors.
type Poller struct {
	// owned by the goroutine that waits
	epoll  int
	raw    []unix.EpollEvent
	events []Event

	woken atomic.Bool // a wake is on its way

	mu   sync.Mutex // guards wake against its close
	wake int        // eventfd; -1 once closed
}

// New returns a poller that watches nothing yet.
func New() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &Poller{
		epoll: epoll, wake: wake,
		raw: make([]unix.EpollEvent, batchEvents), events: make([]Event, 0, batchEvents),
	}
	// Edge-triggered, so that the counter need never be read back to zero.
	if err := p.add(wake, wakeToken, unix.EPOLLIN|unix.EPOLLET); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Add watches fd until it is closed.
func (p *Poller) Add(fd int, token uint64) error {
	return p.add(fd, token, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLOUT|unix.EPOLLET)
}

func (p *Poller) add(fd int, token uint64, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32))}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("epoll: watching descriptor %d: %w", fd, err)
	}
	return nil
}

// Wait returns what happened, waiting for at most timeout; none of it may be
// kept beyond the next call. It returns nothing after a wake or a timeout, and
// os.ErrClosed once the poller is closed.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	ms := (max(timeout, 0) + time.Millisecond - 1) / time.Millisecond
	n, err := unix.EpollWait(p.epoll, p.raw, int(ms))
	p.events = p.events[:0]
	switch {
	case errors.Is(err, unix.EINTR):
		return nil, nil
	case errors.Is(err, unix.EBADF):
		return nil, os.ErrClosed
	case err != nil:
		return nil, fmt.Errorf("epoll: waiting: %w", err)
	}
	for _, e := range p.raw[:n] {
		token := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
		if token == wakeToken {
			p.woken.Store(false)
			continue
		}
		p.events = append(p.events, Event{
			Token:    token,
			Gone:     e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			Writable: e.Events&unix.EPOLLOUT != 0,
		})
	}
	return p.events, nil
}

// Wake ends the current wait or the next one. Only the first of many costs a
// system call.
func (p *Poller) Wake() {
	if p.woken.Swap(true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake >= 0 {
		one := [8]byte{1}                 // any number above zero, in either byte order
		_, _ = unix.Write(p.wake, one[:]) // fails only when the counter is full, and then it has woken
	}
}

// Close gives up the poller's own descriptors. The one who waits must be done.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake < 0 {
		return nil
	}
	err := errors.Join(unix.Close(p.epoll), unix.Close(p.wake))
	p.epoll, p.wake = -1, -1
	return err
}
