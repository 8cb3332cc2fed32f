package loadtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// halvings is how often the search halves the distance between the highest
// level that held and the lowest that did not.
const halvings = 4

// rampPerSecond is how fast a search adds clients.
const rampPerSecond = 5000

// Level is one step of a search: a number of clients, held for a while.
type Level struct {
	Connections int64 `json:"connections"` // wanted
	Connected   int64 `json:"connected"`   // at the end of the level
	Records     int64 `json:"records"`     // per second
	P50Micros   int64 `json:"p50_us"`
	P99Micros   int64 `json:"p99_us"`
	MaxMicros   int64 `json:"max_us"`
	Lost        int64 `json:"lost"`   // lost or announced as missed
	Errors      int64 `json:"errors"` // connections that failed
	// Busy is the share of time that the busiest loop of the swarm did not wait:
	// near 1 the limit found is the swarm's own.
	Busy float64 `json:"busy"`
	// Why says what the level exceeded; empty: it held.
	Why string `json:"why,omitempty"`
}

// search raises the number of clients by levels until one exceeds a limit, then
// narrows the knee down between that level and the last that held.
func (s *swarm) search(ctx context.Context) ([]Level, error) {
	f := s.config.Find
	var levels []Level
	good, bad := 0, 0
	for n := f.Start; ; {
		level, err := s.level(ctx, n)
		if err != nil || ctx.Err() != nil {
			return levels, err
		}
		levels = append(levels, level)
		if level.Why == "" {
			good = max(good, n)
		} else if bad == 0 || n < bad {
			bad = n
		}
		n = nextLevel(f, good, bad, s.config.Connections)
		if n == 0 {
			return levels, nil
		}
	}
}

// nextLevel returns the number of clients to try after the highest that held and
// the lowest that did not (0: none yet), or 0 when the knee is found.
func nextLevel(f *Find, good, bad, most int) int {
	if bad == 0 {
		if good >= most {
			return 0
		}
		return min(max(int(float64(good)*f.Growth), good+1), most)
	}
	// The growth decides how wide the last step was; four halvings leave a
	// sixteenth of it.
	width := max(int(float64(good)*(f.Growth-1))/(1<<halvings), 1)
	if bad-good <= width {
		return 0
	}
	return good + (bad-good)/2
}

// longest returns how long a search may take: as many levels as it takes to
// grow to all clients, and those of the halving.
func (f *Find) longest(most int) time.Duration {
	levels := math.Log(float64(most)/float64(f.Start))/math.Log(f.Growth) + 2 + 2*halvings
	ramps := 2 * time.Duration(most) * time.Second / rampPerSecond
	return time.Duration(levels)*(f.Settle+f.Hold+time.Second) + ramps
}

// level holds n clients and measures them.
func (s *swarm) level(ctx context.Context, n int) (Level, error) {
	f := s.config.Find
	phase := fmt.Sprintf("level %d", n)
	more := max(n-s.wanted, 0)
	ramp := time.Duration(more) * time.Second / rampPerSecond
	s.goal(n, ramp)
	if err := s.wait(ctx, phase, ramp+f.Settle); err != nil {
		return Level{}, err
	}
	s.judgeSoFar()
	before := s.levelSnapshot()
	began := time.Now()
	if err := s.wait(ctx, phase, f.Hold); err != nil {
		return Level{}, err
	}
	s.judgeSoFar()
	after := s.levelSnapshot()
	took := time.Since(began).Seconds()
	h, counts := &after.Window, after.Totals
	for i := range counts {
		counts[i] -= before.Totals[i]
	}
	level := Level{
		Connections: int64(n), Connected: after.Connected, Records: int64(float64(counts[Records]) / took),
		P50Micros: h.Quantile(0.5), P99Micros: h.Quantile(0.99), MaxMicros: h.Max(),
		Lost: counts[Lost] + counts[Missed], Errors: counts.Errors(), Busy: after.Busy,
	}
	level.Why = exceeded(f, &level, counts[Records])
	return level, nil
}

// exceeded says which limit a level is beyond; empty: none.
func exceeded(f *Find, l *Level, records int64) string {
	owed := records + l.Lost
	switch {
	case l.Connected < l.Connections-l.Connections/100: // some may be on their way back
		return fmt.Sprintf("%d of %d clients connected", l.Connected, l.Connections)
	case l.P99Micros > f.P99.Microseconds():
		return fmt.Sprintf("p99 %v is above %v", time.Duration(l.P99Micros)*time.Microsecond, f.P99)
	case owed > 0 && float64(l.Lost)/float64(owed)*100 > f.LossPercent:
		return fmt.Sprintf("%d of %d records lost or missed", l.Lost, owed)
	case records == 0:
		return "no record came: nothing was measured"
	}
	return ""
}

// judgeSoFar judges what was lost until now. All loops end their spans first,
// so that each knows what the clients of the others received.
func (s *swarm) judgeSoFar() {
	s.all((*loop).cut)
	s.all(func(l *loop) {
		l.accounts.judge()
		l.collectNow()
	})
}

// levelSnapshot returns the totals, and the latencies since it was last called.
func (s *swarm) levelSnapshot() Snapshot {
	var snap Snapshot
	s.collector.snapshotTotals(&snap)
	snap.Window, snap.Busy = s.collector.resetLevel()
	return snap
}

// Knee returns the highest level that held and the lowest that did not, nil
// where there is none.
func Knee(levels []Level) (held, exceeded *Level) {
	for i := range levels {
		l := &levels[i]
		switch {
		case l.Why == "" && (held == nil || l.Connections > held.Connections):
			held = l
		case l.Why != "" && (exceeded == nil || l.Connections < exceeded.Connections):
			exceeded = l
		}
	}
	return held, exceeded
}

func sortLevels(levels []Level) {
	slices.SortFunc(levels, func(a, b Level) int { return cmp.Compare(a.Connections, b.Connections) })
}
