package poll

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unsentBytes bounds what the kernel takes of a stream before it has sent what
// it took earlier. A small send buffer would bound what is on its way as well,
// and with it the speed of a viewer far away; this does not.
const unsentBytes = 64 << 10

// Detach takes a connection's socket out of Go's own poller and closes conn.
// The descriptor that it returns is the only one left of the socket; it does
// not block and is its owner's to close. When it fails, conn is as it was.
func Detach(conn *net.TCPConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("detach: %w", err)
	}
	fd, dup := -1, error(nil)
	if err := raw.Control(func(old uintptr) {
		fd, dup = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, fmt.Errorf("detach: %w", err)
	}
	if dup != nil {
		return -1, fmt.Errorf("detach: duplicating the descriptor: %w", dup)
	}
	// Go removes the old descriptor from its poller when it closes it, and the
	// socket, which has another one now, stays open. It does not block: that is
	// a property of the socket, and Go had set it.
	conn.Close() //nolint:errcheck // the socket lives on whatever close says
	return fd, nil
}

// Tune prepares a stream's socket. A peer that acknowledges nothing for dead is
// given up by the kernel; dead must be longer than a live peer may refuse to
// read, because a closed window counts as well.
func Tune(fd int, dead time.Duration) error {
	return errors.Join(
		option(fd, unix.TCP_NODELAY, 1),
		option(fd, unix.TCP_NOTSENT_LOWAT, unsentBytes),
		option(fd, unix.TCP_USER_TIMEOUT, int(dead.Milliseconds())),
	)
}

func option(fd, name, value int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, name, value); err != nil {
		return fmt.Errorf("socket option %d of descriptor %d: %w", name, fd, err)
	}
	return nil
}

// Send is a list of byte slices in the form in which the kernel takes them. It
// is made once and sent to many.
type Send struct {
	iov   []unix.Iovec
	bytes int
	head  unix.Msghdr
}

// Reset empties the list, and keeps nothing alive.
func (s *Send) Reset() {
	clear(s.iov)
	s.iov, s.bytes = s.iov[:0], 0
}

// Add appends b, which must not change until it is sent.
func (s *Send) Add(b []byte) {
	if len(b) == 0 {
		return
	}
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	s.iov = append(s.iov, v)
	s.bytes += len(b)
}

// Bytes returns how much there is to send.
func (s *Send) Bytes() int { return s.bytes }

// sendFlags make a send take what the socket has room for.
const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// To sends what the socket takes at once and returns how much that was. A full
// socket is no error: it takes less, or nothing. x/sys has a call for this, but
// that makes a list anew, on the heap, for every client.
func (s *Send) To(fd int) (int, error) {
	if len(s.iov) == 0 {
		return 0, nil
	}
	return sent(s.to(fd))
}

// sent is what the kernel said of a send.
func sent(n int, errno syscall.Errno) (int, error) {
	switch errno {
	case 0:
		return n, nil
	case syscall.EAGAIN:
		return 0, nil
	default:
		return 0, fmt.Errorf("send: %w", errno)
	}
}

// to makes the call.
//
// The calls are raw: they do not wait, and telling Go's scheduler of each that it
// might would cost a twentieth of all that sending costs. One slice goes by
// sendto, which need not fetch a list first.
func (s *Send) to(fd int) (int, syscall.Errno) {
	for {
		var n uintptr
		var errno syscall.Errno
		if len(s.iov) == 1 {
			n, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(s.iov[0].Base)), uintptr(s.iov[0].Len), sendFlags, 0, 0)
		} else {
			n, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(s.message())), sendFlags)
		}
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// message is the list in the form for sendmsg.
func (s *Send) message() *unix.Msghdr {
	s.head.Iov = &s.iov[0]
	s.head.SetIovlen(len(s.iov))
	return &s.head
}

// Abandon has Close throw away what the socket has not sent, which the kernel
// would otherwise keep for a peer that does not take it.
func Abandon(fd int) {
	now := unix.Linger{Onoff: 1}
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &now) //nolint:errcheck // without it the kernel gives up later
}

// Close closes a socket. What was sent still goes out.
func Close(fd int) { unix.Close(fd) } //nolint:errcheck // the descriptor is gone whatever close says
