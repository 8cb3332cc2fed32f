package poll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newQueue returns none where whoever runs the tests forbids io_uring: that it is
// said is all that can be tested then.
func newQueue(t *testing.T, size int) *Queue {
	t.Helper()
	q, err := NewQueue(size)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Log(err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func sendOf(parts ...string) *Send {
	s := new(Send)
	for _, p := range parts {
		s.Add([]byte(p))
	}
	return s
}

// TestQueueSendsAsToDoes: to sockets that take all, some, nothing, and to those that are
// gone, a queue and single calls come to the same, round after round.
func TestQueueSendsAsToDoes(t *testing.T) {
	q := newQueue(t, 8)
	if q == nil {
		return
	}
	large := strings.Repeat("x", 8<<20)
	for _, s := range []*Send{sendOf("one piece"), sendOf("in ", "three ", "pieces"), sendOf(large), sendOf(large, "end")} {
		for name, prepare := range map[string]func(fd int, peer *net.TCPConn){
			"open":         func(int, *net.TCPConn) {},
			"full":         func(fd int, _ *net.TCPConn) { fill(t, fd) },
			"reset":        func(_ int, peer *net.TCPConn) { peer.SetLinger(0); peer.Close() },
			"shut by ours": func(fd int, _ *net.TCPConn) { unix.Shutdown(fd, unix.SHUT_WR) },
		} {
			alone, _ := prepared(t, prepare)
			wantN, wantErr := s.To(alone)
			var fds []int
			for !q.Full() {
				fd, _ := prepared(t, prepare)
				fds = append(fds, fd)
				q.Add(fd, s)
			}
			if err := q.Send(); err != nil {
				t.Fatal(err)
			}
			for i := range fds {
				n, err := q.Result(i)
				// How much of what is too large a socket takes is the kernel's matter.
				if cut := 0 < wantN && wantN < s.Bytes(); cut && (n <= 0 || n >= s.Bytes()) || !cut && n != wantN || !errors.Is(err, errors.Unwrap(wantErr)) {
					t.Errorf("%s, %d bytes: %d, %v; a call of its own: %d, %v", name, s.Bytes(), n, err, wantN, wantErr)
				}
			}
			q.Empty()
		}
	}
}

func prepared(t *testing.T, prepare func(int, *net.TCPConn)) (int, *net.TCPConn) {
	t.Helper()
	fd, peer := pair(t)
	t.Cleanup(func() { Close(fd) })
	prepare(fd, peer)
	return fd, peer
}

// fill sends until the kernel takes nothing for a while.
func fill(t *testing.T, fd int) {
	t.Helper()
	s := sendOf(strings.Repeat("x", 1<<20))
	for quiet := 0; quiet < 3; {
		n, err := s.To(fd)
		if err != nil {
			t.Fatal(err)
		}
		quiet++
		if n > 0 {
			quiet = 0
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestQueueOrder: each socket gets what was added for it, and that in order, when the places of the
// queue are used again and again.
func TestQueueOrder(t *testing.T) {
	q := newQueue(t, 4)
	if q == nil {
		return
	}
	fds, peers := make([]int, 3), make([]*net.TCPConn, 3)
	for i := range fds {
		fds[i], peers[i] = pair(t)
	}
	want := make([]bytes.Buffer, len(fds))
	for round := range 50 {
		for k := range 1 + round%4 {
			i := (round + k) % len(fds)
			text := strings.Repeat(string(rune('a'+round%26)), 1+k)
			want[i].WriteString(text)
			q.Add(fds[i], sendOf(text))
		}
		if err := q.Send(); err != nil {
			t.Fatal(err)
		}
		q.Empty()
	}
	for i, fd := range fds {
		Close(fd)
		got, err := io.ReadAll(peers[i])
		if err != nil || !bytes.Equal(got, want[i].Bytes()) {
			t.Errorf("socket %d: %q, %v; want %q", i, got, err, want[i].Bytes())
		}
	}
}

// TestQueueFails: when io_uring fails, everything is sent all the same.
func TestQueueFails(t *testing.T) {
	q := newQueue(t, 4)
	if q == nil {
		return
	}
	ring := q.fd
	defer func() { q.fd = ring }()
	var err error
	if q.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil { // a descriptor, but no queue
		t.Fatal(err)
	}
	defer unix.Close(q.fd)
	fd, peer := pair(t)
	q.Add(fd, sendOf("a"))
	q.Add(fd, sendOf("b", "c"))
	q.Add(-1, sendOf("d"))
	if err := q.Send(); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("the error is %v", err)
	}
	for i, want := range []int{1, 2, 0} {
		if n, err := q.Result(i); n != want || (err != nil) != (i == 2) {
			t.Errorf("send %d: %d, %v", i, n, err)
		}
	}
	Close(fd)
	if got, err := io.ReadAll(peer); string(got) != "abc" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestQueueAllocations(t *testing.T) {
	q := newQueue(t, 4)
	if q == nil {
		return
	}
	fd, peer := pair(t)
	defer Close(fd)
	s, b := sendOf("wo", "rd"), make([]byte, 64)
	if got := testing.AllocsPerRun(100, func() {
		q.Add(fd, s)
		q.Add(fd, s)
		if err := q.Send(); err != nil {
			t.Fatal(err)
		}
		q.Empty()
		if n, err := io.ReadAtLeast(peer, b, 8); n != 8 || err != nil {
			t.Fatal(n, err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestNewQueueRefuses(t *testing.T) {
	if newQueue(t, 4) == nil {
		return
	}
	if _, err := NewQueue(1 << 20); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a million places: %v", err)
	}
}
