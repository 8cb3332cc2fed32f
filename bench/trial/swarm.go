package trial

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"livemap/bench/swarm"
)

// crowd is a running swarm.
type crowd struct {
	process  *process
	commands io.WriteCloser
	reports  *bufio.Scanner
}

// gather starts a swarm that connects to a server.
func (s *stage) gather(address, path string, clients int) (*crowd, error) {
	c := &crowd{}
	p, err := start(launch{
		name: "swarm", log: filepath.Join(s.dir, "swarm.log"), cores: s.others(),
		args: []string{s.cfg.Self, "swarm", "-address", address, "-path", path, "-clients", strconv.Itoa(clients), "-topic", s.topic,
			"-since", strconv.FormatInt(s.since, 10), "-spread", strconv.FormatInt(s.spread, 10)},
		env: s.env,
		prepare: func(cmd *exec.Cmd) (err error) {
			if c.commands, err = cmd.StdinPipe(); err != nil {
				return err
			}
			cmd.Stdout = nil
			out, err := cmd.StdoutPipe()
			c.reports = bufio.NewScanner(out)
			return err
		},
	})
	c.process = p
	return c, err
}

func (c *crowd) ask(command string) (swarm.Report, error) {
	var r swarm.Report
	if _, err := fmt.Fprintln(c.commands, command); err != nil {
		return r, fmt.Errorf("swarm: %w", err)
	}
	if !c.reports.Scan() {
		return r, fmt.Errorf("swarm gave no report: %v", c.reports.Err())
	}
	if err := json.Unmarshal(c.reports.Bytes(), &r); err != nil {
		return r, fmt.Errorf("swarm's report: %w", err)
	}
	return r, nil
}

// until asks the swarm again and again until done says so, or nothing changes
// any more for the given time.
func (c *crowd) until(ctx context.Context, still time.Duration, done func(swarm.Report) bool) (swarm.Report, error) {
	var last swarm.Report
	moved := time.Now()
	for {
		r, err := c.ask(swarm.Look)
		if err != nil || done(r) {
			return r, err
		}
		if r.Events != last.Events || r.Connected != last.Connected || r.Refused != last.Refused {
			moved, last = time.Now(), r
		}
		if time.Since(moved) > still {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// publication is a running publisher.
type publication struct {
	process *process
}

func (s *stage) publish(target string, rate float64, first, count int64) (*publication, error) {
	p, err := start(launch{
		name: "publisher", log: filepath.Join(s.dir, "publisher.log"), cores: s.others(),
		args: []string{
			s.cfg.Self, "publish", "-to", target,
			"-rate", strconv.FormatFloat(rate, 'g', -1, 64),
			"-first", strconv.FormatInt(first, 10), "-count", strconv.FormatInt(count, 10),
		},
	})
	return &publication{p}, err
}

// wait waits until all is published.
func (p *publication) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.process.done:
	}
	if !p.process.cmd.ProcessState.Success() {
		return p.process.ended()
	}
	return nil
}
