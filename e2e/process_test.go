package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// livemap is the program under test, built once by TestMain.
var livemap string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "livemap-e2e-")
	if err != nil {
		println("e2e:", err.Error())
		return 1
	}
	defer os.RemoveAll(dir)
	livemap = filepath.Join(dir, "livemap")
	if out, err := exec.Command("go", "build", "-o", livemap, "../cmd/livemap").CombinedOutput(); err != nil {
		println("e2e: build livemap:", err.Error(), string(out))
		return 1
	}
	return m.Run()
}

// stopLimit is how long a process may take to end after SIGTERM.
const stopLimit = 20 * time.Second

// process is a command that runs beside the test. What it prints is shown if
// the test fails.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	out   bytes.Buffer // read once exited is closed
	ended chan struct{}
	err   error // set before ended is closed
}

// start runs livemap with the given arguments until the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return launch(t, "livemap "+args[0], exec.Command(livemap, args...))
}

// launch runs a command until the test ends.
func launch(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		if !p.within(stopLimit) {
			t.Errorf("%s did not end within %s of SIGTERM", name, stopLimit)
			p.kill()
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, lastLines(p.out.Bytes(), 60))
		}
	})
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop asks the process to end, waits for it and returns how it ended.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	<-p.ended
	return p.err
}

// finish waits until the process has ended by itself, with exit code 0.
func (p *process) finish(ctx context.Context) {
	p.t.Helper()
	select {
	case <-p.ended:
		if p.err != nil {
			p.t.Fatalf("%s: %v", p.name, p.err)
		}
	case <-ctx.Done():
		p.t.Fatalf("%s has not ended: %v", p.name, ctx.Err())
	}
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s: %v", s, err)
	}
}

func (p *process) within(d time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(d):
		return false
	}
}

func lastLines(b []byte, n int) []byte {
	lines := bytes.SplitAfter(b, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], nil)
}
