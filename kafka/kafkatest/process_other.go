//go:build !linux

package kafkatest

import "os/exec"

// dieWithParent: only Linux offers it. Elsewhere a broker of a test that
// crashed must be stopped by hand.
func dieWithParent(*exec.Cmd) {}
