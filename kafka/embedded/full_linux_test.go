package embedded_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka/embedded"
)

// inOwnMounts is set in the process whose mounts are its own.
const inOwnMounts = "LIVEMAP_TEST_OWN_MOUNTS"

// Sizes of the disk that runs full, and of its reserve.
const (
	diskBytes = "96m"
	reserve   = 16 << 20
)

// TestDiskFull fills the disk under a log that is written to, twice, and kills the
// log's process while it is full. Producers are held up and told of in the log's
// output; with room again they go on; nothing that was acknowledged is lost, and
// no transaction is there in part.
//
// The disk is a file system in memory, which only a process with mounts of its
// own may make.
func TestDiskFull(t *testing.T) {
	if os.Getenv(inOwnMounts) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
		cmd.Env = append(os.Environ(), inOwnMounts+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	disk := t.TempDir()
	if err := errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+diskBytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	dir := filepath.Join(disk, "log")
	p := startProcess(t, dir, "127.0.0.1:0", 50*time.Millisecond)
	c := p.config()
	ensure(t, c, "log", feed.Log, 2)
	create(t, c, "left", stateTopic)
	create(t, c, "right", stateTopic)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acknowledged, committed atomic.Int64
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	writers.Go(func() { writePlain(ctx, t, c, &acknowledged) })
	writers.Go(func() { writePairs(ctx, t, c, &committed) })
	goesOn := func(when string) {
		t.Helper()
		records, transactions := acknowledged.Load(), committed.Load()
		eventually(t, "writing goes on "+when, func() bool {
			return acknowledged.Load() > records+500 && committed.Load() > transactions+10
		})
	}
	goesOn("at first")
	for range 2 {
		p.said.Reset()
		ballast := fill(t, disk)
		eventually(t, "it is said that the disk is full", func() bool { return strings.Contains(p.said.String(), "the disk is nearly full") })
		held := acknowledged.Load()
		p.kill()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		p = startProcess(t, dir, p.addr, 50*time.Millisecond)
		goesOn("after a kill while it was full")
		if acknowledged.Load() <= held {
			t.Error("nothing was acknowledged")
		}

		p.said.Reset()
		ballast = fill(t, disk)
		eventually(t, "it is said that the disk is full", func() bool { return strings.Contains(p.said.String(), "the disk is nearly full") })
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		goesOn("with room again")
		if !strings.Contains(p.said.String(), "there is room on the disk again") {
			t.Error("it is not said that there is room again")
		}
	}
	cancel()
	writers.Wait()
	p.kill()
	b := open(t, embedded.Config{DataDir: dir, ReserveBytes: reserve})
	c = config(t, b.Addr())
	checkPlain(t, c, int(acknowledged.Load()))
	checkPairs(t, c, int(committed.Load()))
}

// fill writes a file that takes all that is left of a disk.
func fill(t *testing.T, disk string) (path string) {
	t.Helper()
	path = filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the disk is full
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return path
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
