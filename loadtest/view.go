package loadtest

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// plainEvery is how many snapshots apart the lines of a plain view are.
const plainEvery = 5

// View shows how a run does: on a terminal as a block that is drawn again each
// second, otherwise as a line every five. It is used from one goroutine.
type View struct {
	w        io.Writer
	terminal bool
	lines    int // drawn last, to be drawn over
	shown    int
	last     Snapshot
}

// NewView returns a view that writes to w.
func NewView(w io.Writer, terminal bool) *View { return &View{w: w, terminal: terminal} }

// Show draws a snapshot. It is meant as Config.Progress.
func (v *View) Show(s Snapshot) {
	last := v.last
	if v.terminal || v.shown%plainEvery == 0 {
		v.last = s
	}
	v.shown++
	took := (s.Elapsed - last.Elapsed).Seconds()
	if took <= 0 {
		took = 1
	}
	rate := func(c Count) float64 { return float64(s.Totals[c]-last.Totals[c]) / took }
	if v.terminal {
		v.draw(s, rate)
	} else if (v.shown-1)%plainEvery == 0 {
		fmt.Fprintf(v.w, "%7s %-10s connected=%d/%d records_per_s=%.0f p50=%s p99=%s max=%s gaps=%d errors=%d mib_per_s=%.1f\n",
			s.Elapsed.Truncate(time.Second), s.Phase, s.Connected, s.Wanted, rate(Records),
			micros(s.Window.Quantile(0.5)), micros(s.Window.Quantile(0.99)), micros(s.Window.Max()), s.Totals.Gaps(), s.Totals.Errors(), rate(Bytes)/(1<<20))
	}
}

func (v *View) draw(s Snapshot, rate func(Count) float64) {
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	v.lines = 0
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "\x1b[2K%-12s %s\n", name, fmt.Sprintf(format, args...))
		v.lines++
	}
	n := &s.Totals
	line("time", "%s, %s; swarm %.0f %% busy", s.Elapsed.Truncate(time.Second), s.Phase, s.Busy*100)
	line("connected", "%s of %s", grouped(s.Connected), grouped(s.Wanted))
	line("records", "%s/s, %s in all", grouped(int64(rate(Records))), grouped(n[Records]))
	line("received", "%.1f MiB/s, %s MiB in all", rate(Bytes)/(1<<20), grouped(n[Bytes]>>20))
	line("latency", "p50 %s, p99 %s, max %s (last second)", micros(s.Window.Quantile(0.5)), micros(s.Window.Quantile(0.99)), micros(s.Window.Max()))
	line("", "p50 %s, p99 %s, max %s (whole run)", micros(s.Latency.Quantile(0.5)), micros(s.Latency.Quantile(0.99)), micros(s.Latency.Max()))
	line("faults", "%s gaps, %s duplicated, %s reordered, %s errors", grouped(n.Gaps()), grouped(n[Duplicated]), grouped(n[Reordered]), grouped(n.Errors()))
	line("last error", "%s", s.Trouble)
	// A failed write to a terminal leaves nothing to be done.
	_, _ = io.WriteString(v.w, b.String())
}

// micros writes a latency for people: three digits.
func micros(us int64) string {
	value, unit := float64(us)/1e3, "ms"
	switch {
	case us < 1000:
		return fmt.Sprintf("%dus", us)
	case us >= 999_500:
		value, unit = float64(us)/1e6, "s"
	}
	if value >= 99.95 {
		return fmt.Sprintf("%.0f%s", value, unit)
	}
	return fmt.Sprintf("%.3g%s", value, unit)
}

// grouped writes a number with a comma between each three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Summary writes what a report says, for people, and a last line for machines.
func (p *Report) Summary(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	n := &p.Counts
	line("stream", "%s", strings.Join(p.URLs, ", "))
	line("clients", "%s wanted, %s at most at a time; %s connections, %s of them resumed; %s closed by the server, %s failed",
		grouped(p.Connections), grouped(p.peak()), grouped(n[Connected]), grouped(n[Resumed]), grouped(n[ClosedByServer]), grouped(n.Errors()))
	line("records", "%s in %s MiB, %s/s", grouped(n[Records]), grouped(n[Bytes]>>20), grouped(int64(p.rate())))
	line("accounts", "by %s: %s lost, %s duplicated, %s reordered; %s gaps announced, %s records in them; %s superseded",
		strings.Join(p.Accounting, ", "), grouped(n[Lost]), grouped(n[Duplicated]), grouped(n[Reordered]), grouped(n.Gaps()), grouped(n[Missed]), grouped(n[Superseded]))
	for _, extra := range []struct {
		count Count
		text  string
	}{
		{Repeated, "records with the id of the one before"},
		{Behind, "records not yet received by clients when the run ended"},
		{Unjudged, "records or spans not judged: beyond what the accounts hold"},
		{Malformed, "records that could not be read"},
		{Unstamped, "records without a time of publication"},
		{Ahead, "records from the future: clocks differ, latencies are wrong by as much"},
	} {
		if n[extra.count] > 0 {
			line("", "%s %s", grouped(n[extra.count]), extra.text)
		}
	}
	for _, a := range p.Accounting {
		if a == "ids" {
			line("", "losses are not looked for: ask for envelope=1 in the URL, or name a --sequence")
		}
	}
	line("latency", "%s", quantiles(&p.Latency))
	line("connect", "%s", quantiles(&p.Connect))
	if p.Resume.Count() > 0 {
		line("resume", "%s", quantiles(&p.Resume))
	}
	for _, m := range p.Machines {
		if m.Busy > 0.9 {
			line("swarm", "%s was %.0f %% busy: latencies may be its own; use more machines", m.Host, m.Busy*100)
		}
	}
	for _, text := range p.errorTexts() {
		line("error", "%s × %s", grouped(p.Errors[text]), text)
	}
	p.summariseLevels(line)
	fmt.Fprintf(&b, "connections=%d received=%d lost=%d duplicated=%d reordered=%d gaps=%d errors=%d p50_us=%d p99_us=%d max_us=%d\n",
		p.Connections, n[Records], n[Lost], n[Duplicated], n[Reordered], n.Gaps(), n.Errors(), p.Latency.Quantile(0.5), p.Latency.Quantile(0.99), p.Latency.Max())
	_, err := io.WriteString(w, b.String())
	return err
}

func quantiles(h *Histogram) string {
	if h.Count() == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, p99.9 %s, max %s (%s measured)", micros(h.Quantile(0.5)), micros(h.Quantile(0.9)),
		micros(h.Quantile(0.99)), micros(h.Quantile(0.999)), micros(h.Max()), grouped(h.Count()))
}

func (p *Report) summariseLevels(line func(name, format string, args ...any)) {
	for _, l := range p.Levels {
		verdict := "held"
		if l.Why != "" {
			verdict = l.Why
		}
		line("level", "%s clients: %s records/s, p50 %s, p99 %s, swarm %.0f %% busy: %s", grouped(l.Connections), grouped(l.Records),
			micros(l.P50Micros), micros(l.P99Micros), l.Busy*100, verdict)
	}
	if len(p.Levels) == 0 {
		return
	}
	held, over := Knee(p.Levels)
	switch {
	case held == nil:
		line("knee", "below %s clients: %s", grouped(over.Connections), over.Why)
	case over == nil:
		line("knee", "not reached: %s clients held", grouped(held.Connections))
	default:
		line("knee", "between %s clients, which held, and %s: %s", grouped(held.Connections), grouped(over.Connections), over.Why)
	}
}
