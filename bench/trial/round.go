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

// Result is what one server did in one round. Figures of a phase that was left
// out are zero.
type Result struct {
	Server string `json:"server"`
	Round  int    `json:"round"`

	Connected int     `json:"connected"`
	IdleKiB   float64 `json:"idle_kib"`  // resident memory per client after connecting
	AfterKiB  float64 `json:"after_kib"` // the same after the quiet events
	HourKiB   float64 `json:"hour_kib"`  // the same after as many events as an hour has; 0: not measured

	Few      Phase `json:"few"` // before the others, with fewClients
	Quiet    Phase `json:"quiet"`
	Overload Phase `json:"overload"` // at the rate that all are offered
	Most     Phase `json:"most"`     // at the rate of which most was delivered
	Storm    Storm `json:"storm"`

	// SentP99 is within how many milliseconds of a record's arrival in the pod
	// 99 % of the few were sent it; 0 where the server does not say.
	SentP99 float64 `json:"sent_p99_ms"`
}

// Phase is what happened while events went at one rate.
type Phase struct {
	Seconds   float64 `json:"seconds"`
	Offered   float64 `json:"offered"` // events published times clients
	Delivered float64 `json:"delivered"`
	Missing   int64   `json:"missing"` // events that a client did not see between two that it saw
	Again     int64   `json:"again"`   // events that a client saw twice or too late
	Closed    int     `json:"closed"`  // streams that the server ended

	CPUMicros float64 `json:"cpu_us"` // of the server, per event delivered
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
}

// Times and counts of a round that are no one's choice.
const (
	fewClients   = 100
	warmEvents   = 20
	fewRate      = 50               // events a second
	rest         = time.Second      // after the warm-up
	connectStill = 15 * time.Second // without a new connection, the swarm has what it gets
	eventsStill  = 3 * time.Second  // without an event, no more will come
	overloadLead = 5 * time.Second  // of overload before it is measured: until the queues of clients are full
)

var errNobody = errors.New("no client was served")

// play does to a server all that is done to its kind.
func play(ctx context.Context, cfg Config, server Server, round int) (Result, error) {
	r := Result{Server: server.Name, Round: round}
	if server.Kind != Accept {
		if err := perform(ctx, cfg, server, round, func(p *performance) error { return p.all(ctx, &r) }); err != nil {
			return r, fmt.Errorf("%s, round %d: %w", server.Name, round, err)
		}
	}
	if server.storms() && cfg.Storm > 0 {
		err := perform(ctx, cfg, server, round, func(p *performance) (err error) {
			r.Storm, err = p.storm(ctx, server.Kind == Accept)
			return err
		})
		if err != nil {
			return r, fmt.Errorf("%s, round %d, storm: %w", server.Name, round, err)
		}
	}
	return r, nil
}

// perform starts a server, does something to it, and stops it.
func perform(ctx context.Context, cfg Config, server Server, round int, do func(*performance) error) error {
	s := &stage{cfg: cfg, dir: filepath.Join(cfg.Work, "run-"+server.Name), topic: server.topic}
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o777)); err != nil {
		return err
	}
	defer s.stop()
	address, target, err := server.start(ctx, s)
	if err != nil {
		return err
	}
	return do(&performance{stage: s, address: address, path: server.path, target: target, hour: server.Kind == Ours && round == 1})
}

// performance is a round's course.
type performance struct {
	*stage
	address, path, target string
	hour                  bool // memory is also read after an hour's events
	published             int64
}

func (p *performance) all(ctx context.Context, r *Result) error {
	base, err := p.few(ctx, r)
	if err != nil {
		return fmt.Errorf("few clients: %w", err)
	}
	crowd, err := p.gather(p.address, p.path, p.cfg.Clients)
	if err != nil {
		return err
	}
	defer crowd.process.stop()
	seen, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool { return r.Connected+r.Refused == p.cfg.Clients })
	if err != nil {
		return err
	}
	r.Connected = seen.Connected
	if r.Connected == 0 {
		return errNobody
	}
	if r.IdleKiB, err = p.memory(ctx, p.cfg.Settle, base, r.Connected); err != nil {
		return err
	}
	if r.Quiet, err = p.quiet(ctx, crowd, r.Connected); err != nil {
		return fmt.Errorf("quiet: %w", err)
	}
	if r.AfterKiB, err = p.memory(ctx, 0, base, r.Connected); err != nil {
		return err
	}
	if p.cfg.Overload > 0 {
		if err := p.overloads(ctx, crowd, r); err != nil {
			return fmt.Errorf("overload: %w", err)
		}
	}
	if left := int64(p.cfg.HourEvents) - p.published; p.hour && left > 0 {
		if _, err := p.run(ctx, crowd, p.cfg.OverloadRate, left, r.Connected); err != nil {
			return fmt.Errorf("hour: %w", err)
		}
		r.HourKiB, err = p.memory(ctx, p.cfg.Settle, base, r.Connected)
	}
	return err
}

// whole is the share of an offer from which on it counts as delivered whole.
const whole = 0.98

// overloads offers a million events a second, and more to those who deliver it
// all: what a server delivers at most would otherwise be what it is offered.
func (p *performance) overloads(ctx context.Context, crowd *crowd, r *Result) (err error) {
	if r.Overload, err = p.overload(ctx, crowd, p.cfg.OverloadRate); err != nil {
		return err
	}
	r.Most = r.Overload
	last := r.Overload
	for _, rate := range p.cfg.OverloadMore {
		if last.Share() < whole || last.Missing > 0 {
			break
		}
		if last, err = p.overload(ctx, crowd, rate); err != nil {
			return err
		}
		if last.PerSecond() > r.Most.PerSecond() {
			r.Most = last
		}
	}
	return nil
}

// few serves a few clients: first some events that are not measured, so that
// code and buffers that do not depend on clients are there, then those whose
// latency is taken. It returns the bytes that are resident once they have left.
func (p *performance) few(ctx context.Context, r *Result) (int64, error) {
	crowd, err := p.gather(p.address, p.path, fewClients)
	if err != nil {
		return 0, err
	}
	defer crowd.process.stop()
	seen, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool { return r.Connected+r.Refused == fewClients })
	if err != nil {
		return 0, err
	}
	if seen.Connected < fewClients {
		return 0, fmt.Errorf("%d of %d clients were served", seen.Connected, fewClients)
	}
	if _, err := p.run(ctx, crowd, fewRate, warmEvents, fewClients); err != nil {
		return 0, err
	}
	count := max(1, int64(p.cfg.Few.Seconds()*fewRate))
	before, err := p.histogram(ctx, deliveries)
	if err != nil {
		return 0, err
	}
	r.Few, err = p.phase(crowd, func() (float64, error) {
		_, err := p.run(ctx, crowd, fewRate, count, fewClients)
		return float64(count) * fewClients, err
	})
	if err != nil {
		return 0, err
	}
	after, err := p.histogram(ctx, deliveries)
	if err != nil {
		return 0, err
	}
	if after != nil {
		r.SentP99 = 1000 * quantile(before, after, 0.99)
	}
	crowd.process.stop()
	if err := sleep(ctx, rest); err != nil {
		return 0, err
	}
	u, err := p.server.usage()
	return u.rssBytes, err
}

// run publishes count events and waits until all clients have them, or no more
// come.
func (p *performance) run(ctx context.Context, crowd *crowd, rate float64, count int64, clients int) (swarm.Report, error) {
	before, err := crowd.ask(swarm.Look)
	if err != nil {
		return before, err
	}
	publisher, err := p.publish(p.target, rate, p.published+1, count)
	if err != nil {
		return before, err
	}
	defer publisher.process.stop()
	p.published += count
	if err := publisher.wait(ctx); err != nil {
		return before, err
	}
	want := before.Events + count*int64(clients)
	return crowd.until(ctx, eventsStill, func(r swarm.Report) bool { return r.Events >= want })
}

// memory returns the resident KiB per client above base, after a pause.
func (p *performance) memory(ctx context.Context, pause time.Duration, base int64, clients int) (float64, error) {
	if err := sleep(ctx, pause); err != nil {
		return 0, err
	}
	u, err := p.server.usage()
	return float64(u.rssBytes-base) / 1024 / float64(clients), err
}

// quiet publishes at the quiet rate; every event is waited for, so what is
// missing is lost.
func (p *performance) quiet(ctx context.Context, crowd *crowd, clients int) (Phase, error) {
	count := max(1, int64(p.cfg.Quiet.Seconds()*p.cfg.QuietRate))
	return p.phase(crowd, func() (offered float64, err error) {
		_, err = p.run(ctx, crowd, p.cfg.QuietRate, count, clients)
		return float64(count) * float64(clients), err
	})
}

// overload publishes faster than a server can send an event a call. It is
// measured in the midst of it: who delivers less than is offered falls behind
// for as long as it lasts.
func (p *performance) overload(ctx context.Context, crowd *crowd, rate float64) (Phase, error) {
	lasts := overloadLead + p.cfg.Overload + time.Second
	count := int64(lasts.Seconds() * rate)
	publisher, err := p.publish(p.target, rate, p.published+1, count)
	if err != nil {
		return Phase{}, err
	}
	defer publisher.process.stop()
	p.published += count
	if err := sleep(ctx, overloadLead); err != nil {
		return Phase{}, err
	}
	begun := time.Now()
	ph, err := p.phase(crowd, func() (float64, error) {
		err := sleep(ctx, p.cfg.Overload)
		return time.Since(begun).Seconds() * rate * float64(p.cfg.Clients), err
	})
	if err == nil && ph.Share() >= whole { // more is to come, and must not be mixed with this
		if err = publisher.wait(ctx); err == nil {
			_, err = crowd.until(ctx, eventsStill, func(r swarm.Report) bool { return r.Newest >= p.published })
		}
	}
	return ph, err
}

// phase measures what happens during do, which returns the events offered.
func (p *performance) phase(crowd *crowd, do func() (float64, error)) (Phase, error) {
	before, err := crowd.ask(swarm.Mark)
	if err != nil {
		return Phase{}, err
	}
	cpu, err := p.server.usage()
	if err != nil {
		return Phase{}, err
	}
	offered, err := do()
	if err != nil {
		return Phase{}, err
	}
	after, err := crowd.ask(swarm.Mark)
	if err != nil {
		return Phase{}, err
	}
	used, err := p.server.usage()
	if err != nil {
		return Phase{}, err
	}
	ph := Phase{
		Seconds:   after.Seconds,
		Offered:   offered,
		Delivered: float64(after.Events - before.Events),
		Missing:   after.Missing - before.Missing,
		Again:     after.Again - before.Again,
		Closed:    after.Closed - before.Closed,
		P50:       after.P50, P99: after.P99, Max: after.Max,
	}
	if ph.Delivered > 0 {
		ph.CPUMicros = float64((used.cpu - cpu.cpu).Microseconds()) / ph.Delivered
	}
	return ph, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
