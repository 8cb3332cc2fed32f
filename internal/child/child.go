// Package child runs the programs that tests need beside them: Kafka, nginx,
// livemap itself. Start at [Start]. A child's output goes to a file, a signal
// can end, freeze or thaw it, and on Linux the kernel kills it when the test
// dies, so that no crash leaves one behind. It is for tests and their tools; the
// product starts no processes.
package child

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running child. Its end is awaited by one goroutine, which also
// keeps the thread that started it: the kernel kills the child when that thread
// ends. All methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
	err  error         // how it ended; set before gone is closed
}

// Options change how a child is started. The zero value is a child in our own
// folder and environment.
type Options struct {
	Dir         string
	Environment []string // variables besides our own, "NAME=value"
	// Orphaned is the signal that the kernel sends when we die; 0: SIGKILL. One
	// that has children of its own needs a signal that lets it end them.
	Orphaned syscall.Signal
}

// Start runs a program with its output appended to the file log.
func (o Options) Start(log, name string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(name, args...), gone: make(chan struct{})} //nolint:gosec // the test's own command
	p.cmd.Dir = o.Dir
	if len(o.Environment) > 0 {
		p.cmd.Env = append(os.Environ(), o.Environment...)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	dieWithParent(p.cmd, cmp.Or(o.Orphaned, syscall.SIGKILL))
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
		_ = out.Close()
		close(p.gone)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Start is Options.Start without options.
func Start(log, name string, args ...string) (*Process, error) {
	return Options{}.Start(log, name, args...)
}

// PID returns the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Gone is closed when the process has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Err waits for the end and says how it was; nil: exit code 0.
func (p *Process) Err() error {
	<-p.gone
	return p.err
}

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// Signal sends a signal; to a process that is gone already it is no error.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// End sends a signal, waits, and kills what does not end in time. It reports
// whether the signal sufficed.
func (p *Process) End(sig syscall.Signal, within time.Duration) bool {
	_ = p.Signal(sig) // what cannot be signalled is waited for, and killed
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.gone:
		return true
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.gone
		return false
	}
}

// Kill ends the process as a power cut would, and waits until it is gone.
func (p *Process) Kill() { p.End(syscall.SIGKILL, time.Minute) }
