//go:build !linux

package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent: only Linux offers it. Elsewhere a child of a test that
// crashed must be stopped by hand.
func dieWithParent(*exec.Cmd, syscall.Signal) {}
