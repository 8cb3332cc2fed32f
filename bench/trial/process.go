package trial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The cores of a pinned measurement.
const (
	serverCores = "0"
	othersCores = "1"
)

// process is a program that runs until it is stopped.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// launch is how to start a process.
type launch struct {
	name  string
	log   string // file for what it prints
	cores string // as taskset has them; empty: any
	args  []string
	env   []string // besides this process's own
	// prepare may connect pipes; nil: none.
	prepare func(*exec.Cmd) error
}

func start(l launch) (*process, error) {
	out, err := os.Create(l.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	args := l.args
	if l.cores != "" {
		args = append([]string{"taskset", "-c", l.cores}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), l.env...)
	// A group of its own: workers end with their master.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if l.prepare != nil {
		if err := l.prepare(cmd); err != nil {
			return nil, fmt.Errorf("start %s: %w", l.name, err)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.name, err)
	}
	p := &process{name: l.name, cmd: cmd, log: l.log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait()
	}()
	return p, nil
}

// stop ends the process and all that it started, at once: nothing is measured
// any more, and some servers would drain for long.
func (p *process) stop() {
	if p == nil {
		return
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// ended describes a process that should have gone on.
func (p *process) ended() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("%s ended: %v", p.name, p.cmd.ProcessState)
	}
	const last = 2000
	return fmt.Errorf("%s ended: %v\n%s", p.name, p.cmd.ProcessState, text[max(0, len(text)-last):])
}

// Waits for other processes, which can only be asked again and again.
const (
	readyWithin = 30 * time.Second
	askAgain    = 20 * time.Millisecond
)

// listening waits until the process answers at an address.
func (p *process) listening(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen at %s: %w", p.name, address, err)
		case <-time.After(askAgain):
		}
	}
}

// usage is what a process and its children have used.
type usage struct {
	cpu      time.Duration // user and system, since the start
	rssBytes int64
}

// ticks is the unit of CPU times in /proc: USER_HZ, 100 on every Linux port
// that Go has.
const ticks = 100

func (p *process) usage() (usage, error) {
	return usageOf(p.cmd.Process.Pid)
}

func usageOf(pid int) (usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	var u usage
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	if u.cpu, err = parseCPU(string(stat)); err != nil {
		return u, fmt.Errorf("%s/stat: %w", dir, err)
	}
	// smaps_rollup, because VmRSS is only kept up to date now and then.
	rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return u, err
	}
	if u.rssBytes, err = parseRSS(string(rollup)); err != nil {
		return u, fmt.Errorf("%s/smaps_rollup: %w", dir, err)
	}
	children, err := os.ReadFile(filepath.Join(dir, "task", strconv.Itoa(pid), "children"))
	if err != nil {
		return u, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return u, fmt.Errorf("%s/children: %w", dir, err)
		}
		c, err := usageOf(n)
		if err != nil {
			return u, err
		}
		u.cpu += c.cpu
		u.rssBytes += c.rssBytes
	}
	return u, nil
}

var errForm = errors.New("unexpected form")

// parseCPU reads user and system time of /proc/PID/stat, proc_pid_stat(5).
func parseCPU(stat string) (time.Duration, error) {
	_, rest, ok := strings.Cut(stat[max(0, strings.LastIndexByte(stat, ')')):], ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errForm
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err1, err2)
}

// parseRSS reads the resident bytes of /proc/PID/smaps_rollup.
func parseRSS(rollup string) (int64, error) {
	lines := bufio.NewScanner(strings.NewReader(rollup))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "Rss:" && f[2] == "kB" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errForm
}
