package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// floor is the least that a server can do: as many threads as there are cores,
// each of which sends to its share of the clients, one call a client and event,
// from the moment on at which the event is made. There is no Kafka before it and
// no id in its events; nobody is looked after. What a client waits for there it
// waits for at any server that sends to each client by itself.
type floor struct {
	listener *net.TCPListener
	senders  []*sender
}

// sender is a thread of the floor.
type sender struct {
	events  chan []byte
	mu      sync.Mutex
	clients []int // descriptors; guarded by mu
}

const floorHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

func openFloor() (*floor, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	f := &floor{listener: l}
	for range runtime.GOMAXPROCS(0) {
		f.senders = append(f.senders, &sender{events: make(chan []byte, 1)})
	}
	return f, nil
}

// run accepts clients and sends them an event every now and then, until ctx is
// done.
func (f *floor) run(ctx context.Context) error {
	accepted := make(chan error, 1)
	go func() { accepted <- f.accept() }()
	var threads sync.WaitGroup
	for _, s := range f.senders {
		threads.Go(s.run)
	}
	ticks := time.NewTicker(recordEvery)
	defer ticks.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-ticks.C:
			event := fmt.Appendf(nil, "event: %s\ndata: {\"topic\":%q,\"partition\":0,\"offset\":%d,\"at\":%q,\"key\":null,\"value\":%s}\n\n",
				topic, topic, n, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), value(n))
			for _, s := range f.senders {
				s.events <- event
			}
		}
	}
	for _, s := range f.senders {
		close(s.events)
	}
	threads.Wait()
	err := f.listener.Close()
	if got := <-accepted; !errors.Is(got, net.ErrClosed) {
		err = errors.Join(err, got)
	}
	return err
}

// accept answers whoever comes, one after the other.
func (f *floor) accept() error {
	for n := 0; ; n++ {
		conn, err := f.listener.AcceptTCP()
		if err != nil {
			return err
		}
		if err := f.senders[n%len(f.senders)].take(conn); err != nil {
			return err
		}
	}
}

// take answers a client's request and makes its socket the sender's.
func (s *sender) take(conn *net.TCPConn) error {
	defer conn.Close() //nolint:errcheck // the sender has a descriptor of its own
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(floorHead)); err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	fd, dup := -1, error(nil)
	if err := raw.Control(func(old uintptr) { fd, dup = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || dup != nil {
		return errors.Join(err, dup)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = append(s.clients, fd)
	return nil
}

// run sends until there are no more events. Clients are few and their sockets
// take whatever is sent to them; those that are gone are sent to in vain.
func (s *sender) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for event := range s.events {
		s.mu.Lock()
		for _, fd := range s.clients {
			_ = unix.Send(fd, event, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
		s.mu.Unlock()
	}
	for _, fd := range s.clients {
		_ = unix.Close(fd)
	}
}
