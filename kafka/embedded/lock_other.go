//go:build !unix

package embedded

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file that stands for a data directory in use. Where files
// cannot be locked it is removed on Close; after a crash a person removes it.
const lockName = "livemap.lock"

// dirLock is a locked data directory.
type dirLock struct{ f *os.File }

// lockDir takes the lock, or says who has it.
func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		holder, _ := os.ReadFile(path)
		return nil, fmt.Errorf("embedded log: data directory %s is in use by %s; stop it, or remove %s if it no longer runs", dir, holder, path)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded log: lock: %w", err)
	}
	return &dirLock{f}, nil
}

// describe writes down who holds the lock. It is information only, so errors
// are of no consequence.
func (l *dirLock) describe(addr string) {
	_, _ = l.f.WriteString(fmt.Sprintf("process %d, listening on %s", os.Getpid(), addr))
}

func (l *dirLock) release() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	return os.Remove(l.f.Name())
}
