// Package report makes of a measurement's results what people and machines
// read: a table, ratios with their spread, one last line, and the same in a file
// of the docs. Start at [Report].
package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"livemap/bench/stats"
	"livemap/bench/trial"
)

// Report is a measurement with what one must know to judge it.
type Report struct {
	Config  trial.Config
	Results []trial.Result
	Quick   bool // too short to mean anything

	Machine, Commit, Command string
	At                       time.Time
}

// column is a figure of the table.
type column struct {
	head   string
	digits int
	of     func(trial.Result) float64
}

var columns = []column{
	{"KiB per client, idle", 2, func(r trial.Result) float64 { return r.IdleKiB }},
	{"after events", 2, func(r trial.Result) float64 { return r.AfterKiB }},
	{"after an hour's", 2, hour},
	{"p99 ms, 100 clients", 2, few},
	{"sent, p99 ms from arrival", 2, sent},
	{"µs of CPU per event", 1, cpu},
	{"p50 ms", 0, func(r trial.Result) float64 { return r.Quiet.P50 }},
	{"p99 ms", 0, p99},
	{"overload: events/s", 0, overload},
	{"share %", 1, func(r trial.Result) float64 { return 100 * share(r) }},
	{"p99 ms", 0, overloadP99},
	{"CPU µs per event", 2, func(r trial.Result) float64 { return orNone(r.Overload.CPUMicros, r.Overload.Seconds) }},
	{"most: events/s", 0, most},
	{"of", 0, func(r trial.Result) float64 { return orNone(r.Most.Offered/r.Most.Seconds, r.Most.Seconds) }},
}

func memory(r trial.Result) float64   { return max(r.IdleKiB, r.AfterKiB, r.HourKiB) }
func hour(r trial.Result) float64     { return orNone(r.HourKiB, r.HourKiB) }
func sent(r trial.Result) float64     { return orNone(r.SentP99, r.SentP99) }
func most(r trial.Result) float64     { return orNone(r.Most.PerSecond(), r.Most.Seconds) }
func cpu(r trial.Result) float64      { return r.Quiet.CPUMicros }
func few(r trial.Result) float64      { return orNone(r.Few.P99, r.Few.Seconds) }
func storm(r trial.Result) float64    { return orNone(r.Storm.CPUMicros, r.Storm.Seconds) }
func p99(r trial.Result) float64      { return r.Quiet.P99 }
func overload(r trial.Result) float64 { return orNone(r.Overload.PerSecond(), r.Overload.Seconds) }
func share(r trial.Result) float64    { return orNone(r.Overload.Share(), r.Overload.Seconds) }

func overloadP99(r trial.Result) float64 { return orNone(r.Overload.P99, r.Overload.Seconds) }

// orNone returns no number for a phase that did not take place.
func orNone(v, seconds float64) float64 {
	if seconds == 0 {
		return math.NaN()
	}
	return v
}

// values returns a figure of a server, a place a round; no number where the
// round failed.
func (r Report) values(server string, of func(trial.Result) float64) []float64 {
	v := make([]float64, r.Config.Rounds)
	for i := range v {
		v[i] = math.NaN()
	}
	for _, result := range r.Results {
		if result.Server == server {
			v[result.Round-1] = of(result)
		}
	}
	return v
}

func (r Report) has(server string) bool {
	for _, result := range r.Results {
		if result.Server == server {
			return true
		}
	}
	return false
}

// table has a row for each server that was measured.
func (r Report) table() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.head)
	}
	b.WriteString(" lost, twice, closed |\n|---" + strings.Repeat("|---:", len(columns)+1) + "|\n")
	for _, s := range trial.Servers() {
		if !r.has(s.Name) || s.Kind == trial.Accept {
			continue
		}
		label := s.Label
		if s.Kind == trial.Ours {
			label = "**" + label + "**"
		}
		fmt.Fprintf(&b, "| %s |", label)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", stats.Of(r.values(s.Name, c.of)...).Format(c.digits))
		}
		fmt.Fprintf(&b, " %s |\n", r.faults(s.Name))
	}
	return b.String()
}

// faults adds up what clients were not given as they should, over all rounds.
// What had not arrived by the end of a phase without overload is lost too.
func (r Report) faults(server string) string {
	var lost, again int64
	var closed int
	for _, result := range r.Results {
		if result.Server != server {
			continue
		}
		for _, p := range []trial.Phase{result.Few, result.Quiet} {
			lost += int64(p.Offered-p.Delivered) + p.Again
		}
		lost += result.Overload.Missing
		for _, p := range []trial.Phase{result.Few, result.Quiet, result.Overload} { // beyond it a gap may be due
			again += p.Again
			closed += p.Closed
		}
		closed += r.Config.Clients - result.Connected
	}
	return fmt.Sprintf("%d, %d, %d", lost, again, closed)
}

// storms says how clients came back, in words: there is one server that they
// come back to.
func (r Report) storms() string {
	var clients, back int
	var lost, again int64
	var seconds []float64
	for _, result := range r.Results {
		if st := result.Storm; result.Server == ours && st.Clients > 0 {
			clients, back = clients+st.Clients, back+st.Back
			lost, again = lost+st.Owed-st.Got+st.Again, again+st.Again
			seconds = append(seconds, st.Seconds)
		}
	}
	if clients == 0 {
		return ""
	}
	return fmt.Sprintf("\nStorm: of %d clients that were cut off at once, over all rounds, %d came back and were served from their id, within %s s; %d events were lost, %d came twice.\n",
		clients, back, stats.Of(seconds...).Format(1), lost, again)
}

// Text returns the table, the ratios and what was done, in Markdown.
func (r Report) Text() string {
	var b strings.Builder
	if r.Quick {
		b.WriteString("Quick: a look whether all works. These figures mean nothing.\n\n")
	}
	c := r.Config
	fmt.Fprintf(&b, "%s, commit %s, %s, `%s`.\n", r.At.UTC().Format("2006-01-02 15:04 UTC"), r.Commit, r.Machine, r.Command)
	fmt.Fprintf(&b, "%d clients, 200-byte events, median (least–greatest) of %d rounds, the servers taking turns; ", c.Clients, c.Rounds)
	if c.Pinned {
		b.WriteString("server on one core, swarm, publisher and log on the other.\n")
	} else {
		b.WriteString("nothing pinned.\n")
	}
	b.WriteString("Memory is resident, of the server's processes, above what it was before its clients came. ")
	fmt.Fprintf(&b, "CPU and latency at %g events/s for %v, overload at %g events/s × %d clients = %.0f/s offered for %v; ",
		c.QuietRate, c.Quiet, c.OverloadRate, c.Clients, c.OverloadRate*float64(c.Clients), c.Overload)
	fmt.Fprintf(&b, "who delivers all of it is then offered %v a client, for as long as it does. An hour's events are %d, a client of ours is sent them in round 1.\n\n",
		c.OverloadMore, c.HourEvents)
	b.WriteString(r.table())
	b.WriteString(r.storms())
	if ratios := r.ratios(); len(ratios) > 0 {
		b.WriteString("\n| ratio, round by round | reached | to reach |\n|---|---:|---:|\n")
		for _, ratio := range ratios {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", ratio.name, ratio.spread.Format(2), ratio.goal)
		}
	}
	return b.String()
}
