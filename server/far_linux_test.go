package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A viewer far away: his packets take a tenth of a second each way, and megabytes
// are on their way to him at once.
const (
	farDelay   = 100 * time.Millisecond
	farHere    = "10.9.0.1"
	farThere   = "10.9.0.2"
	farRecords = 240
	farBytes   = 50_000 // of a record
	farChild   = "LIVEMAP_TEST_FAR"
)

// TestFarViewer: what is on its way is not bounded by what the hub lets wait in a
// socket, or a viewer 200 ms away would get 64 KiB in that time. The test runs
// itself in a network namespace of its own, where a TUN device delays every
// packet.
func TestFarViewer(t *testing.T) {
	if os.Getenv(farChild) != "" {
		farViewer(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFarViewer$", "-test.v")
	cmd.Env = append(os.Environ(), farChild+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit), strings.Contains(string(out), noLine):
		// Where that is not allowed the records must at least all arrive.
		t.Logf("without a delay: %v %s", err, out)
		farRecordsArrive(t, newSite(t, nil), nil)
	case err != nil || !strings.Contains(string(out), "PASS: TestFarViewer"):
		t.Fatalf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// noLine is what the test says in its namespace where it can have no device.
const noLine = "no TUN device"

func farViewer(t *testing.T) {
	line, err := newLine()
	if err != nil {
		t.Logf("%s: %v", noLine, err)
		return
	}
	defer line.close()
	farRecordsArrive(t, newSiteAt(t, farHere+":0", nil), line)
}

// farRecordsArrive publishes twelve megabytes at once to a viewer at the other
// end of the line.
func farRecordsArrive(t *testing.T, s *site, line *line) {
	if line != nil {
		s.address = strings.Replace(s.address, farHere, farThere, 1)
	}
	viewer := s.stream(eventsPath)
	value := strings.Repeat("x", farBytes)
	for i := range farRecords {
		s.put("events", int64(i), "a", fmt.Appendf(nil, `"%d %s"`, i, value))
	}
	for i := range farRecords {
		if got, want := viewer.next(), fmt.Sprintf(`events "%d `, i); !strings.HasPrefix(got, want) {
			t.Fatalf("got %.60q, want %s", got, want)
		}
	}
	viewer.Body.Close()
	if line == nil {
		return
	}
	t.Logf("at most %d KiB were on their way at once", line.most.Load()>>10)
	if line.most.Load() < 512<<10 {
		t.Error("too little is on its way at once")
	}
}

// line is a TUN device that sends every packet back after a while, sender and
// receiver exchanged: who connects to the address there is connected with who
// listens here.
type line struct {
	tun  *os.File
	work sync.WaitGroup
	most atomic.Int64 // bytes on their way at once
}

func newLine() (*line, error) {
	tun, err := openTUN("far0")
	if err != nil {
		return nil, err
	}
	l := &line{tun: tun}
	type packet struct {
		due  time.Time
		data []byte
	}
	queue := make(chan packet, 1<<16)
	var onWay atomic.Int64
	l.work.Go(func() {
		defer close(queue)
		for {
			b := make([]byte, 2048)
			n, err := tun.Read(b)
			if err != nil {
				return
			}
			if b = b[:n]; n >= 20 && b[0]>>4 == 4 { // IPv4: swap the addresses; no checksum changes with that
				from, to := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
				binary.BigEndian.PutUint32(b[12:], to)
				binary.BigEndian.PutUint32(b[16:], from)
				l.most.Store(max(l.most.Load(), onWay.Add(int64(n))))
				queue <- packet{time.Now().Add(farDelay), b}
			}
		}
	})
	l.work.Go(func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			tun.Write(p.data) //nolint:errcheck // a lost packet is sent again
			onWay.Add(-int64(len(p.data)))
		}
	})
	return l, nil
}

func (l *line) close() {
	l.tun.Close()
	l.work.Wait()
}

// openTUN makes a device with the address here, and a route to the one there.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("TUNSETIFF: %w", err)
	}
	if err := configure(name); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func configure(name string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	set := func(request uint, change func(*unix.Ifreq) error) error {
		ifr, err := unix.NewIfreq(name)
		if err == nil {
			err = change(ifr)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, request, ifr)
		}
		return err
	}
	address := func(a ...byte) func(*unix.Ifreq) error {
		return func(r *unix.Ifreq) error { return r.SetInet4Addr(net.IP(a).To4()) }
	}
	return errors.Join(
		set(unix.SIOCSIFADDR, address(10, 9, 0, 1)),
		set(unix.SIOCSIFNETMASK, address(255, 255, 255, 0)),
		set(unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(10_000); return nil }),
		set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }),
	)
}
