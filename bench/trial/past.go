package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"livemap/bench/swarm"
)

// PastConfig says how many come from the past while others listen.
type PastConfig struct {
	Live    int // clients that listen to what happens
	Crowd   int // clients that come at once, each from a place of its own in the past
	Records int // that the past holds, and the pod has forgotten
	Quiet   time.Duration
	// Remembered is how long the pod remembers records; a client that is further
	// behind when it is live has missed something.
	Remembered time.Duration
}

// Past is what happened when a crowd came back from the past: with ids, or asking
// for times, that the pod's memory does not reach.
type Past struct {
	Live    Phase   // client's side, while the crowd listens as well
	Storm   Phase   // the same, once the crowd was cut off, while it is caught up
	QuietMs float64 // pod's side: within so long of a record's arrival 99 % were sent it
	StormMs float64
	Seconds float64 // until the last of the crowd had all that it was owed
	Back    int     // of the crowd
	Got     int64   // events that the crowd was sent
	Missing int64
	Again   int64
	RSSMiB  float64 // of the pod, at most
}

// pastRate is how many events a second the live are sent.
const pastRate = 5

// RunPast builds livemap and measures it.
func RunPast(ctx context.Context, c Config, p PastConfig) (past Past, err error) {
	c.Only = []string{"open"}
	if err := Build(ctx, c); err != nil {
		return past, err
	}
	err = perform(ctx, c, pastServer(p), 1, func(run *performance) (err error) {
		past, err = run.past(ctx, p)
		return err
	})
	return past, err
}

// pastServer is ours with a topic that the pod soon forgets.
func pastServer(p PastConfig) Server {
	return Server{Name: "past", Kind: Open, path: oursPath, start: func(ctx context.Context, s *stage) (address, target string, err error) {
		s.settings = filepath.Join(s.dir, "livemap.yaml")
		text := "topics:\n  " + oursTopic + ": {kind: log, recent: 0, max_age: " + p.Remembered.String() + "}\n"
		if err := os.WriteFile(s.settings, []byte(text), 0o644); err != nil {
			return "", "", err
		}
		return s.startOurs(ctx, []string{"--anonymous"})
	}}
}

func (p *performance) past(ctx context.Context, cfg PastConfig) (out Past, err error) {
	begun := time.Now()
	old, err := p.publish(p.target, float64(cfg.Records)/3, 1, int64(cfg.Records))
	if err != nil {
		return out, err
	}
	p.published = int64(cfg.Records)
	err = old.wait(ctx)
	old.process.stop()
	if err != nil {
		return out, fmt.Errorf("the past: %w", err)
	}
	if err := sleep(ctx, cfg.Remembered); err != nil {
		return out, err
	}
	live, err := p.gather(p.address, p.path, cfg.Live)
	if err != nil {
		return out, err
	}
	defer live.process.stop()
	before, err := p.gather(p.address, p.path, cfg.Crowd)
	if err != nil {
		return out, err
	}
	defer before.process.stop()
	for crowd, clients := range map[*crowd]int{live: cfg.Live, before: cfg.Crowd} {
		if _, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool { return r.Connected+r.Refused == clients }); err != nil {
			return out, err
		}
	}
	// One publication for both phases: nothing begins or ends between them.
	publisher, err := p.publish(p.target, pastRate, p.published+1, pastRate*3600)
	if err != nil {
		return out, err
	}
	defer publisher.process.stop()
	if err := sleep(ctx, rest); err != nil {
		return out, err
	}
	out.Live, out.QuietMs, err = p.watch(ctx, live, func() error { return sleep(ctx, cfg.Quiet) })
	if err != nil {
		return out, err
	}
	before.process.stop()
	out.Storm, out.StormMs, err = p.watch(ctx, live, func() error { return p.crowdComes(ctx, cfg, live, begun, &out) })
	return out, err
}

// watch takes what the live see while do runs.
func (p *performance) watch(ctx context.Context, live *crowd, do func() error) (Phase, float64, error) {
	before, err := p.histogram(ctx, deliveries)
	if err != nil {
		return Phase{}, 0, err
	}
	first, err := live.ask(swarm.Mark)
	if err != nil {
		return Phase{}, 0, err
	}
	if err := do(); err != nil {
		return Phase{}, 0, err
	}
	last, err := live.ask(swarm.Mark)
	if err != nil {
		return Phase{}, 0, err
	}
	after, err := p.histogram(ctx, deliveries)
	return Phase{
		Seconds: last.Seconds, Delivered: float64(last.Events - first.Events), Missing: last.Missing - first.Missing,
		Again: last.Again - first.Again, Closed: last.Closed - first.Closed, P50: last.P50, P99: last.P99, Max: last.Max,
	}, 1000 * quantile(before, after, 0.99), err
}

// crowdComes connects the crowd and waits until all have what they are owed: up to
// the newest event that the live had when they came.
func (p *performance) crowdComes(ctx context.Context, cfg PastConfig, live *crowd, begun time.Time, out *Past) error {
	now, err := live.ask(swarm.Look)
	if err != nil {
		return err
	}
	p.since, p.spread = begun.UnixMilli(), 2500
	crowd, err := p.gather(p.address, p.path, cfg.Crowd)
	if err != nil {
		return err
	}
	defer crowd.process.stop()
	at := time.Now()
	_, err = crowd.until(ctx, connectStill, func(r swarm.Report) bool {
		if u, err := p.server.usage(); err == nil {
			out.RSSMiB = max(out.RSSMiB, float64(u.rssBytes)/(1<<20))
		}
		return r.Connected+r.Refused == cfg.Crowd && r.Least >= now.Newest
	})
	if err != nil {
		return err
	}
	out.Seconds = time.Since(at).Seconds()
	r, err := crowd.ask(swarm.Look)
	out.Back, out.Got, out.Missing, out.Again = r.Connected, r.Events, r.Missing, r.Again
	if err == nil && (r.Refused > 0 || r.Closed > 0) {
		err = errors.New("clients of the crowd were sent away")
	}
	return err
}
