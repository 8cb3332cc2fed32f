//go:build unix

package embedded

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockName is the file whose lock stands for the data directory. It stays when
// the log is closed: only the lock on it counts, which the kernel drops when
// the process ends, however it ends.
const lockName = "livemap.lock"

// dirLock is a locked data directory.
type dirLock struct{ f *os.File }

// lockDir takes the lock, or says who has it.
func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded log: lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := holder(f)
		_ = f.Close() // opened to read only
		return nil, fmt.Errorf("embedded log: data directory %s is in use by %s; stop it or choose another directory", dir, holder)
	}
	return &dirLock{f}, nil
}

// holder returns what the owner of the lock wrote about itself.
func holder(f *os.File) string {
	const most = 200
	b, err := io.ReadAll(io.LimitReader(f, most))
	if text := strings.TrimSpace(string(b)); err == nil && text != "" {
		return text
	}
	return "another process"
}

// describe writes down who holds the lock, for the next one who asks. It is
// information only, so errors are of no consequence.
func (l *dirLock) describe(addr string) {
	if l.f.Truncate(0) == nil {
		_, _ = l.f.WriteAt(fmt.Appendf(nil, "process %d, listening on %s\n", os.Getpid(), addr), 0)
	}
}

func (l *dirLock) release() error { return l.f.Close() }
