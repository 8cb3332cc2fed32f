package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"livemap/kafka"
)

// errPortTaken: the broker ended because its port was taken meanwhile.
var errPortTaken = errors.New("a port was taken meanwhile")

// process is a running java. Its end is awaited by one goroutine, which also
// keeps the thread that started it: the kernel kills the child when that
// thread ends, so that no broker outlives a test that crashes.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// startProcess runs a command with its output appended to a file.
func startProcess(log, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), gone: make(chan struct{})} //nolint:gosec // our own paths
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	dieWithParent(p.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended shows in its log
		}
		_ = out.Close()
		close(p.gone)
	}()
	return p, <-started
}

// end sends a signal, waits, and kills what does not end in time; it reports
// whether the signal sufficed.
func (p *process) end(sig syscall.Signal, within time.Duration) bool {
	_ = p.cmd.Process.Signal(sig) // an error means that it is gone already
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

// run starts the broker and waits until it answers.
func (b *Broker) run() error {
	log := b.path("kafka.log")
	before, _ := os.ReadFile(log) // missing at the first start
	p, err := startProcess(log, "java", b.java("kafka.Kafka", b.path("server.properties"))...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- kafka.WaitReady(ctx, b.Config()) }()
	select {
	case err = <-ready:
	case <-p.gone:
		cancel()
		<-ready
		err = errors.New("it ended by itself")
	}
	if err == nil {
		b.process = p
		return nil
	}
	p.end(syscall.SIGKILL, stopWithin)
	out, _ := os.ReadFile(log) // for the message only
	out = out[min(len(before), len(out)):]
	if bytes.Contains(out, []byte("Address already in use")) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, tail(out))
}

// tail returns the last lines of a log.
func tail(b []byte) []byte {
	const most = 4 << 10
	return b[max(0, len(b)-most):]
}

// Log returns what the broker has logged so far.
func (b *Broker) Log() (string, error) {
	f, err := os.Open(b.path("kafka.log"))
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(f)
	return string(text), err
}
