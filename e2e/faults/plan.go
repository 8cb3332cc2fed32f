package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// target is what a fault befalls.
type target string

// The targets, as the last line names them.
const (
	onPod        target = "pod"
	onNginx      target = "nginx"
	onLeader     target = "leader"
	onAggregator target = "aggregator"
)

var targets = []target{onPod, onNginx, onLeader, onAggregator}

// kind is what happens to it.
type kind string

// The kinds of faults.
const (
	kill   kind = "kill"   // SIGKILL, and a start after the pause
	freeze kind = "freeze" // SIGSTOP, SIGCONT after the pause
	stop   kind = "stop"   // SIGTERM, and a start after the pause
	reload kind = "reload" // SIGHUP, of nginx
)

// fault is one entry of the plan.
type fault struct {
	at    time.Duration // since the plan began
	on    target
	kind  kind
	which int // pod or worker, modulo how many there are
	pause time.Duration
}

func (f fault) String() string {
	return fmt.Sprintf("%6.1fs %s %s %d for %.1fs", f.at.Seconds(), f.kind, f.on, f.which, f.pause.Seconds())
}

// habit is how often a target suffers, and from what.
type habit struct {
	on        target
	kinds     []kind
	faults    int // in a run of a minute or less; longer runs are as dense
	pauseMost time.Duration
}

// The Kafka leader has the longest pauses: others take over only when its
// session ends, after four seconds.
var habits = []habit{
	{onPod, []kind{kill, kill, stop, freeze}, 6, 4 * time.Second},
	{onNginx, []kind{kill, freeze, reload}, 5, 3 * time.Second},
	{onLeader, []kind{kill, freeze, stop}, 2, 6 * time.Second},
	{onAggregator, []kind{kill, freeze}, 2, 6 * time.Second},
}

// plan returns the faults of a run in order of time. The same seed and length
// give the same plan. Each kind of a target comes in turn from a random first,
// so that a short run, too, has seen most.
func plan(seed uint64, length time.Duration) []fault {
	var all []fault
	for lane, h := range habits {
		r := rand.New(rand.NewPCG(seed, uint64(lane)))
		n := max(h.faults, int(float64(h.faults)*length.Minutes()))
		space := length / time.Duration(n)
		turn := r.IntN(len(h.kinds))
		for i := range n {
			all = append(all, fault{
				at:    time.Duration(i)*space + time.Duration(r.Int64N(int64(space/2))),
				on:    h.on,
				kind:  h.kinds[(turn+i)%len(h.kinds)],
				which: r.IntN(1000),
				pause: h.pauseMost/4 + time.Duration(r.Int64N(int64(3*h.pauseMost/4))),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b fault) int { return int(a.at - b.at) })
	return all
}

// deploy is the scene of a rolling restart: pods let go of their streams over five
// seconds, and nobody else does.
var deploy = setting{nodes: 1, streamAge: time.Hour, drain: 5 * time.Second}

// oneByOne has every pod stopped and started again once, each when the one
// before is ready.
func oneByOne(length time.Duration) []fault {
	all := make([]fault, pods)
	for i := range all {
		all[i] = fault{at: time.Duration(i) * length / pods, on: onPod, kind: stop, which: i}
	}
	return all
}

// tally counts faults by target.
type tally map[target]int

// String is the last field of the last line.
func (t tally) String() string {
	parts := make([]string, len(targets))
	for i, on := range targets {
		parts[i] = fmt.Sprintf("%s:%d", on, t[on])
	}
	return strings.Join(parts, ",")
}
