package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"livemap/e2e/numbered"
)

// report is what a run found.
type report struct {
	settings
	began    time.Time
	length   time.Duration // from the first record to the last
	kills    tally
	wrote    string
	produced int64
	deleted  numbered.Truth // what retention took out of the log

	sum      numbered.Verdict
	pauses   []time.Duration
	away     time.Duration
	back     int64 // reconnects
	least    int64 // of one client
	failed   int64
	goodbyes map[string]int64
	figures  *figures
}

// add judges every client and adds up; it writes the ledger by client if one is
// wanted.
func (r *report) add(truth *numbered.Truth, c *crowd) error {
	r.produced, r.goodbyes, r.least = truth.Produced(), map[string]int64{}, -1
	lines, closeLedger, err := r.openLedger()
	if err != nil {
		return err
	}
	for i, client := range c.clients {
		v, n := client.Judge(truth)
		r.sum.Add(v)
		r.pauses = append(r.pauses, n.Pauses...)
		r.away += n.Away
		r.back += n.Reconnects
		r.failed += n.Failed
		for reason, times := range n.Goodbyes {
			r.goodbyes[reason] += times
		}
		if r.least < 0 || n.Reconnects < r.least {
			r.least = n.Reconnects
		}
		fmt.Fprintf(lines, "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d\n", i, r.produced, v.Received, v.Gapped, v.Lost, v.Duplicated, v.Reordered, v.FalseGaps, v.Gaps, n.Reconnects)
	}
	slices.Sort(r.pauses)
	return closeLedger()
}

// openLedger returns where the ledger by client goes.
func (r *report) openLedger() (io.Writer, func() error, error) {
	if r.ledger == "" {
		return io.Discard, func() error { return nil }, nil
	}
	file, err := os.Create(r.ledger)
	if err != nil {
		return nil, nil, err
	}
	lines := bufio.NewWriter(file)
	fmt.Fprintln(lines, "client,produced,received,gapped,lost,duplicated,reordered,false_gaps,gaps,reconnects")
	return lines, func() error { return errors.Join(lines.Flush(), file.Close()) }, nil
}

// errBroken: a promise was not kept.
var errBroken = errors.New("a promise was broken")

// errNoGaps: nobody was told of a gap, although some were away for too long.
var errNoGaps = errors.New("the run has met no gap")

// broken says which promises were.
func (r *report) broken() error {
	v := r.sum
	owed := r.produced * int64(r.clients)
	switch {
	case !v.Good():
		return fmt.Errorf("%w: %d lost, %d duplicated, %d reordered, %d false gaps, %d shown that were never committed",
			errBroken, v.Lost, v.Duplicated, v.Reordered, v.FalseGaps, v.Phantoms)
	case owed == 0 || v.Received+v.Gapped != owed:
		return fmt.Errorf("%w: %d received and %d in gaps are not the %d owed", errBroken, v.Received, v.Gapped, owed)
	case r.naps() && v.Gaps == 0:
		return errNoGaps
	case r.least < r.reconnects:
		return fmt.Errorf("%w: one came back %d times, wanted are %d", errTooFewReconnects, r.least, r.reconnects)
	}
	return nil
}

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// print writes the report, the last line as machines read it.
func (r *report) print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	v := r.sum
	line("run", "seed %d, %s of records, %d clients", r.seed, r.length.Round(time.Second), r.clients)
	line("producer", "%s; %d numbers in the log", r.wrote, r.produced)
	line("owed", "%d × %d = %d: %d received, %d in %d announced gaps", r.produced, r.clients, r.produced*int64(r.clients), v.Received, v.Gapped, v.Gaps)
	line("reconnects", "%d, at least %d of each client; %d attempts brought no stream", r.back, r.least, r.failed)
	var said []string
	for _, reason := range slices.Sorted(maps.Keys(r.goodbyes)) {
		said = append(said, fmt.Sprintf("%s %d", reason, r.goodbyes[reason]))
	}
	line("goodbyes", "%s", strings.Join(said, ", "))
	line("away", "p50 %s, p99 %s, most %s from the end of a stream to the next hello; %.2f %% of client-seconds with a stream",
		quantile(r.pauses, 0.5), quantile(r.pauses, 0.99), quantile(r.pauses, 1), 100*r.uptime())
	if f := r.figures; f != nil {
		line("figures", "%d orders accepted, %d in batches; %d windows, %d wrong, %d of the world missing", f.Orders, f.Shown, f.Windows, f.Bad, f.holes())
	}
	for _, why := range v.Why {
		line("why", "%s", why)
	}
	fmt.Fprintf(w, "received=%d lost=%d duplicated=%d reordered=%d false_gaps=%d gaps=%d reconnects=%d kills=%s\n",
		v.Received, v.Lost+v.Phantoms, v.Duplicated, v.Reordered, v.FalseGaps, v.Gaps, r.back, r.kills)
}

// uptime is the share of client-seconds in which a client had a stream.
func (r *report) uptime() float64 {
	all := r.length.Seconds() * float64(r.clients)
	if all == 0 {
		return 0
	}
	return 1 - r.away.Seconds()/all
}
