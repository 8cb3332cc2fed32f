package trial

import (
	"context"
	"fmt"
	"time"

	"livemap/bench/swarm"
)

// Storm is what happened when all clients of a server were cut off and came back
// at once, each with its last id. For a server of kind Accept it is their first
// coming.
type Storm struct {
	Clients   int     `json:"clients"`
	Back      int     `json:"back"` // served again
	Seconds   float64 `json:"seconds"`
	Owed      int64   `json:"owed"` // events that all clients together should have got
	Got       int64   `json:"got"`
	Missing   int64   `json:"missing"`
	Again     int64   `json:"again"`
	CPUMicros float64 `json:"cpu_us"` // of the server, per client
}

// Events of a storm: some before, so that there is an id, some while the clients
// are away or on their way.
const (
	stormBefore = 5
	stormDuring = 5
	stormRate   = 50 // events a second
)

// storm connects the clients, cuts them off, and waits until they are back and
// have all events.
func (p *performance) storm(ctx context.Context, comingOnly bool) (Storm, error) {
	st := Storm{Clients: p.cfg.Storm}
	crowd, err := p.gather(p.address, p.path, st.Clients)
	if err != nil {
		return st, err
	}
	defer crowd.process.stop()
	err = p.timed(&st, func() error {
		seen, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool { return r.Connected+r.Refused == st.Clients })
		st.Back = seen.Connected
		return err
	})
	if err != nil || comingOnly {
		return st, err
	}
	if st.Back < st.Clients {
		return st, fmt.Errorf("%d of %d clients were served before it", st.Back, st.Clients)
	}
	if _, err := p.run(ctx, crowd, stormRate, stormBefore, st.Clients); err != nil {
		return st, err
	}
	return st, p.timed(&st, func() error { return p.cutOff(ctx, crowd, &st) })
}

// cutOff drops all clients, publishes meanwhile, and waits for what they are
// owed.
func (p *performance) cutOff(ctx context.Context, crowd *crowd, st *Storm) error {
	before, err := crowd.ask(swarm.Drop)
	if err != nil {
		return err
	}
	publisher, err := p.publish(p.target, stormRate, p.published+1, stormDuring)
	if err != nil {
		return err
	}
	defer publisher.process.stop()
	p.published += stormDuring
	st.Owed = stormDuring * int64(st.Clients)
	after, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool {
		return r.Connected+r.Refused == st.Clients && r.Events-before.Events >= st.Owed
	})
	st.Back, st.Got = after.Connected, after.Events-before.Events
	st.Missing, st.Again = after.Missing-before.Missing, after.Again-before.Again
	return err
}

// timed takes the time, and the server's CPU, that do takes.
func (p *performance) timed(st *Storm, do func() error) error {
	begun := time.Now()
	before, err := p.server.usage()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	st.Seconds = time.Since(begun).Seconds()
	after, err := p.server.usage()
	st.CPUMicros = float64((after.cpu - before.cpu).Microseconds()) / float64(st.Clients)
	return err
}
