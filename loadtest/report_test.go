package loadtest

import (
	"bytes"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// scatter measures the same random events on one machine and, dealt out, on
// several.
func scatter(random *rand.Rand, machines int) (one *collector, many []*collector) {
	const interval = 1
	one = newCollector(1, interval)
	oneMeter := newMeter()
	meters := make([]*meter, machines)
	for i := range machines {
		many = append(many, newCollector(1, interval))
		meters[i] = newMeter()
	}
	now := int64(1_800_000_000_000_000)
	for range 6 {
		for range random.IntN(2000) {
			k := random.IntN(machines)
			c, n := Count(random.IntN(int(numCounts))), random.Int64N(5)
			latency := int64(random.ExpFloat64() * 20_000)
			text := []string{"connection refused", "the server answers 503"}[random.IntN(2)]
			for _, m := range []*meter{oneMeter, meters[k]} {
				m.counts[c] += n
				record(m.latency, latency, &m.counts)
				record(m.connect, latency/2, &m.counts)
				record(m.resume, latency/3, &m.counts)
				addText(m.errors, text, 1)
			}
			meters[k].connected++
			oneMeter.connected++
		}
		one.take(0, oneMeter, now)
		for i, m := range meters {
			many[i].take(0, m, now)
		}
		now += int64(1+random.IntN(2)) * 1e6
	}
	return one, many
}

func reportOf(c *collector, connections int64, begun time.Time) *Report {
	p := &Report{
		Version: reportVersion, URLs: []string{"http://x/"}, Patterns: []Pattern{Steady}, Accounting: []string{"offsets"},
		Started: begun, Ended: begun.Add(time.Minute), Connections: connections,
	}
	c.report(p)
	return p
}

func encode(t *testing.T, p *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMergeIsExact: what several machines measured, written, read and added up in
// any order and grouping, is byte for byte what one would have measured.
func TestMergeIsExact(t *testing.T) {
	begun := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 4))
		one, many := scatter(random, 3)
		want, err := Merge(reportOf(one, 30, begun)) // in the form of a sum
		if err != nil {
			t.Fatal(err)
		}
		var parts []*Report
		for _, c := range many {
			p, err := ReadReport(strings.NewReader(encode(t, reportOf(c, 10, begun))))
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, p)
		}
		merge := func(list ...*Report) *Report {
			sum, err := Merge(list...)
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		a, b, c := parts[0], parts[1], parts[2]
		for name, sum := range map[string]*Report{
			"abc": merge(a, b, c), "cba": merge(c, b, a), "(ab)c": merge(merge(a, b), c), "a(bc)": merge(a, merge(c, b)),
		} {
			if got := encode(t, sum); got != encode(t, want) {
				t.Fatalf("seed %d: %s differs from one machine\n%s\nwant\n%s", seed, name, got, encode(t, want))
			}
		}
		again, err := ReadReport(strings.NewReader(encode(t, want)))
		if err != nil || encode(t, again) != encode(t, want) {
			t.Fatalf("seed %d: writing and reading changes the report: %v", seed, err)
		}
	}
}

// TestMergeOfDifferentIntervals: a longer run has longer intervals; those of the
// shorter are put together.
func TestMergeOfDifferentIntervals(t *testing.T) {
	fine := newCollector(1, 1)
	coarse := newCollector(1, 4)
	m := newMeter()
	for at := int64(100); at < 108; at++ {
		for _, c := range []*collector{fine, coarse} {
			m.counts[Records] = 10
			m.connected = at
			record(m.latency, 1000, &m.counts)
			c.take(0, m, at*1e6)
		}
	}
	begun := time.Unix(100, 0).UTC()
	sum, err := Merge(reportOf(fine, 1, begun), reportOf(coarse, 1, begun))
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Points) != 2 || sum.IntervalSeconds != 4 {
		t.Fatalf("%d points of %d s", len(sum.Points), sum.IntervalSeconds)
	}
	for i, p := range sum.Points {
		if last := int64(103 + 4*i); p.Records != 80 || p.Connected != 2*last || p.Latency.Count() != 8 {
			t.Errorf("point %d: %d records, %d connected, %d latencies", i, p.Records, p.Connected, p.Latency.Count())
		}
	}
}

func TestReportsThatDoNotAddUp(t *testing.T) {
	search := &Report{Version: reportVersion, IntervalSeconds: 1, Levels: []Level{{Connections: 1}}}
	if _, err := Merge(search, search); err == nil || !strings.Contains(err.Error(), "search") {
		t.Errorf("a search: %v", err)
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing adds up to something")
	}
	for text, want := range map[string]string{
		`{"version":2}`:                        "version 2",
		`{"version":1,"interval_seconds":3}`:   "power of two",
		`{"version":1,"counts":{"lsot":1}}`:    `"lsot"`,
		`[]`:                                   "read report",
		`{"version":1,"latency":{"count":5}}`:  "histogram",
		`{"version":1,"latency":{"hdr":"AA"}}`: "histogram",
	} {
		if _, err := ReadReport(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestErrorTextsHaveALimit(t *testing.T) {
	texts := map[string]int64{}
	for i := range 10 * maxErrorTexts {
		addText(texts, strings.Repeat("x", i), 1)
	}
	if len(texts) != maxErrorTexts+1 || texts[otherErrors] != 9*maxErrorTexts {
		t.Errorf("%d texts, %d others", len(texts), texts[otherErrors])
	}
}

// TestPageNeedsNothing: the page names no other file, runs no script, and its
// plots are well formed even where there is nothing to draw.
func TestPageNeedsNothing(t *testing.T) {
	one, _ := scatter(rand.New(rand.NewPCG(1, 1)), 1)
	full := reportOf(one, 30, time.Unix(1_800_000_000, 0).UTC())
	full.URLs = []string{`http://x/?<script>"&`}
	full.Levels = []Level{{Connections: 20, P99Micros: 9000, Why: "p99"}, {Connections: 10, P50Micros: 5, P99Micros: 80}}
	for name, p := range map[string]*Report{"full": full, "empty": {Started: time.Unix(0, 0), Ended: time.Unix(0, 0)}} {
		var b bytes.Buffer
		if err := p.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`(?i)<script|<link|<img|src=|href=|url\(|@import`).FindString(b.String()); m != "" {
			t.Errorf("%s: the page holds %q", name, m)
		}
		plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(b.String(), -1)
		if len(plots) < 7 {
			t.Errorf("%s: %d plots", name, len(plots))
		}
		for _, plot := range plots {
			if err := wellFormed(plot); err != nil || strings.Contains(plot, "NaN") || strings.Contains(plot, "Inf") {
				t.Errorf("%s: %v in %s", name, err, plot)
			}
		}
	}
}

func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
