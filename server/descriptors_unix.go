//go:build unix

package server

import (
	"math"

	"golang.org/x/sys/unix"
)

// descriptors returns how many this process may have open; 0: nobody says. Go
// has raised the soft limit to the hard one already.
func descriptors() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
