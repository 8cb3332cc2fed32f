package loadtest

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKernelTime: the kernel's time is that of the arrival, however late it is
// read.
func TestKernelTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	local, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	remote, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	raw, err := local.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = stampTimes(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	for { // the kernel begins to note times a little after it is asked
		before := time.Now().UnixMicro()
		if _, err := remote.Write([]byte("event")); err != nil {
			t.Fatal(err)
		}
		n, at, late := 0, int64(0), int64(0)
		err := raw.Read(func(fd uintptr) bool {
			var pending [1]byte
			if _, _, err := unix.Recvfrom(int(fd), pending[:], unix.MSG_PEEK); err == unix.EAGAIN {
				return false
			}
			arrived := time.Now().UnixMicro()
			for late = arrived; late < arrived+1000; late = time.Now().UnixMicro() { //nolint:revive // until the time has moved on
			}
			n, at, err = readStamped(int(fd), b)
			late = arrived
			return true
		})
		if err != nil || n != len("event") {
			t.Fatal(n, err)
		}
		if at == 0 {
			continue
		}
		if at < before || at > late {
			t.Errorf("came at %d µs: it was sent at %d and there at %d", at, before, late)
		}
		return
	}
}
