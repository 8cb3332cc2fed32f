package loadtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// reportVersion is the version of the JSON report.
const reportVersion = 1

// Limits of a report.
const (
	maxPoints      = 3600 // of a run; the interval grows with its duration
	maxErrorTexts  = 32
	maxReportBytes = 256 << 20
)

// otherErrors stands for the texts beyond maxErrorTexts.
const otherErrors = "other errors"

// Report is what a run found. All of it adds up: [Merge] of the reports of
// several machines is the report that one machine would have written, had it
// held all clients. Figures that do not add up, such as quantiles and rates,
// are computed when they are shown.
type Report struct {
	Version     int       `json:"version"`
	URLs        []string  `json:"urls"`       // without secrets, sorted
	Patterns    []Pattern `json:"patterns"`   // sorted
	Accounting  []string  `json:"accounting"` // how losses were found, sorted
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	Connections int64     `json:"connections"` // asked for
	Machines    []Machine `json:"machines"`

	Counts  Counts    `json:"counts"`
	Latency Histogram `json:"latency"` // publication to receipt, of clients that read all the time
	Connect Histogram `json:"connect"` // due time to the head of the answer, of new clients
	Resume  Histogram `json:"resume"`  // the same, of clients that came back with an id

	IntervalSeconds int64            `json:"interval_seconds"`
	Points          []Point          `json:"points"` // by time
	Errors          map[string]int64 `json:"errors"` // by text
	Levels          []Level          `json:"levels,omitempty"`
}

// Machine is one process of the swarm.
type Machine struct {
	Host        string  `json:"host"`
	Connections int64   `json:"connections"`
	Loops       int     `json:"loops"`
	Busy        float64 `json:"busy"` // share of time that its busiest loop did not wait
}

// Point is one interval of a run. At is its beginning in seconds since the
// epoch, a multiple of the interval; the intervals of all machines coincide.
type Point struct {
	At        int64     `json:"at"`
	Connected int64     `json:"connected"` // at its end
	Opened    int64     `json:"opened"`
	Closed    int64     `json:"closed"`
	Records   int64     `json:"records"`
	Bytes     int64     `json:"bytes"`
	Gaps      int64     `json:"gaps"`
	Errors    int64     `json:"errors"`
	Latency   Histogram `json:"latency"`
}

func (p *Point) count(n *Counts) {
	p.Opened += n[Connected]
	p.Closed += n[ClosedByServer] + n[Left] + n[Reset] + n[Silent]
	p.Records += n[Records]
	p.Bytes += n[Bytes]
	p.Gaps += n.Gaps()
	p.Errors += n.Errors()
}

func (p *Point) add(o *Point) error {
	p.Connected += o.Connected
	p.Opened += o.Opened
	p.Closed += o.Closed
	p.Records += o.Records
	p.Bytes += o.Bytes
	p.Gaps += o.Gaps
	p.Errors += o.Errors
	return p.Latency.add(&o.Latency)
}

// intervalSeconds returns the shortest power of two of seconds with which a run
// stays within maxPoints. Powers of two nest, so that reports of runs of
// different lengths add up.
func intervalSeconds(run time.Duration) int64 {
	s := int64(1)
	for int64(run/time.Second)/s >= maxPoints {
		s *= 2
	}
	return s
}

// ReadReport reads a JSON report, of at most 256 MiB.
func ReadReport(r io.Reader) (*Report, error) {
	limited := &io.LimitedReader{R: r, N: maxReportBytes + 1}
	var p Report
	if err := json.NewDecoder(limited).Decode(&p); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("read report: larger than %d bytes", maxReportBytes)
		}
		return nil, fmt.Errorf("read report: %w", err)
	}
	switch s := p.IntervalSeconds; {
	case p.Version != reportVersion:
		return nil, fmt.Errorf("read report: version %d, must be %d", p.Version, reportVersion)
	case s < 1 || s&(s-1) != 0:
		return nil, fmt.Errorf("read report: interval_seconds %d: must be a power of two", s)
	}
	return &p, nil
}

// WriteJSON writes the report.
func (p *Report) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Merge adds up reports of runs at the same time on several machines. The order
// does not matter, and neither does it whether some were added up before.
func Merge(reports ...*Report) (*Report, error) {
	if len(reports) == 0 {
		return nil, errors.New("merge: no reports")
	}
	sum := &Report{Version: reportVersion, Errors: map[string]int64{}}
	for _, p := range reports {
		sum.IntervalSeconds = max(sum.IntervalSeconds, p.IntervalSeconds)
	}
	points := map[int64]*Point{}
	for i, p := range reports {
		if len(p.Levels) > 0 {
			return nil, errors.New("merge: the report of a search for the limit does not add up: its levels were not held together")
		}
		if err := sum.add(p); err != nil {
			return nil, fmt.Errorf("merge report %d: %w", i+1, err)
		}
		for _, point := range coarser(p.Points, sum.IntervalSeconds) {
			at := points[point.At]
			if at == nil {
				at = &Point{At: point.At}
				points[point.At] = at
			}
			if err := at.add(&point); err != nil {
				return nil, fmt.Errorf("merge report %d: %w", i+1, err)
			}
		}
	}
	for _, at := range slices.Sorted(maps.Keys(points)) {
		sum.Points = append(sum.Points, *points[at])
	}
	return sum, nil
}

func (p *Report) add(o *Report) error {
	p.URLs = union(p.URLs, o.URLs)
	p.Patterns = union(p.Patterns, o.Patterns)
	p.Accounting = union(p.Accounting, o.Accounting)
	if p.Started.IsZero() || o.Started.Before(p.Started) {
		p.Started = o.Started
	}
	if o.Ended.After(p.Ended) {
		p.Ended = o.Ended
	}
	p.Connections += o.Connections
	p.Machines = append(p.Machines, o.Machines...)
	slices.SortFunc(p.Machines, compareMachines)
	p.Counts.add(&o.Counts)
	for text, n := range o.Errors {
		p.Errors[text] += n
	}
	return errors.Join(p.Latency.add(&o.Latency), p.Connect.add(&o.Connect), p.Resume.add(&o.Resume))
}

// coarser returns the points at a longer interval. What is connected at the end
// of an interval is what was connected at the end of its last part.
func coarser(points []Point, interval int64) []Point {
	var list []Point
	for _, p := range points {
		p.At = p.At / interval * interval
		if n := len(list); n > 0 && list[n-1].At == p.At {
			last := &list[n-1]
			last.Connected = 0
			// Histograms of one geometry always add up.
			_ = last.add(&p)
			continue
		}
		latency := p.Latency
		p.Latency = Histogram{}
		_ = p.Latency.add(&latency)
		list = append(list, p)
	}
	return list
}

func compareMachines(a, b Machine) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Connections, b.Connections), cmp.Compare(a.Loops, b.Loops), cmp.Compare(a.Busy, b.Busy))
}

// union returns the sorted set of both.
func union[T ~string](a, b []T) []T {
	u := slices.Concat(a, b)
	slices.Sort(u)
	return slices.Compact(u)
}
