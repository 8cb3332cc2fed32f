package loadtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"
)

//go:embed report.html
var pageText string

var pageTemplate = template.Must(template.New("report").Parse(pageText))

// WriteHTML writes the report as one page that needs nothing else: no script,
// no other file, no request.
func (p *Report) WriteHTML(w io.Writer) error {
	var summary strings.Builder
	if err := p.Summary(&summary); err != nil {
		return err
	}
	view := struct {
		Title   string
		Begun   string
		Summary string
		Plots   []template.HTML
		Counts  []countRow
		Hosts   []Machine
	}{
		Title:   strings.Join(p.URLs, ", "),
		Begun:   p.Started.Format(time.RFC3339),
		Summary: summary.String(),
		Plots:   p.plots(),
		Counts:  p.countRows(),
		Hosts:   p.Machines,
	}
	if err := pageTemplate.Execute(w, view); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

type countRow struct{ Name, Value string }

func (p *Report) countRows() []countRow {
	var rows []countRow
	for i, n := range p.Counts {
		rows = append(rows, countRow{Name: Count(i).String(), Value: grouped(n)})
	}
	return rows
}

func (p *Report) plots() []template.HTML {
	seconds := float64(max(p.IntervalSeconds, 1))
	over := func(title string, label func(float64) string, lines ...series) template.HTML {
		return p.overTime(title, label, lines).svg()
	}
	list := []template.HTML{p.byPercentile().svg()}
	times := p.overTime("Latency over time", microsLabel, []series{
		{"p50", p.each(func(at *Point) float64 { return quantileOrNaN(&at.Latency, 0.5) })},
		{"p99", p.each(func(at *Point) float64 { return quantileOrNaN(&at.Latency, 0.99) })},
		{"max", p.each(func(at *Point) float64 { return quantileOrNaN(&at.Latency, 1) })},
	})
	times.log = true
	list = append(list, times.svg(),
		over("Clients connected", short, series{"connected", p.each(func(at *Point) float64 { return float64(at.Connected) })}),
		over("Connections per second", short,
			series{"opened", p.each(func(at *Point) float64 { return float64(at.Opened) / seconds })},
			series{"closed", p.each(func(at *Point) float64 { return float64(at.Closed) / seconds })}),
		over("Records per second", short, series{"records", p.each(func(at *Point) float64 { return float64(at.Records) / seconds })}),
		over("MiB per second", short, series{"received", p.each(func(at *Point) float64 { return float64(at.Bytes) / seconds / (1 << 20) })}),
		over("Gaps announced and connections failed, per second", short,
			series{"gaps", p.each(func(at *Point) float64 { return float64(at.Gaps) / seconds })},
			series{"errors", p.each(func(at *Point) float64 { return float64(at.Errors) / seconds })}))
	if len(p.Levels) > 0 {
		list = append(list, p.byLevel().svg())
	}
	return list
}

func (p *Report) each(f func(*Point) float64) []float64 {
	y := make([]float64, len(p.Points))
	for i := range p.Points {
		y[i] = f(&p.Points[i])
	}
	return y
}

func quantileOrNaN(h *Histogram, q float64) float64 {
	if h.Count() == 0 {
		return math.NaN()
	}
	return float64(h.Quantile(q))
}

func (p *Report) overTime(title string, label func(float64) string, lines []series) *plot {
	x := p.each(func(at *Point) float64 { return float64(at.At) })
	q := &plot{title: title, x: x, lines: lines, xLabel: clockLabel, yLabel: label}
	if n := len(x); n > 0 {
		for i := range 5 {
			q.xTicks = append(q.xTicks, x[0]+(x[n-1]-x[0])*float64(i)/4)
		}
	}
	return q
}

// byPercentile draws the latency against 1/(1-q) on a logarithmic axis, so that
// each further nine has the same width.
func (p *Report) byPercentile() *plot {
	q := &plot{
		title: "Latency by percentile", log: true, yLabel: microsLabel,
		xLabel: func(nines float64) string { return fmt.Sprintf("%.6g %%", 100*(1-math.Pow(10, -nines))) },
	}
	total := float64(p.Latency.Count())
	last := math.Ceil(math.Log10(max(total, 10)))
	last = min(last, 7)
	var y []float64
	for nines := 0.0; nines <= last+1e-9; nines += 0.05 {
		q.x = append(q.x, nines)
		y = append(y, quantileOrNaN(&p.Latency, 1-math.Pow(10, -nines)))
	}
	for nines := 0.0; nines <= last; nines++ {
		q.xTicks = append(q.xTicks, nines)
	}
	q.lines = []series{{"latency", y}}
	return q
}

// byLevel draws the latency of a search against the number of clients.
func (p *Report) byLevel() *plot {
	levels := append([]Level(nil), p.Levels...)
	sortLevels(levels)
	q := &plot{title: "Latency by number of clients", log: true, xLabel: short, yLabel: microsLabel}
	var p50, p99 []float64
	for _, l := range levels {
		q.x = append(q.x, float64(l.Connections))
		p50 = append(p50, float64(l.P50Micros))
		p99 = append(p99, float64(l.P99Micros))
	}
	q.xTicks = []float64{q.x[0], q.x[len(q.x)-1]}
	q.lines = []series{{"p50", p50}, {"p99", p99}}
	return q
}
