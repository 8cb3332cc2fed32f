package loadtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dial begins to connect without waiting. It returns the descriptor even when
// the connection is still on its way.
func dial(source netip.Addr, server netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if server.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if source.IsValid() {
		// Otherwise bind would take a port that is free for all servers, of which
		// there are far fewer than of those free for this one.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0)))
		}
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("bind %v: %w", source, err)
		}
	}
	if err := unix.Connect(fd, sockaddr(server)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, fmt.Errorf("connect %v: %w", server, err)
	}
	return fd, nil
}

// stampTimes has the kernel note when it receives what comes to a socket, for
// readStamped.
func stampTimes(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("receive times of a socket: %w", err)
	}
	return nil
}

// readStamped reads from a socket, and says when the kernel received the last
// byte that it read, in microseconds since the epoch; 0: the kernel did not note
// it, as for what came before it was asked to, or on a machine of 32 bits.
func readStamped(fd int, b []byte) (n int, at int64, err error) {
	var control [64]byte // more than a header and a time
	n, size, _, _, err := unix.Recvmsg(fd, b, control[:], 0)
	if err != nil || size == 0 {
		return n, 0, err
	}
	header, came, _, err := unix.ParseOneSocketControlMessage(control[:size])
	if err != nil || header.Level != unix.SOL_SOCKET || header.Type != unix.SCM_TIMESTAMPNS || len(came) < 16 {
		return n, 0, nil
	}
	seconds, nanos := binary.NativeEndian.Uint64(came), binary.NativeEndian.Uint64(came[8:])
	return n, int64(seconds)*1e6 + int64(nanos)/1000, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// hangUpHard makes the close of a socket reset the connection, so that thousands
// of clients that leave at once keep no ports in TIME_WAIT.
func hangUpHard(fd int) {
	// A socket that refuses this is closed all the same.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 0})
}

// failureOf says what an error of a socket counts as.
func failureOf(err error) *failure {
	f := &failure{count: Unreachable, err: err}
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		f.count = Refused
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		f.count = Reset
	case errors.Is(err, unix.ETIMEDOUT):
		f.count = TimedOut
	case errors.Is(err, unix.EADDRNOTAVAIL):
		f.err = fmt.Errorf("%w: no local port is left, or the address is not this machine's: use more source addresses", err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		f.err = fmt.Errorf("%w: raise the limit of open files (ulimit -n)", err)
	}
	return f
}

// checkDescriptors says whether n clients fit under the process's limit of open
// files. The limit is raised as far as the system permits without asking.
func checkDescriptors(n int) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	need := uint64(n + spareDescriptors)
	if l.Cur < need && l.Max >= need {
		l.Cur = need
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
			return fmt.Errorf("raise the limit of open files to %d: %w", need, err)
		}
	}
	if l.Cur < need {
		return fmt.Errorf("%w: connections %d: need %d open files, the limit is %d (hard limit %d): raise it with ulimit -n, or run several machines and add up their reports",
			ErrDescriptors, n, need, l.Cur, l.Max)
	}
	return nil
}
