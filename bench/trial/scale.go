package trial

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"livemap/bench/swarm"
)

// ScaleConfig is the blueprint of a measurement of ours alone: what it delivers
// with more and more shards, a core each.
type ScaleConfig struct {
	Root    string // of the repository
	Self    string // this program
	Livemap string // the program under test
	Work    string // folder for logs

	Shards  []int         // loops, and cores, of the server, one measurement each
	Clients int           // of each swarm
	Offers  []float64     // events a second for each shard, all clients together
	Lead    time.Duration // of each offer before it is measured
	Measure time.Duration
}

// Scaled is what a server with so many shards did with one offer.
type Scaled struct {
	Shards  int
	Swarms  int
	Clients int
	Phase   Phase
	// Server and Swarm are how much of their cores the server and the busiest
	// swarm used, 0 to 1. Where the second is near 1 it is the swarm that is
	// measured.
	Server, Swarm float64
}

// Scale measures. The server has the first cores of the machine, the log and the
// publisher one, and each swarm one of the rest; counts of shards for which there
// are not enough cores are left out.
func Scale(ctx context.Context, c ScaleConfig) (all []Scaled, err error) {
	cores := runtime.NumCPU()
	shards := slices.DeleteFunc(slices.Clone(c.Shards), func(n int) bool { return n < 1 || n > max(1, cores/2) })
	if len(shards) == 0 || len(c.Offers) == 0 || c.Clients < 1 {
		return nil, fmt.Errorf("scale: %v shards on %d cores, offers %v, %d clients: nothing to measure", c.Shards, cores, c.Offers, c.Clients)
	}
	most := slices.Max(shards)
	for _, n := range shards {
		s := &stage{
			cfg: Config{Root: c.Root, Self: c.Self, Work: c.Work, Pinned: true},
			dir: filepath.Join(c.Work, fmt.Sprintf("scale-%d", n)), livemap: c.Livemap,
			serverCores: fmt.Sprintf("0-%d", n-1), othersCores: fmt.Sprint(min(most, cores-1)),
		}
		if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o777)); err != nil {
			return all, err
		}
		var swarmCores []string
		for core := cores - 1; core > most || core >= 1 && len(swarmCores) == 0; core-- {
			swarmCores = append(swarmCores, fmt.Sprint(core))
		}
		did, err := s.scale(ctx, c, n, swarmCores)
		s.stop()
		all = append(all, did...)
		if err != nil {
			return all, fmt.Errorf("%d shards: %w", n, err)
		}
	}
	return all, nil
}

// scale measures one number of shards.
func (s *stage) scale(ctx context.Context, c ScaleConfig, shards int, cores []string) (all []Scaled, err error) {
	clients := c.Clients * len(cores)
	address, target, err := s.startOurs(ctx, []string{"--anonymous", "--shards", fmt.Sprint(shards), "--max-clients", fmt.Sprint(clients)})
	if err != nil {
		return nil, err
	}
	var swarms []*crowd
	for _, core := range cores {
		s.othersCores, core = core, s.othersCores
		crowd, err := s.gather(address, oursPath, c.Clients)
		s.othersCores = core
		if err != nil {
			return nil, err
		}
		defer crowd.process.stop()
		swarms = append(swarms, crowd)
	}
	for _, crowd := range swarms {
		if r, err := crowd.until(ctx, connectStill, func(r swarm.Report) bool { return r.Connected == c.Clients }); err != nil || r.Connected < c.Clients {
			return nil, fmt.Errorf("%d of %d clients were served: %w", r.Connected, c.Clients, err)
		}
	}
	first := int64(1)
	for _, offer := range c.Offers {
		rate := offer * float64(shards) / float64(clients)
		count := int64((c.Lead + c.Measure + time.Second).Seconds() * rate)
		publisher, err := s.publish(target, rate, first, count)
		if err != nil {
			return all, err
		}
		first += count
		did, err := s.offered(ctx, c, swarms)
		if err == nil {
			err = publisher.wait(ctx)
		}
		publisher.process.stop()
		if err != nil {
			return all, err
		}
		did.Shards, did.Swarms, did.Clients = shards, len(swarms), clients
		did.Server /= float64(shards)
		did.Phase.Offered = offer * float64(shards) * did.Phase.Seconds
		all = append(all, did)
	}
	return all, nil
}

// offered measures in the midst of an offer.
func (s *stage) offered(ctx context.Context, c ScaleConfig, swarms []*crowd) (did Scaled, err error) {
	if err := sleep(ctx, c.Lead); err != nil {
		return did, err
	}
	look := func() (server usage, each []usage, reports []swarm.Report, err error) {
		if server, err = s.server.usage(); err != nil {
			return server, nil, nil, err
		}
		for _, crowd := range swarms {
			u, err := crowd.process.usage()
			if err != nil {
				return server, nil, nil, err
			}
			r, err := crowd.ask(swarm.Mark)
			if err != nil {
				return server, nil, nil, err
			}
			each, reports = append(each, u), append(reports, r)
		}
		return server, each, reports, nil
	}
	server, before, from, err := look()
	if err != nil {
		return did, err
	}
	begun := time.Now()
	if err := sleep(ctx, c.Measure); err != nil {
		return did, err
	}
	serverAfter, after, to, err := look()
	if err != nil {
		return did, err
	}
	took := time.Since(begun).Seconds()
	did.Phase.Seconds = took
	for i := range swarms {
		did.Phase.Delivered += float64(to[i].Events - from[i].Events)
		did.Phase.Missing += to[i].Missing - from[i].Missing
		did.Phase.P99 = math.Max(did.Phase.P99, to[i].P99)
		did.Swarm = math.Max(did.Swarm, (after[i].cpu-before[i].cpu).Seconds()/took)
	}
	used := serverAfter.cpu - server.cpu
	did.Server = used.Seconds() / took
	if did.Phase.Delivered > 0 {
		did.Phase.CPUMicros = float64(used.Microseconds()) / did.Phase.Delivered
	}
	return did, nil
}
