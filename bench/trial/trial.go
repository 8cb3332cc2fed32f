package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Build makes or fetches the programs of the servers that c wants.
func Build(ctx context.Context, c Config) error {
	if err := os.MkdirAll(c.Work, 0o777); err != nil {
		return err
	}
	for _, s := range c.chosen() {
		if err := s.build(ctx, c); err != nil {
			return fmt.Errorf("build %s: %w", s.Name, err)
		}
	}
	return nil
}

// Run measures every server once a round, of kind Open only in the first. In each
// round another begins, so that none has always the same neighbour. Servers that fail are reported together;
// the results of the others stand.
func Run(ctx context.Context, c Config) ([]Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	servers := c.chosen()
	var results []Result
	var errs []error
	for round := range c.Rounds {
		for i := range servers {
			s := servers[(i+round)%len(servers)]
			if s.Kind == Open && round > 0 {
				continue
			}
			r, err := play(ctx, c, s, round+1)
			if ctx.Err() != nil {
				return results, ctx.Err()
			}
			if err != nil {
				errs = append(errs, err)
				c.Logger.Error("not measured", "server", s.Name, "round", round+1, "error", err)
				continue
			}
			results = append(results, r)
			c.Logger.Info("measured", "server", s.Name, "round", round+1, "connected", r.Connected,
				"idle_kib", r.IdleKiB, "after_kib", r.AfterKiB, "cpu_us", r.Quiet.CPUMicros, "p99_ms", r.Quiet.P99,
				"overload_per_s", r.Overload.PerSecond(), "overload_p99_ms", r.Overload.P99,
				"storm_back", r.Storm.Back, "storm_cpu_us", r.Storm.CPUMicros)
		}
	}
	return results, errors.Join(errs...)
}

// Running is a server that Together started.
type Running struct {
	Server
	URL    string // of the stream
	Target string // of publications, as publish.Open has it
}

// Together starts every server that c wants, all at once and on any core, and
// stops them when use returns: to look at them, not to measure.
func Together(ctx context.Context, c Config, use func([]Running) error) error {
	c.Pinned = false
	var all []Running
	for _, server := range c.chosen() {
		s := &stage{cfg: c, dir: filepath.Join(c.Work, "run-"+server.Name)}
		defer s.stop()
		if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o777)); err != nil {
			return err
		}
		address, target, err := server.start(ctx, s)
		if err != nil {
			return fmt.Errorf("start %s: %w", server.Name, err)
		}
		all = append(all, Running{server, "http://" + address + server.path, target})
	}
	return use(all)
}

// PerSecond is the rate of delivered events.
func (p Phase) PerSecond() float64 {
	if p.Seconds == 0 {
		return 0
	}
	return p.Delivered / p.Seconds
}

// Share is how much of what was offered was delivered. What waits when a phase
// begins is delivered during it and may lift the share a little above 1.
func (p Phase) Share() float64 {
	if p.Offered == 0 {
		return 0
	}
	return p.Delivered / p.Offered
}
