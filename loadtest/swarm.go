// Package loadtest is a swarm of clients of event streams: it holds many
// connections to a server, reads what comes, accounts for every record and
// measures how late it is. Start at [Run], which does what a [Config] says and
// returns a [Report]; [Merge] adds up the reports of several machines.
//
// A client here is a few hundred bytes in a table: a loop (loop_linux.go) owns
// some of them, one epoll instance, one buffer that all its clients read into.
// What it reads goes to a receiver (receiver.go), which takes off HTTP's framing
// and the event stream's, and knows no socket. Records go to the accounts
// (cell.go, accounts.go), which find losses by comparing what a client received
// with what all clients did (truth.go).
//
// It never imports the hub, and shares with the server nothing but the event
// stream's parser: a load test that shares code with its subject shares its
// mistakes. It speaks HTTP/1.1 without TLS, on Linux.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// swarm is one run.
type swarm struct {
	config    *Config
	collector *collector
	ledger    *ledger
	loops     []*loop
	start     time.Time
	phase     string
	wanted    int
}

// Run holds the clients that the configuration asks for until its duration is
// over or ctx is done, and reports what they saw; the report is complete in both
// cases. It returns an error when the run could not be made, or when no client
// was ever connected.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if err := checkDescriptors(c.Connections); err != nil {
		return nil, err
	}
	t, err := resolve(ctx, &c)
	if err != nil {
		return nil, err
	}
	s := &swarm{config: &c, start: time.Now(), ledger: newLedger(c.StateTopics)}
	s.collector = newCollector(c.Loops, intervalSeconds(s.longest()))
	for i := range c.Loops {
		l, err := newLoop(i, &c, t, s.ledger, s.collector, s.start)
		if err != nil {
			return nil, errors.Join(err, s.abandon())
		}
		s.loops = append(s.loops, l)
	}
	c.Logger.Debug("swarm begins", "connections", c.Connections, "loops", c.Loops, "sources", t.sources, "accounting", readingOf(&c, t))
	return s.run(ctx, readingOf(&c, t))
}

// abandon ends loops that were made and never ran.
func (s *swarm) abandon() error {
	var errs []error
	for _, l := range s.loops {
		go l.stop()
		errs = append(errs, l.run())
	}
	return errors.Join(errs...)
}

// longest returns how long the run may last.
func (s *swarm) longest() time.Duration {
	if s.config.Find == nil {
		return s.config.Ramp + s.config.Duration
	}
	return s.config.Find.longest(s.config.Connections)
}

func (s *swarm) run(ctx context.Context, how reading) (*Report, error) {
	var g errgroup.Group
	for _, l := range s.loops {
		g.Go(l.run)
	}
	var levels []Level
	var err error
	if s.config.Find != nil {
		levels, err = s.search(ctx)
	} else {
		err = s.hold(ctx)
	}
	for _, l := range s.loops {
		l.stop()
	}
	if err := errors.Join(err, g.Wait()); err != nil {
		return nil, err
	}
	s.judge()
	return s.report(how, levels)
}

// judge adds up what was lost. All loops have ended: every record that any
// client received is known.
func (s *swarm) judge() {
	for _, l := range s.loops {
		l.accounts.judge()
		s.collector.judged(&l.counts)
		l.counts = Counts{}
	}
}

func (s *swarm) report(how reading, levels []Level) (*Report, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	p := &Report{
		Version: reportVersion, URLs: []string{redact(s.config.URL)}, Patterns: []Pattern{s.config.Pattern},
		Accounting: []string{how.String()}, Started: s.start.UTC(), Ended: time.Now().UTC(), Connections: int64(s.config.Connections), Levels: levels,
		Machines: []Machine{{Host: host, Connections: int64(s.config.Connections), Loops: s.config.Loops, Busy: s.collector.busy()}},
	}
	s.collector.report(p)
	if p.Counts[Connected] > 0 {
		return p, nil
	}
	return nil, fmt.Errorf("no client was connected in %d attempts: %s", p.Counts[Attempts], s.trouble())
}

// hold is the run that is not a search: ramp, then the pattern for the duration.
func (s *swarm) hold(ctx context.Context) error {
	s.goal(s.config.Connections, s.config.Ramp)
	if err := s.wait(ctx, "ramp", s.config.Ramp); err != nil {
		return err
	}
	left := s.config.Duration
	if s.config.Pattern != Reconnect {
		return s.wait(ctx, string(s.config.Pattern), left)
	}
	for left > 0 && ctx.Err() == nil {
		calm := min(left, s.config.StormEvery)
		if err := s.wait(ctx, string(s.config.Pattern), calm); err != nil {
			return err
		}
		if left -= calm; left > 0 {
			s.all((*loop).storm)
		}
	}
	return nil
}

// goal has n clients be there.
func (s *swarm) goal(n int, over time.Duration) {
	s.wanted = n
	s.all(func(l *loop) { l.setGoal(n, over) })
}

// all has each loop do something.
func (s *swarm) all(f func(*loop)) {
	for _, l := range s.loops {
		l.do(func() { f(l) })
	}
}

// wait lets the loops work for a time, and shows how they do once a second. The
// end of ctx is no error: the run is only shorter. It is one when every client
// was turned away for good.
func (s *swarm) wait(ctx context.Context, phase string, d time.Duration) error {
	s.phase = phase
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-end.C:
			return nil
		case <-tick.C:
			if err := s.turnedAway(); err != nil {
				return err
			}
			s.show()
		}
	}
}

// turnedAway returns why no client will ever be connected.
func (s *swarm) turnedAway() error {
	var snap Snapshot
	s.collector.snapshotTotals(&snap)
	if snap.Totals[Connected] > 0 {
		return nil
	}
	var refused error
	s.all(func(l *loop) {
		if refused == nil {
			refused = l.refused
		}
	})
	return refused
}

// trouble returns the most frequent error.
func (s *swarm) trouble() string {
	var snap Snapshot
	s.collector.snapshotTotals(&snap)
	if snap.Trouble == "" {
		return "no answer came in time"
	}
	return snap.Trouble
}

func (s *swarm) show() {
	if s.config.Progress == nil {
		return
	}
	snap := Snapshot{Elapsed: time.Since(s.start), Phase: s.phase, Wanted: int64(s.wanted)}
	s.collector.snapshot(&snap)
	s.config.Progress(snap)
}
