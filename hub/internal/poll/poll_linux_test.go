package poll

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns a detached socket and its peer.
func pair(t *testing.T) (fd int, peer *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	if fd, err = Detach(conn); err != nil {
		t.Fatal(err)
	}
	if err := Tune(fd, time.Minute); err != nil {
		t.Fatal(err)
	}
	return fd, peer
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// wait returns the next events.
func wait(t *testing.T, p *Poller, timeout time.Duration) []Event {
	t.Helper()
	events, err := p.Wait(timeout)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(events)
}

func TestGone(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn) error{
		"close":      func(c *net.TCPConn) error { return c.Close() },
		"half close": func(c *net.TCPConn) error { return c.CloseWrite() },
		"reset":      func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
		"words":      func(c *net.TCPConn) error { _, err := c.Write([]byte("GET")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPoller(t)
			fd, peer := pair(t)
			defer Close(fd)
			if err := p.Add(fd, MaxToken); err != nil {
				t.Fatal(err)
			}
			if e := wait(t, p, 5*time.Second); !slices.Equal(e, []Event{{Token: MaxToken, Writable: true}}) {
				t.Fatalf("after Add: %v", e)
			}
			if e := wait(t, p, 0); len(e) > 0 {
				t.Fatalf("reported again: %v", e)
			}
			if err := leave(peer); err != nil {
				t.Fatal(err)
			}
			if e := wait(t, p, 5*time.Second); len(e) != 1 || !e[0].Gone {
				t.Errorf("got %v", e)
			}
		})
	}
}

// A socket that was full is reported once it takes more, and not before.
func TestWritable(t *testing.T) {
	p := newPoller(t)
	fd, peer := pair(t)
	defer Close(fd)
	if err := p.Add(fd, 7); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 5*time.Second)
	var s Send
	s.Add([]byte(strings.Repeat("x", 1<<20)))
	s.Add(nil)
	s.Add([]byte(strings.Repeat("y", 1<<20)))
	sent := 0
	for full := false; !full; { // the peer's kernel takes some, and with time more
		n, err := s.To(fd)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		full = n < s.Bytes() && len(wait(t, p, 50*time.Millisecond)) == 0
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		b := make([]byte, 64<<10)
		for got := 0; got < sent; {
			n, err := peer.Read(b)
			if err != nil {
				t.Error(err)
				return
			}
			got += n
		}
	})
	if e := wait(t, p, 5*time.Second); !slices.Equal(e, []Event{{Token: 7, Writable: true}}) {
		t.Errorf("got %v", e)
	}
	readers.Wait()
	peer.Close()
	wait(t, p, 5*time.Second)
	for range 2 { // the first may still be taken
		_, err := s.To(fd)
		if err != nil {
			return
		}
	}
	t.Error("sending to nobody is no error")
}

func TestWake(t *testing.T) {
	p := newPoller(t)
	p.Wake()
	p.Wake()
	if e := wait(t, p, time.Minute); len(e) > 0 {
		t.Errorf("woken with %v", e)
	}
	begin := time.Now()
	wait(t, p, 20*time.Millisecond)
	if time.Since(begin) < 20*time.Millisecond {
		t.Error("two calls woke twice")
	}
	go p.Wake()
	wait(t, p, time.Minute)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	p.Wake()
	if _, err := p.Wait(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("waiting after close: %v", err)
	}
}

// What goes to many clients is put together once: sending it allocates nothing.
func TestSendAllocations(t *testing.T) {
	fd, peer := pair(t)
	defer Close(fd)
	var s Send
	word := []byte("word")
	b := make([]byte, 64)
	if got := testing.AllocsPerRun(100, func() {
		s.Reset()
		s.Add(word)
		s.Add(word)
		if n, err := s.To(fd); n != 8 || err != nil {
			t.Fatal(n, err)
		}
		peer.Read(b)
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// What comes from a listener that is tuned is tuned.
func TestTuneListener(t *testing.T) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	l, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = Tune(int(fd), time.Minute) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	fd, _, err := unix.Accept(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	for option, want := range map[int]int{unix.TCP_NODELAY: 1, unix.TCP_NOTSENT_LOWAT: unsentBytes, unix.TCP_USER_TIMEOUT: 60_000} {
		if got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option); err != nil || got != want {
			t.Errorf("option %d is %d, %v; want %d", option, got, err, want)
		}
	}
}
