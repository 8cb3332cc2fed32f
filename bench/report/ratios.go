package report

import (
	"fmt"
	"math"

	"livemap/bench/stats"
	"livemap/bench/trial"
)

// names of those that the figures are about.
const (
	floor  = "floor"
	accept = "accept"
	ours   = "livemap"
	open   = "open" // ours without tokens
)

type ratio struct {
	name   string
	spread stats.Spread
	goal   string
}

// ratios compares ours with the floor and the peers, as far as they took part.
func (r Report) ratios() []ratio {
	if !r.has(ours) {
		return nil
	}
	all := []ratio{{"user memory per client, the greatest of idle, after events and after an hour's, KiB", stats.Of(r.values(ours, memory)...), "at most 0.5"}}
	if r.has(open) {
		all = append(all, ratio{"the same without tokens: a verified token is remembered", stats.Of(r.values(open, memory)...), "at most 0.5"})
	}
	over := func(name, other, goal string, of func(trial.Result) float64) {
		if other != "" && r.has(other) {
			all = append(all, ratio{name, stats.Ratio(r.values(ours, of), r.values(other, of)), goal})
		}
	}
	leanest, _ := r.best(cpu, false)
	over("CPU per event over the floor's", floor, "at most 1.20", cpu)
	over("CPU per event over the best peer's ("+leanest+")", leanest, "at most 0.75", cpu)
	over("p99 over the floor's", floor, "at most 1.15", p99)
	all = append(all, ratio{"share delivered of the overload", stats.Of(r.values(ours, share)...), "at least 0.95"})
	all = append(all, ratio{"p99 of the overload, ms", stats.Of(r.values(ours, overloadP99)...), "under 200"})
	strongest, _ := r.best(most, true)
	over("most events delivered over the best peer's ("+strongest+")", strongest, "at least 8", most)
	over("storm: CPU per client that comes back over accept, parse and Hijack alone", accept, "at most 1.30", storm)
	all = append(all, ratio{"p99 from a record's arrival in the pod to the send to one of 100 clients, ms (upper limit of its bucket)", stats.Of(r.values(ours, sent)...), "below 1"})
	return all
}

// best returns the peer whose median figure is the least, or the greatest.
func (r Report) best(of func(trial.Result) float64, greatest bool) (name string, figure float64) {
	figure = math.NaN()
	for _, s := range trial.Servers() {
		if s.Kind != trial.Peer || !r.has(s.Name) {
			continue
		}
		m := stats.Of(r.values(s.Name, of)...).Median
		if math.IsNaN(figure) || (m > figure) == greatest {
			name, figure = s.Name, m
		}
	}
	return name, figure
}

// LastLine is what machines read. A figure whose servers did not take part is
// NaN.
func (r Report) LastLine() string {
	median := func(of func(trial.Result) float64) float64 { return stats.Of(r.values(ours, of)...).Median }
	over := func(of func(trial.Result) float64) float64 {
		return stats.Ratio(r.values(ours, of), r.values(floor, of)).Median
	}
	return fmt.Sprintf("bench kib_per_client=%.2f cpu_ratio=%.2f p99_ratio=%.2f overload_per_s=%.0f overload_share=%.3f",
		median(memory), over(cpu), over(p99), median(overload), median(share))
}
