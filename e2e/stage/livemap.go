// Package stage runs livemap as an operator would, for tests from outside: pods,
// aggregators and other commands as processes, nginx in front of the pods. Start
// at [Build], [NewPod] and [NewProxy]. Kafka is kafkatest's; what is true of the
// streams is for others to judge.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"livemap/internal/child"
)

// Patience with a process: on a busy machine a start takes a while.
const (
	startWithin = 90 * time.Second
	stopWithin  = 60 * time.Second
	askEvery    = 20 * time.Millisecond
)

// Build builds the program into dir and returns its path. The working folder
// must be inside the repository.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "livemap")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "livemap/cmd/livemap").CombinedOutput() //nolint:gosec // our own path
	if err != nil {
		return "", fmt.Errorf("build livemap: %w\n%s", err, out)
	}
	return path, nil
}

// Command is a livemap command that runs beside the test, and can be ended and
// started again. It is for one goroutine.
type Command struct {
	program string
	args    []string
	log     string
	process *child.Process // nil when not running
	asked   bool           // to end; a second time would kill it
}

// NewCommand returns the command "livemap args…", not started, whose output is
// appended to dir/name.log.
func NewCommand(program, dir, name string, args ...string) *Command {
	return &Command{program: program, args: args, log: filepath.Join(dir, name+".log")}
}

// Start starts the process.
func (c *Command) Start() error {
	if c.process != nil {
		return fmt.Errorf("start livemap %s: it is running", c.args[0])
	}
	var err error
	c.process, err = child.Start(c.log, c.program, c.args...)
	c.asked = false
	return err
}

// Kill ends the process as a power cut would.
func (c *Command) Kill() {
	if c.process != nil {
		c.process.Kill()
		c.process = nil
	}
}

// Stop asks the process to end and waits until it has. The error says that it
// ended with another exit code than 0 or had to be killed.
func (c *Command) Stop() error {
	if c.process == nil {
		return nil
	}
	sig := syscall.SIGTERM
	if c.asked {
		sig = 0 // only wait
	}
	ended, err := c.process.End(sig, stopWithin), c.process.Err()
	c.process = nil
	if !ended {
		return fmt.Errorf("livemap %s did not end within %s of SIGTERM", c.args[0], stopWithin)
	}
	if err != nil {
		return fmt.Errorf("livemap %s: %w; it said:\n%s", c.args[0], err, c.Tail())
	}
	return nil
}

// Terminate asks the process to end and does not wait.
func (c *Command) Terminate() error {
	if c.process == nil {
		return nil
	}
	c.asked = true
	return c.signal(syscall.SIGTERM)
}

// Freeze stops the process in the middle of what it does, until Thaw.
func (c *Command) Freeze() error { return c.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (c *Command) Thaw() error { return c.signal(syscall.SIGCONT) }

func (c *Command) signal(sig syscall.Signal) error {
	if c.process == nil {
		return fmt.Errorf("signal livemap %s: it is not running", c.args[0])
	}
	return c.process.Signal(sig)
}

// Running says whether the process has not ended, by itself or by us.
func (c *Command) Running() bool { return c.process != nil && c.process.Running() }

// Gone is closed when the process that was started last has ended.
func (c *Command) Gone() <-chan struct{} {
	if c.process == nil {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return c.process.Gone()
}

// PID returns the number of the process; 0: it is not running.
func (c *Command) PID() int {
	if c.process == nil {
		return 0
	}
	return c.process.PID()
}

// Output returns all that the command has printed.
func (c *Command) Output() string {
	text, _ := os.ReadFile(c.log) // nothing was printed yet
	return string(text)
}

// Tail returns the end of what the command has printed, for messages.
func (c *Command) Tail() string {
	const most = 40
	lines := strings.SplitAfter(c.Output(), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// Pod is a process of livemap serve on addresses of its own, which stay over
// restarts.
type Pod struct {
	Command
	Addr  string // of clients
	Admin string // of health and metrics
}

// NewPod returns a pod, not started, of the brokers, with further arguments of
// livemap serve.
func NewPod(program, dir, name string, brokers []string, args ...string) (*Pod, error) {
	public, err := child.FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := child.FreePort()
	if err != nil {
		return nil, err
	}
	p := &Pod{Addr: child.Address(public), Admin: child.Address(admin)}
	all := append([]string{"serve", "--kafka", strings.Join(brokers, ","), "--listen", p.Addr, "--admin-listen", p.Admin}, args...)
	p.Command = *NewCommand(program, dir, name, all...)
	return p, nil
}

// Start starts the pod and waits until it is ready.
func (p *Pod) Start(ctx context.Context) error {
	if err := p.Command.Start(); err != nil {
		return err
	}
	return p.Await(ctx)
}

// Await waits until the pod is ready. One that ends before is an error.
func (p *Pod) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if healthy(ctx, p.Admin) {
			return nil
		}
		select {
		case <-p.Gone():
			return fmt.Errorf("a pod ended by itself; it said:\n%s", p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("a pod is not ready after %s; it said:\n%s", startWithin, p.Tail())
		case <-time.After(askEvery):
		}
	}
}

// streams is what the admin address says of connected clients.
var streams = regexp.MustCompile(`(?m)^livemap_hub_clients ([0-9]+)$`)

// Streams returns how many streams the pod has.
func (p *Pod) Streams(ctx context.Context) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return 0, err
	}
	found := streams.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("the pod at %s does not say how many streams it has", p.Admin)
	}
	return strconv.Atoi(string(found[1]))
}

func healthy(ctx context.Context, admin string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return errors.Join(answer.Body.Close()) == nil && answer.StatusCode == http.StatusOK
}
