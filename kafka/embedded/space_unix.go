//go:build unix

package embedded

import "golang.org/x/sys/unix"

// freeBytes returns how much of the disk that holds dir a process may still use.
func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil // #nosec G115 -- their types differ by system, and none is negative
}
