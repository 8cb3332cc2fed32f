// Package trial runs the servers under test and measures them: builds them,
// starts each on a core of its own, sends a swarm and a publisher, and reads
// what it cost. Start at [Run]; server.go has the servers, round.go what is done
// to each.
//
// It judges nothing: what the figures amount to is package report's.
package trial

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Config is the blueprint of a measurement.
type Config struct {
	Root string // of the repository
	Self string // this program, which is also the swarm and the publisher
	Work string // folder for programs and logs

	Only    []string // names of servers; empty: all
	Rounds  int
	Clients int

	Few          time.Duration // of events to a hundred clients
	Settle       time.Duration // after connecting, before memory is read
	Quiet        time.Duration // of events at QuietRate
	QuietRate    float64       // events a second
	Overload     time.Duration // of events at OverloadRate, measured; 0: none
	OverloadRate float64       // events a second
	OverloadMore []float64     // rates that are tried besides, one after the other, for as long as all is delivered
	HourEvents   int           // events that a client of ours has been given before memory is read the last time; 0: none
	Storm        int           // clients that drop and come back at once; 0: none

	// Pinned puts the server on core 0 and all else on core 1.
	Pinned bool
	Logger *slog.Logger
}

// Limits of a Config.
const (
	maxClients = 60_000
	maxRounds  = 100
)

// Validate reports all that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, name := range c.Only {
		if !slices.ContainsFunc(Servers(), func(s Server) bool { return s.Name == name }) {
			bad("only %q: must be of %v", name, Names())
		}
	}
	if c.Rounds < 1 || c.Rounds > maxRounds {
		bad("rounds %d: must be 1 to %d", c.Rounds, maxRounds)
	}
	if c.Clients < 1 || c.Clients > maxClients {
		bad("clients %d: must be 1 to %d", c.Clients, maxClients)
	}
	if c.Storm < 0 || c.Storm > maxClients {
		bad("storm %d: must be 0 to %d", c.Storm, maxClients)
	}
	if c.Few < 0 || c.Settle < 0 || c.Overload < 0 {
		bad("few %v, settle %v, overload %v: must not be below 0", c.Few, c.Settle, c.Overload)
	}
	if c.Quiet < time.Second {
		bad("quiet %v: must be at least 1s", c.Quiet)
	}
	if c.QuietRate <= 0 || c.OverloadRate <= 0 {
		bad("quiet-rate %v, overload-rate %v: must be above 0", c.QuietRate, c.OverloadRate)
	}
	last := c.OverloadRate
	for _, r := range c.OverloadMore {
		if r <= last {
			bad("overload-more %v: each must be more than the one before, the first more than overload-rate", c.OverloadMore)
			break
		}
		last = r
	}
	if c.HourEvents < 0 {
		bad("hour-events %d: must not be below 0", c.HourEvents)
	}
	return errors.Join(errs...)
}

// chosen are the servers that c wants, in the order of Servers.
func (c Config) chosen() []Server {
	return slices.DeleteFunc(Servers(), func(s Server) bool {
		return len(c.Only) > 0 && !slices.Contains(c.Only, s.Name)
	})
}
