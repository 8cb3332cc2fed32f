package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel send the child a signal when the thread that started it
// ends.
func dieWithParent(cmd *exec.Cmd, sig syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: sig}
}
